"""One module for each page. Not `pages`: Streamlit takes a folder of that name beside its script for its own."""
