#!/usr/bin/env bash
# Pillow: getexif() has an orientation that EXIF does not have, where XMP has one.
#
# Expected: getexif() gives the tags of EXIF; a picture is turned as browsers and other programs turn it.
# Seen with Pillow 13.0.0: tiff:Orientation of a packet of XMP is put among the tags, and exif_transpose() turns by it.
# One reason why sightline/metadata/exif.py reads EXIF itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow==13.0.0'
"$work/env/bin/python" - <<'PYTHON'
import io

import PIL
from PIL import Image, ImageOps

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
made = io.BytesIO()
Image.new("RGB", (40, 20)).save(made, "JPEG", xmp=PACKET)
image = Image.open(made)
tags = dict(image.getexif())
turned = ImageOps.exif_transpose(image).size

print("pillow", PIL.__version__)
print("expected: a JPEG of 40x20 without EXIF has no tags, and is not turned")
print(f"seen:     EXIF in the file: {'exif' in image.info}; tags: {tags}; size by exif_transpose: {turned}")
raise SystemExit(not ("exif" not in image.info and tags == {274: 6} and turned == (20, 40)))
PYTHON
