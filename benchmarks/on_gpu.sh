#!/usr/bin/env bash
# Runs the GPU tests and the GPU benchmarks on a machine with an NVIDIA GPU, in less than 8 minutes.
#
#     bash benchmarks/on_gpu.sh [OUT]          # OUT: a folder for what is printed; ./gpu-results without it
#     WHEELS=FOLDER bash benchmarks/on_gpu.sh  # a machine without a network: FOLDER holds wheels, see below
#
# Wheels to carry where torch is there already (match the Python and torch of that machine):
#   open_clip_torch timm ftfy transformers tokenizers safetensors faiss-gpu numba llvmlite scipy scikit-learn sqlalchemy
#   pillow pi-heif pillow-heif simplejpeg click rich platformdirs lark filelock pytest pytest-timeout hypothesis torchcodec
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-gpu-results}
mkdir -p "$out"
python=${PYTHON:-python3}
if [ -n "${WHEELS:-}" ]; then
  "$python" -m pip install --quiet --no-deps "$WHEELS"/*.whl || exit 2
fi
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || { echo "torch sees no CUDA device here" >&2; exit 2; }
{ nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv; nproc
  "$python" -c 'import torch; print("torch", torch.__version__)'; } | tee "$out/machine.txt"

photos=$(mktemp -d)
trap 'rm -rf "$photos"' EXIT
status=0
step() {  # NAME SECONDS COMMAND...
  echo "== $1"
  timeout "$2" "${@:3}" 2>&1 | tee "$out/$1.txt"
  [ "${PIPESTATUS[0]}" -eq 0 ] || { echo "== $1 did not end well"; status=1; }
}
"$python" -m indexer.demo "$photos" --count 600 >/dev/null || exit 2
step tests 240 "$python" -m pytest -q -m gpu -p no:cacheprovider tests/sightline/test_gpu.py
step index 150 "$python" benchmarks/index.py "$photos" --rounds 2
step jpeg 60 "$python" benchmarks/gpu_jpeg.py "$photos"
exit $status
