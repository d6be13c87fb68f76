"""What the kernel does where it keeps boundaries: all observations for one socket type, printed as JSON.

    python3 messages.py SOCK_SEQPACKET|SOCK_DGRAM

test/kernel/messages.test.ts says what each has to be; nothing is judged here.
"""
import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import sys
import termios

TYPE = getattr(socket, sys.argv[1])
SO_TIMESTAMP = 29  # not among the names of Python's module
NULL = os.open("/dev/null", os.O_RDONLY)


def pair(stamped=False):
    left, right = socket.socketpair(socket.AF_UNIX, TYPE)
    left.setblocking(False)
    right.setblocking(False)
    if stamped:
        right.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
    return left, right


def send(sock, data, fds=()):
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        return sock.sendmsg([data], control)
    except OSError as error:
        return errno.errorcode[error.errno]


def receive(sock, size=65536, control_bytes=4096, flags=0):
    """One recvmsg: its return value, how many control messages that are no descriptors, how many descriptors, the flags."""
    room = bytearray(size)
    try:
        got, control, seen, _ = sock.recvmsg_into([room], control_bytes, flags | socket.MSG_CMSG_CLOEXEC)
    except OSError as error:
        return errno.errorcode[error.errno]
    fds = array.array("i")
    stamps = 0
    for level, kind, body in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(body[: len(body) // 4 * 4])
        else:
            stamps += 1
    for fd in fds:
        os.close(fd)
    names = [name for name in ("MSG_TRUNC", "MSG_CTRUNC", "MSG_EOR") if seen & getattr(socket, name)]
    return [got, stamps, len(fds), names]


def state(sock):
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLRDHUP)
    events = poll.poll(0)
    return [events[0][1] if events else 0, struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0" * 4))[0]]


def empty_and_end(stamped):
    left, right = pair(stamped)
    send(left, b"")
    left.shutdown(socket.SHUT_WR)
    seen = {"before": state(right), "empty": receive(right)}
    seen["after"] = state(right)
    seen["end"] = receive(right)
    return seen


def empty_with_descriptors():
    left, right = pair()
    return [send(left, b"", [NULL]), receive(right)]


def cut():
    left, right = pair()
    send(left, b"eleven byte", [NULL])
    send(left, b"next")
    send(left, b"eleven byte")
    return [receive(right, 5), receive(right), receive(right, 5, flags=socket.MSG_TRUNC)]


def look():
    """Peeks with room for a time stamp and nothing else; then what a receive brings."""
    left, right = pair(True)
    send(left, b"plain")
    send(left, b"bears", [NULL])
    seen = []
    for _ in range(2):
        before = len(os.listdir("/proc/self/fd"))
        seen.append(receive(right, 0, socket.CMSG_SPACE(16), socket.MSG_PEEK))
        seen.append(len(os.listdir("/proc/self/fd")) - before)
        seen.append(receive(right))
    return seen


def reset():
    left, right = pair()
    send(right, b"never read")
    for data in (b"one", b"", b"three"):
        send(left, data)
    left.close()
    return [receive(right) for _ in range(5)]


def largest():
    left, _right = pair()
    room = left.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    return [send(left, b"x" * (room - 31)), send(left, b"x" * (room - 32)) == room - 32]


def gone():
    left, right = pair()
    right.close()
    return [receive(left), send(left, b"x"), send(left, b"x")]


print(
    json.dumps(
        {
            "plain": empty_and_end(False),
            "stamped": empty_and_end(True),
            "empty_with_descriptors": empty_with_descriptors(),
            "cut": cut(),
            "look": look(),
            "reset": reset(),
            "largest": largest(),
            "gone": gone(),
        }
    )
)
