#!/usr/bin/env bash
# OpenVINO: importing it writes an identifier into the home folder and sends an event, also where CI is set to 1.
#
# Expected: an import does neither; or the usual CI=1 keeps it from it.
# Seen with openvino 2026.4.1 and openvino-telemetry 2025.2.0: ~/intel/openvino_ga_cid and ~/intel/stats are written by `import
# openvino`, with CI=1 too; only CI=true is read. Nothing is where the import of openvino_telemetry fails: helps
# `sys.modules["openvino_telemetry"] = None` before.
# The first of the three imports does send the event.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0
seen() {
    mkdir "$work/$1"
    HOME="$work/$1" CI="$2" "$work/env/bin/python" -c "$3"
    sleep 3 # a child of its own writes
    (cd "$work/$1" && find . -type f | sort | tr '\n' ' ')
}
silent='import sys; sys.modules["openvino_telemetry"] = None; import openvino'
one=$(seen one 1 'import openvino')
true=$(seen true true 'import openvino')
blocked=$(seen blocked "" "$silent")
echo "CI=1: $one"
echo "CI=true: $true"
echo "telemetry can't be imported: $blocked"
[[ "$one" == *openvino_ga_cid* && -z "$true" && -z "$blocked" ]]
