"""Models of a real architecture with random weights: cost does not depend on what a model learned."""

from __future__ import annotations

import json
from pathlib import Path


def random_model(folder: Path, name: str) -> str:
    """Write open_clip's model `name` with seeded random weights to `folder`; returns its `local-dir:`."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = open_clip.get_model_config(name)
    model = open_clip.model.CLIP(**config)
    folder.mkdir(exist_ok=True)
    state = {name: value.clone().contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return f"local-dir:{folder}"
