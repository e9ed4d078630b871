"""Maps of a library: layout, groups and their names, colours."""
