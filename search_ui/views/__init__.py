"""One module for each page. A folder named `pages` would switch on Streamlit's old multipage mode."""
