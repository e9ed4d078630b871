"""Places by name, offline: what lies at a position, and where a name lies. See docs/places.md."""
