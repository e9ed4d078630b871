"""The tables: what SQLite holds, the truth."""
