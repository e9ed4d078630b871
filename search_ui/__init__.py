"""The pages, the JSON interface and the search commands: `python -m search_ui`."""
