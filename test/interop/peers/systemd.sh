#!/bin/sh
# A systemd of the test's own, as process 1 of its own namespaces, with one service.
#
# systemd.sh UNIT-FILE: the unit's name is that of the file. Needs root and a cgroup2 hierarchy; `systemd.sh` alone
# says by its exit code whether there are any. Ends with whoever started it; what it has mounted is seen by nobody else.
#
# As process 1 systemd sets up the machine: it raises sysctls (net.unix.max_dgram_qlen, fs.file-max), names the host, brings
# the loopback up. So it has its own of what can be had, and finds the rest, with /etc, read-only.
set -eu

cgroups=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ "$(id -u)" = 0 ] && [ -n "$cgroups" ] && [ -x /lib/systemd/systemd ]
if [ $# = 0 ]; then exec unshare --pid --fork --mount --mount-proc --cgroup --net --uts --ipc true; fi

# A control group of its own becomes the root that it sees: it fills that with slices.
group=$cgroups/pillion-$$
mkdir "$group"
unshare --pid --fork --mount --mount-proc --net --uts --ipc --kill-child=KILL sh -eu -c '
  echo 0 > "$1/cgroup.procs"
  exec unshare --cgroup sh -eu -c "
    mount -t tmpfs none /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    mount -t tmpfs none /run
    for path in /proc/sys /etc; do
      mount --bind \$path \$path
      mount -o remount,bind,ro \$path
    done
    mkdir -p /run/systemd/system
    cp \"\$1\" /run/systemd/system/
    export container=pillion SYSTEMD_UNIT_PATH=/run/systemd/system
    exec /lib/systemd/systemd --system --unit=\"\$(basename \"\$1\")\" --log-target=null
  " sh "$2"
' sh "$group" "$1" &
child=$!
trap 'echo 1 > "$group/cgroup.kill"' TERM
while kill -0 $child 2>&-; do wait $child || true; done
find "$group" -depth -type d -exec rmdir {} \;
