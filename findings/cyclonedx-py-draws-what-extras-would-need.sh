#!/usr/bin/env bash
# cyclonedx-py environment says that a package depends on what an extra of it would need, where that is installed for another
# reason and nobody asked for the extra: httpx on click, for its extra `cli`. In an environment with tests and checks a bill of
# materials then has pytest below pandas. Who wants what a program needs walks the requirements with their markers.
#
# Expected: httpx depends on anyio, certifi, httpcore and idna.
# Seen with cyclonedx-bom 7.5.0, httpx 0.28.1 (Python 3.11):
#   httpx depends on anyio, certifi, click, httpcore, idna
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0 httpx==0.28.1 click==8.5.1
"$folder/venv/bin/cyclonedx-py" environment --output-file "$folder/bill.json" "$folder/venv/bin/python"
"$folder/venv/bin/python" - "$folder/bill.json" <<'PY'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    edges = json.load(file)["dependencies"]
(needs,) = (edge["dependsOn"] for edge in edges if edge["ref"].startswith("httpx=="))
names = sorted(reference.split("==")[0].lower() for reference in needs)
print("httpx depends on", ", ".join(names))
sys.exit("click" not in names)
PY
