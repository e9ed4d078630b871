"""Vectors and facts in Qdrant, derived from the tables: for libraries that outgrow one machine."""
