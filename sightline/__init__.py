"""The library: search your own pictures."""
