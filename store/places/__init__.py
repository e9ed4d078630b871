"""Places by name, offline: what lies at a position, and where a name lies. Data of GeoNames; see docs/places.md."""
