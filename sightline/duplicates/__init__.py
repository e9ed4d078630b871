"""Duplicates: pairs, groups, which copy to keep."""
