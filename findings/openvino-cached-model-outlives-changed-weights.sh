#!/usr/bin/env bash
# OpenVINO: a compiled model from CACHE_DIR is used after the weights of the model have changed.
#
# Expected: CACHE_DIR gives what was compiled of the same model; of other weights it is compiled anew.
# Seen with openvino 2026.4.1: the cache is keyed by the path and time of the .xml. Other weights in the .bin of the same
# length, as a newer export of the same network has them, give the old results, and LOADED_FROM_CACHE is true. Helps: a folder for
# each content; or export_model and import_model, which Sightline uses.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check openvino==2026.4.1
cd "$work"
HOME="$work" CI=true "$work/env/bin/python" - <<'PYTHON'
import pathlib
import sys

sys.modules["openvino_telemetry"] = None
import numpy as np
import openvino as ov
from openvino import opset13 as ops


def save(value: float, path: str) -> None:
    given = ops.parameter([-1, 4], np.float32)
    weights = ops.constant(np.full((4, 3), value, np.float32))
    ov.save_model(ov.Model([ops.matmul(given, weights, False, False)], [given]), path, compress_to_fp16=False)


def run() -> tuple[float, bool]:
    compiled = ov.Core().compile_model("model.xml", "CPU", {"CACHE_DIR": "cache"})
    return float(compiled(np.ones((1, 4), np.float32))[0][0, 0]), bool(compiled.get_property("LOADED_FROM_CACHE"))


print("openvino", ov.__version__)
save(1, "model.xml")
save(2, "other.xml")
first, again = run(), run()
pathlib.Path("model.bin").write_bytes(pathlib.Path("other.bin").read_bytes())
changed = run()
print(f"weights of 1: {first}; again: {again}; weights of 2 in their place: {changed}, and 8.0 would be right")
raise SystemExit((first[0], again, changed) != (4.0, (4.0, True), (4.0, True)))
PYTHON
