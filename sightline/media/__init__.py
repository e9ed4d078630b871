"""Pictures given out: originals, exports, crops, previews."""
