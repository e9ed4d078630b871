"""The commands of `python -m search_ui`."""
