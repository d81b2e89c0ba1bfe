#!/usr/bin/env bash
# Moves packaging/lock.txt, what CI and contributors install, on to the newest versions. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
FULLGRAD_NATIVE=OFF uv pip compile pyproject.toml --extra cpu --extra test --extra dev --extra docs --extra build \
  --universal --python-version 3.10 --no-annotate --upgrade --custom-compile-command 'bash packaging/lock.sh' \
  -o packaging/lock.txt
