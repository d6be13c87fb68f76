#!/usr/bin/env bash
# Installs the Debian packages that the tests and the bench need as peers; what is there already costs nothing.
set -euo pipefail

# command the tests look for : Debian package that has it
peers=(
  python3:python3
  g++:g++
  make:make
  weston:weston
  dbus-daemon:dbus-daemon
  systemd-socket-activate:systemd
  gccgo-12:gccgo-12
  capnp:capnproto
)

# file that they look for : Debian package that has it
files=(
  /usr/include/capnp/serialize-async.h:libcapnp-dev
  /usr/include/wayland-server.h:libwayland-dev
  /usr/lib/python3/dist-packages/dbus/__init__.py:python3-dbus
)

missing=()
for peer in "${peers[@]}"; do
  command -v "${peer%%:*}" >/dev/null || missing+=("${peer##*:}")
done
for file in "${files[@]}"; do
  [ -e "${file%%:*}" ] || missing+=("${file##*:}")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
