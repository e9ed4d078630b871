"""Small pictures kept beside the tables: thumbnails and previews."""
