#!/usr/bin/env bash
# Builds the core and an op library for each TensorFlow that is named, which serve every Python.
#
#   bash packaging/build_libraries.sh OUT 2.18 2.19 2.20 2.21
#
# Needs a Python with pip, CMake and Ninja. Debug information goes to OUT/debug. FULLGRAD_CUDA is as in setup.py.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "$1/debug" && realpath "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tensorflows=()
for minor in "$@"; do
  # No TensorFlow is installed: its wheel has the headers. Python 3.12 has them all, and any Python's are the same.
  python3 -m pip download --quiet --no-deps --only-binary :all: --python-version 3.12 -d "$work/$minor" \
    "tensorflow-cpu==$minor.*"
  python3 -m zipfile -e "$work/$minor"/*.whl "$work/$minor"
  rm "$work/$minor"/*.whl
  tensorflows+=("$minor=$work/$minor/tensorflow")
done

CXXFLAGS=-g cmake -S . -B "$work/build" -G Ninja -DPython_EXECUTABLE="$(command -v python3)" -DFULLGRAD_PYTHON=OFF \
  -DFULLGRAD_CUDA="${FULLGRAD_CUDA:-AUTO}" -DCMAKE_INSTALL_PREFIX="$work/installed" \
  -DFULLGRAD_TENSORFLOWS="$(IFS=';' && echo "${tensorflows[*]}")"
cmake --build "$work/build" --target install

for library in "$work"/installed/keras_fullgrad/*.so; do
  debug=$out/debug/$(basename "$library").debug
  objcopy --only-keep-debug "$library" "$debug"
  objcopy --strip-unneeded --add-gnu-debuglink="$debug" "$library" "$out/$(basename "$library")"
done
