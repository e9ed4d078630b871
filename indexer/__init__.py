"""The indexer, a program on the library: `python -m indexer`."""
