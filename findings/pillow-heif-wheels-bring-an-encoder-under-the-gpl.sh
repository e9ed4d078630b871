#!/usr/bin/env bash
# pillow-heif: its wheels have x265 in them, an encoder under the GPL 2. Their metadata name the BSD licence.
#
# Expected: "License: BSD-3-Clause", as in the metadata, for what is installed.
# Seen with pillow-heif 1.8.1: libx265 beside libheif and libde265, and its licence in licenses/LICENSES_bundled.txt. pi-heif,
# by the same authors, reads the same files and has no encoder: 1.4.0 has libheif and libde265 only.
# This is why sightline/images/opening.py reads HEIC by pi-heif.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow-heif==1.8.1' 'pi-heif==1.4.0'
"$work/env/bin/python" - <<'PYTHON'
from importlib.metadata import distribution


def seen(name: str) -> tuple[str, list[str], bool]:
    found = distribution(name)
    files = [str(path) for path in found.files or ()]
    notes = "".join(path.read_text() for path in found.files or () if path.name == "LICENSES_bundled.txt")
    return found.metadata["License"], sorted({f.rpartition("/")[2] for f in files if "x265" in f}), "GPLv2" in notes


print("expected: no library under the GPL in wheels whose licence is BSD-3-Clause")
encoders = {}
for name in ("pillow-heif", "pi-heif"):
    licence, encoders[name], is_gpl = seen(name)
    print(f"seen:     {name} {distribution(name).version}: {licence}; x265: {encoders[name]}; GPLv2 is named: {is_gpl}")
raise SystemExit(not (encoders["pillow-heif"] and not encoders["pi-heif"]))
PYTHON
