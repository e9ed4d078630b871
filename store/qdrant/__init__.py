"""Vectors and facts in Qdrant: an index that is derived from the tables, for libraries that outgrow one machine."""
