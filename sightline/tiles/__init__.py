"""Small things in pictures: overlapping tiles, encoded beside the whole picture."""
