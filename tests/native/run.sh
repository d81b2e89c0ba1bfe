#!/usr/bin/env bash
# Builds and runs the core's own tests in each way that is named; CMake and Ninja are all it needs for the first two.
#
#   tests/native/run.sh release   as they are shipped, for the baseline instruction set
#   tests/native/run.sh thread    under ThreadSanitizer
#   tests/native/run.sh address   under AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/native/run.sh fuzz      the same, then FUZZ_SECONDS (60) of problems made of bytes; with Debian's clang and
#                                 libclang-rt-14-dev by libFuzzer, which keeps what it finds in build/address/corpus
#   tests/native/run.sh aarch64   by QEMU: the same bits as on this machine; with Debian's g++-aarch64-linux-gnu and
#                                 qemu-user-static
set -euo pipefail
cd "$(dirname "$0")"

build_and_test() {
  cmake -S . -B "build/$1" -G Ninja "${@:2}"
  cmake --build "build/$1"
  (cd "build/$1" && ctest --output-on-failure)
}

release() { build_and_test release -DCMAKE_BUILD_TYPE=Release -DFULLGRAD_BASELINE=ON; }

sanitized() { build_and_test "$1" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O1 -g" -DSANITIZER="$2" "${@:3}"; }

thread() { sanitized thread thread; }

address() { sanitized address address,undefined ${CLANG:+-DCMAKE_CXX_COMPILER="$CLANG"}; }

fuzz() {
  address
  if [[ -z $CLANG ]]; then
    echo "no clang++: inputs are changed at random, without libFuzzer"
    build/address/fuzz_saliency -seconds="$FUZZ_SECONDS" corpus
    return
  fi
  mkdir -p build/address/corpus
  build/address/fuzz_saliency -max_total_time="$FUZZ_SECONDS" -max_len=64 -len_control=0 -verbosity=0 -print_funcs=0 \
    -rss_limit_mb=2048 -malloc_limit_mb=256 -timeout=60 -print_final_stats=1 build/address/corpus corpus
}

aarch64() {
  release
  build_and_test aarch64 -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static \
    -DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64-static
  for test in test_activations test_modes; do
    diff <("build/release/$test") <(qemu-aarch64-static "build/aarch64/$test")
  done
}

CLANG=${CLANG-$(command -v clang++ || true)}
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
for way in "$@"; do
  echo "== the core's tests: $way"
  case $way in
    release | thread | address | fuzz | aarch64) "$way" ;;
    *) echo "expected release, thread, address, fuzz or aarch64, got $way" >&2 && exit 2 ;;
  esac
done
