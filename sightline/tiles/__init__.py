"""Small things in pictures: overlapping tiles, encoded beside the whole picture."""

LEAST_GRID, MOST_GRID = 2, 8
"""Tiles along the shorter side of a picture. One tile is the whole picture, which is encoded anyway."""
