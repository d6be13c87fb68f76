#!/usr/bin/env bash
# Installs the Debian packages that the tests need as peers; what is there already costs nothing.
set -euo pipefail

# command the tests look for : Debian package that has it
peers=(
  python3:python3
  g++:g++
  make:make
)

missing=()
for peer in "${peers[@]}"; do
  command -v "${peer%%:*}" >/dev/null || missing+=("${peer##*:}")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
