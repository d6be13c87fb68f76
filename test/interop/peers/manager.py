"""A service manager, as far as a service sees one: systemd's notification socket and its descriptor store.

manager.py SOCKET RUNS COMMAND…: runs the service RUNS times, one after the other, each time with what it has stored so far
as LISTEN_FDS. Prints, as JSON: what each notification says, with the numbers that its descriptors hold (memfds of 4 bytes,
test/support/tokens.ts); the exit code of each run; last, what is left in the store.
"""
import array
import json
import os
import select
import socket
import struct
import subprocess
import sys

path, runs, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # as systemd, to know whose it is
sock.bind(path)
store = []  # (name, descriptor)


def number_of(fd):
    content = os.pread(fd, 4, 0)
    return struct.unpack("<I", content)[0] if len(content) == 4 else None


def receive(pid):
    room = socket.CMSG_SPACE(253 * 4) + socket.CMSG_SPACE(12)
    data, ancillary, flags, _ = sock.recvmsg(65_536, room, socket.MSG_CMSG_CLOEXEC)
    fds, sender = array.array("i"), None
    for level, kind, content in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) // 4 * 4])
        elif kind == socket.SCM_CREDENTIALS:
            sender = struct.unpack("iii", content)[0]
    said = dict(line.split("=", 1) for line in data.decode().split("\n"))
    numbers = None if said.get("BARRIER") == "1" else [number_of(fd) for fd in fds]
    print(json.dumps([said, numbers, sender == pid, flags]), flush=True)
    name = said.get("FDNAME", "stored")
    if said.get("FDSTORE") == "1":
        store.extend((name, fd) for fd in fds)
        return
    for fd in fds:
        os.close(fd)
    if said.get("FDSTOREREMOVE") == "1":
        for entry in [entry for entry in store if entry[0] == name]:
            os.close(entry[1])
            store.remove(entry)


def start():
    """The shell names itself in LISTEN_PID and becomes the service."""
    keep = [os.dup(fd) for _, fd in store]
    moved = " ".join("%d<&%d" % (3 + i, fd) for i, fd in enumerate(keep))
    listen = {"LISTEN_FDS": str(len(store)), "LISTEN_FDNAMES": ":".join(name for name, _ in store)}
    script = 'export LISTEN_PID=$$; exec "$@"' if store else 'exec "$@"'
    # Numbers over 9 are bash's alone to redirect.
    child = subprocess.Popen(
        ["/bin/bash", "-c", "%s %s" % (script, moved), "bash", *command],
        env={**os.environ, "NOTIFY_SOCKET": path, **(listen if store else {})},
        pass_fds=keep,
    )
    for fd in keep:
        os.close(fd)
    return child


for _ in range(runs):
    service = start()
    pidfd = os.pidfd_open(service.pid)
    while True:
        ready = select.select([sock, pidfd], [], [])[0]
        if sock in ready:
            receive(service.pid)
        else:
            break
    os.close(pidfd)
    print(json.dumps({"exit": service.wait()}), flush=True)
print(json.dumps({"store": [[name, number_of(fd)] for name, fd in store]}), flush=True)
