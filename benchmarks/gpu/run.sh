#!/usr/bin/env bash
# Checks and times the CUDA kernel on a machine with a GPU, nvcc, CMake, ninja, pybind11, pytest and PyTorch; needs no
# TensorFlow. Takes less than ten minutes, and writes kernel.json and run.log into the folder that is named.
#
#   bash benchmarks/gpu/run.sh [FOLDER]
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:-benchmarks/results/gpu}
mkdir -p "$out"
: > "$out/run.log"  # All that the steps say.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
# Each has a time of its own: a kernel that hangs must not take the others with it.
step() {
  local name=$1 limit=$2 start=$SECONDS
  shift 2
  timeout -k 5 "$limit" "$@" > "$log" 2>&1
  local status=$?
  { echo "== $name: status $status"; cat "$log"; } >> "$out/run.log"
  if ((status == 0)); then echo "ok   $name ($((SECONDS - start)) s)"; else
    echo "FAIL $name ($((SECONDS - start)) s), status $status, the end of what it said:"
    tail -n 25 "$log"
    failed=1
  fi
}

nvidia-smi -L
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
step configure 120 cmake -S . -B build/gpu -G Ninja -DFULLGRAD_TENSORFLOW=OFF -DFULLGRAD_CUDA=ON \
  -DPython_EXECUTABLE="$(command -v python3)" -DCMAKE_CUDA_ARCHITECTURES="$architecture-real"
step build 600 cmake --build build/gpu --target _cuda small_case against_cpu
((failed)) && exit 1  # Without the module every test would be skipped.
FULLGRAD_CUDA_MODULE=$(ls "$PWD"/build/gpu/_cuda*.so)
export FULLGRAD_CUDA_MODULE

step small_case 30 build/gpu/small_case
step against_cpu 60 build/gpu/against_cpu
((failed)) && exit 1  # What hangs or is wrong comes first.
step tests 300 python3 -m pytest -q -p no:cacheprovider tests/gpu --confcutdir=tests/gpu -k "not emulated" -m "not slow" -W default \
  --ignore=tests/gpu/test_tensorflow.py --maxfail=20
grep -hE "passed|failed|skipped" "$log" | tail -n 1
step kernel 240 python3 benchmarks/gpu/bench_kernel.py --json "$out/kernel.json" --budget 200
for tool in memcheck racecheck initcheck synccheck; do
  step "$tool" 60 compute-sanitizer --error-exitcode 1 --tool "$tool" build/gpu/small_case
done
exit $failed
