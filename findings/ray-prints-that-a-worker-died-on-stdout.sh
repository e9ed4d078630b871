#!/usr/bin/env bash
# Ray: a driver prints on its standard output that a worker died, also with log_to_driver=False: a program that writes data
# there (JSON, say) writes something else.
#
# Expected: nothing on stdout, as "log_to_driver" says: "If true, the output from all of the worker processes on all nodes will
# be directed to the driver"; an error that is printed nevertheless goes to stderr.
# Seen with Ray 2.60.0: "(raylet) A worker died or was killed while executing a task by an unexpected system error. ..." on
# stdout. Its source passes "is_err": False for errors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ray==2.60.0
cat > "$folder/driver.py" <<'PYTHON'
import os
import signal
import sys
import time

import ray

for attempt in range(3):  # a busy machine may need more than the 30 s that Ray gives its processes
    try:
        ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[1])
        break
    except Exception:
        ray.shutdown()


@ray.remote
class Worker:
    def pid(self):
        return os.getpid()

    def work(self):
        time.sleep(60)


worker = Worker.remote()
process = ray.get(worker.pid.remote())
work = worker.work.remote()
time.sleep(2)
os.kill(process, signal.SIGKILL)
try:
    ray.get(work)
except ray.exceptions.RayActorError as error:
    print("raised", type(error).__name__, file=sys.stderr)
time.sleep(5)
ray.shutdown()
PYTHON
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"$folder/venv/bin/python" "$folder/driver.py" "$folder/r" > "$folder/out"
echo "on stdout:"
cut -c 1-200 "$folder/out"
grep -q "A worker died or was killed" "$folder/out"
