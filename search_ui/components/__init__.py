"""The pages' own components (Streamlit Custom Components v2): plain JavaScript and CSS, no build step."""
