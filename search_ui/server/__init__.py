"""The web server: routes beside the pages."""
