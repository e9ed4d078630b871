#!/usr/bin/env bash
# Ray: ray.init(_node_ip_address="127.0.0.1") starts a cluster whose servers listen on every address of the machine.
#
# Expected: they listen on 127.0.0.1, "the IP address of this node", as it is with `ray start --node-ip-address=127.0.0.1`.
# Seen with Ray 2.60.0: ray.init puts another address of the machine in its place (services.resolve_ip_for_localhost), and the
# servers listen on all. With RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, on Linux, they listen on 127.0.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ray==2.60.0
cat > "$folder/driver.py" <<'PYTHON'
import os
import sys
from pathlib import Path

import ray

for attempt in range(3):  # a busy machine may need more than the 30 s that Ray gives its processes
    try:
        ray.init(
            "local", num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[1],
            _node_ip_address="127.0.0.1",
        )
        break
    except Exception:
        ray.shutdown()
port = int(ray.get_runtime_context().gcs_address.rpartition(":")[2])
listening = set()
for name in ("tcp", "tcp6"):
    for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state == "0A" and int(local.rpartition(":")[2], 16) == port:
            listening.add(local.rpartition(":")[0])
print("Ray", ray.__version__, "was told 127.0.0.1; its address:", ray.get_runtime_context().gcs_address.rpartition(":")[0])
is_everywhere = any(set(address) == {"0"} for address in listening)
print("it listens", "on every address" if is_everywhere else "on one address", listening)
ray.shutdown()
raise SystemExit(not is_everywhere)
PYTHON
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"$folder/venv/bin/python" "$folder/driver.py" "$folder/r"
