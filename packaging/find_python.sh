#!/usr/bin/env bash
# Prints the Python of a version, on the PATH or of pyenv; fails where there is none.
#
#   bash packaging/find_python.sh 3.12
for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python; do
  if "$candidate" -c '' 2> /dev/null; then command -v "$candidate" && exit; fi
done
echo "expected Python $1 on the PATH or in pyenv, found none" >&2
exit 1
