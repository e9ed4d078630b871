"""The components of the pages, for what Streamlit has no widget for."""
