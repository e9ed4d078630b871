"""A small world to try the project on: a generator of pictures with captions.

Importing this package costs nothing; the modules below it import Pillow, torch and open_clip as they need them.
"""
