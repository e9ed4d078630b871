"""The vectors of a space, searched: derived from the tables, checked before use, and disposable."""
