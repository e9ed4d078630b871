"""Embedding models: presets, weights, encoders, back ends."""
