"""A picture generator to try the project on, and the recipe of the model of the space `demo`.

Importing this package costs nothing; the modules below it import Pillow, torch and open_clip as they need them.
"""
