"""Where in a picture a model found a text: maps of the patches that speak for it."""
