"""The recipe of the small model that ships with Sightline: training and evaluation on the demo world."""
