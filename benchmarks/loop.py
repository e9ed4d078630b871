"""Encodes a folder as clip-retrieval does, for peers.py: `python benchmarks/loop.py FOLDER MODEL OUT`.

A DataLoader whose worker processes decode with open_clip's own PIL transform, batches encoded in float32, vectors kept
until the end and then written as one array: the loop of clip_retrieval/clip_inference (rom1504/clip-retrieval, commit
b055335: reader.py, mapper.py, runner.py), without its metadata. MODEL is a folder that `local-dir:` opens. Its batch is
256; here 32, so that a few hundred pictures overlap too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

BATCH, WORKERS = 32, 2


class Pictures(Dataset[torch.Tensor]):
    """Prepared pixels float32 (3, size, size) of every file of a folder."""

    def __init__(self, folder: Path, transform: object) -> None:
        self.files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> torch.Tensor:
        with Image.open(self.files[place]) as picture:
            return self.transform(picture)  # type: ignore[no-any-return, operator]


def main(folder: Path, model_folder: Path, out: Path) -> None:
    """Write unit vectors float16 (pictures, dim) of `folder` to `out`."""
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{model_folder}")
    model.eval()
    loader = DataLoader(Pictures(folder, transform), batch_size=BATCH, num_workers=WORKERS)
    vectors = []
    with torch.inference_mode():
        for batch in loader:
            encoded = model.encode_image(batch)
            vectors.append((encoded / encoded.norm(dim=-1, keepdim=True)).cpu().to(torch.float16).numpy())
    np.save(out, np.concatenate(vectors))


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]))
