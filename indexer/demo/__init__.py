"""A small world to try the project on: a picture generator with captions; `training` makes a model of it.

Importing this package costs nothing; the modules below it import Pillow, torch and open_clip as they need them.
"""
