"""A small world to try the project on: a picture generator and the recipe that trained the model of the space `demo`.

Importing this package costs nothing; the modules below it import Pillow, torch and open_clip as they need them.
"""
