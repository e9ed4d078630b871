"""The library: one folder on disk. SQLite is the truth; everything else in the folder can be remade."""
