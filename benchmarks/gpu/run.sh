#!/usr/bin/env bash
# Checks and times the CUDA kernel on a machine with a GPU, nvcc, CMake, ninja, pybind11, pytest and PyTorch; needs no
# TensorFlow. Takes less than ten minutes, and writes kernel.json and the logs into the folder that is named.
#
#   bash benchmarks/gpu/run.sh [FOLDER]
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:-benchmarks/results/gpu}
mkdir -p "$out"
failed=0
step() {
  local name=$1 start=$SECONDS
  shift
  if "$@" > "$out/$name.log" 2>&1; then echo "ok   $name ($((SECONDS - start)) s)"; else
    echo "FAIL $name ($((SECONDS - start)) s), the end of $out/$name.log:"
    tail -n 25 "$out/$name.log"
    failed=1
  fi
}

nvidia-smi -L
build() {
  cmake -S . -B build/gpu -G Ninja -DFULLGRAD_TENSORFLOW=OFF -DFULLGRAD_CUDA=ON -DFULLGRAD_WERROR=ON \
    -DPython_EXECUTABLE="$(command -v python3)" -DCMAKE_CUDA_ARCHITECTURES=native &&
    cmake --build build/gpu --target _cuda small_case
}
step build build
FULLGRAD_CUDA_MODULE=$(ls "$PWD"/build/gpu/_cuda*.so)
export FULLGRAD_CUDA_MODULE

step small_case build/gpu/small_case
step tests python3 -m pytest -q -p no:cacheprovider tests/gpu --confcutdir=tests/gpu -k "not emulated" -m "not slow" -W default \
  --ignore=tests/gpu/test_tensorflow.py --maxfail=20
grep -hE "passed|failed|skipped" "$out/tests.log" | tail -n 1
step kernel python3 benchmarks/gpu/bench_kernel.py --json "$out/kernel.json" --budget 200
for tool in memcheck racecheck initcheck synccheck; do
  step "$tool" timeout 60 compute-sanitizer --error-exitcode 1 --tool "$tool" build/gpu/small_case
done
exit $failed
