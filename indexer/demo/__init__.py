"""A small world to try the project on: a picture generator, a trained model and its training recipe.

Importing this package costs nothing; the modules below it import Pillow, torch and open_clip as they need them.
"""

from pathlib import Path

MODEL_DIR: Path = Path(__file__).resolve().parent / "model"
"""Folder of the shipped model (``open_clip_config.json`` and ``open_clip_model.safetensors``)."""

__all__ = ["MODEL_DIR"]
