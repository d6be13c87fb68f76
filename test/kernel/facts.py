"""What the kernel does, seen without pillion: one observation a name, printed as JSON.

    python3 facts.py NAME...

Here is what our own interface cannot be made to do: small reads, short control buffers, plain reads.
test/kernel/facts.test.ts says what each observation has to be; nothing is judged here.
"""
import array
import errno
import fcntl
import json
import os
import resource
import select
import socket
import struct
import sys
import termios

observations = {}


def observation(function):
    observations[function.__name__] = function
    return function


def pair():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    left.setblocking(False)
    right.setblocking(False)
    return left, right


def send(sock, data, fds=()):
    """One sendmsg: the bytes that went, or the name of the error."""
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        return sock.sendmsg([data], control)
    except OSError as error:
        return errno.errorcode[error.errno]


def receive(sock, size=65536, control_bytes=4096):
    """One recvmsg: what came, its descriptors closed again; or the name of the error."""
    try:
        data, control, flags, _ = sock.recvmsg(size, control_bytes, socket.MSG_CMSG_CLOEXEC)
    except OSError as error:
        return errno.errorcode[error.errno]
    fds = array.array("i")
    for level, kind, body in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(body[: len(body) // 4 * 4])
    for fd in fds:
        os.close(fd)
    return {"bytes": data.decode("latin1"), "fds": len(fds), "truncated": bool(flags & socket.MSG_CTRUNC)}


def waiting(sock):
    """Bytes that can be received (FIONREAD)."""
    return struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, b"\0" * 4))[0]


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


NULL = os.open("/dev/null", os.O_RDONLY)


@observation
def merged():
    left, right = pair()
    send(left, b"A")
    send(left, b"B", [NULL])
    send(left, b"C")
    return [receive(right), receive(right)]


@observation
def short_reads():
    left, right = pair()
    send(left, b"abc", [NULL])
    send(left, b"defg", [NULL, NULL])
    return [receive(right, 1), receive(right, 3), receive(right, 9)]


@observation
def last_bytes():
    """For each read size, the send that the last byte of each set's recvmsg lies in; sends are 5 bytes each."""
    seen = {}
    for size in range(1, 21):
        left, right = pair()
        for number in (1, 2, 3, 4):
            # The number of descriptors says which send the set is from; send 3 has none.
            send(left, b"%d" % number * 5, [NULL] * number if number != 3 else [])
        sends = []
        while isinstance(message := receive(right, size), dict):
            if message["fds"]:
                sends.append([message["fds"], int(message["bytes"][-1])])
        seen[size] = sends
    return seen


@observation
def plain_read():
    left, right = pair()
    before = open_descriptors()
    send(left, b"first", [NULL])
    send(left, b"second")
    seen = [os.read(right.fileno(), 100).decode(), os.read(right.fileno(), 100).decode()]
    return {"reads": seen, "descriptors": open_descriptors() - before}


@observation
def stranded():
    left, right = pair()
    edges = select.epoll()
    edges.register(right.fileno(), select.EPOLLIN | select.EPOLLET)
    send(left, b"first", [NULL])
    send(left, b"second")
    first = edges.poll(1)
    message = receive(right, 100)
    return {"events": len(first), "message": message, "eventsAfter": len(edges.poll(0.1)), "waiting": waiting(right)}


def read_until_short(sock, edges, size=100):
    """What a reader gets that takes a short read for an empty queue, and waits for the next edge."""
    got = ""
    while edges.poll(0.1):
        while isinstance(message := receive(sock, size), dict):
            got += message["bytes"]
            if len(message["bytes"]) < size:
                break
    return got


@observation
def trapped():
    """The trusting reader before each kind of boundary: what it gets, and what waits for ever."""
    seen = {}
    for kind in ("descriptors", "credentials", "end"):
        left, right = pair()
        edges = select.epoll()
        edges.register(right.fileno(), select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        if kind == "credentials":
            right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            send(left, b"first")
            if (child := os.fork()) == 0:
                send(left, b"second")
                os._exit(0)
            os.waitpid(child, 0)
        elif kind == "descriptors":
            send(left, b"first", [NULL])
            send(left, b"second")
        else:
            send(left, b"first")
            left.shutdown(socket.SHUT_WR)
        got = read_until_short(right, edges)
        seen[kind] = {"got": got, "waiting": waiting(right), "behind": receive(right)}
    return seen


@observation
def most_descriptors():
    left, right = pair()
    return {"254": send(left, b"x", [NULL] * 254), "253": send(left, b"x", [NULL] * 253), "received": receive(right)}


@observation
def short_control():
    left, right = pair()
    before = open_descriptors()
    send(left, b"tail", [NULL] * 9)
    messages = [receive(right, 2, socket.CMSG_LEN(4 * 4)), receive(right, 100)]
    return {"messages": messages, "after": receive(right), "descriptors": open_descriptors() - before}


@observation
def padding():
    left, right = pair()
    seen = {}
    for room in (1, 2, 3, 4):
        send(left, b"x", [NULL] * 6)
        seen[room] = receive(right, 10, socket.CMSG_SPACE(4 * room))["fds"]
    return seen


@observation
def full_table():
    left, right = pair()
    seen = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for free in range(0, 6):
        # The lowest free numbers are the next ones given out.
        probe = [os.dup(NULL) for _ in range(free + 1)]
        for fd in probe:
            os.close(fd)
        send(left, b"data", [NULL] * 5)
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe[free], hard))
        seen.append(receive(right))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return seen


@observation
def credentials_first():
    left, right = pair()
    space = socket.CMSG_SPACE(4 * 253)
    seen = {}
    for name, extra in (("alone", 0), ("room", socket.CMSG_SPACE(12))):
        right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        send(left, b"x", [NULL] * 253)
        seen[name] = receive(right, 10, space + extra)
    return seen


@observation
def empty_send():
    left, right = pair()
    before = open_descriptors()
    copy = os.dup(NULL)
    sent = send(left, b"", [copy])
    os.close(copy)
    return {"sent": sent, "received": receive(right), "descriptors": open_descriptors() - before}


@observation
def large_send():
    left, right = pair()
    sent = send(left, b"z" * 1_000_000, [NULL])
    messages = []
    while isinstance(message := receive(right, 2_000_000), dict):
        messages.append([len(message["bytes"]), message["fds"]])
    # What failed has sent none: the descriptor comes with the next send, once.
    while isinstance(send(left, b"y" * 1000), int):
        pass
    refused = send(left, b"x", [NULL])
    late = 0
    while isinstance(message := receive(right, 2_000_000), dict):
        late += message["fds"]
    return {"sent": sent, "messages": messages, "refused": refused, "late": late}


@observation
def small_sends():
    left, _right = pair()
    count = 0
    while isinstance(send(left, b"1"), int):
        count += 1
    left, _right = pair()
    gathered = send(left, b"1" * 100_000)
    return {"sends": count, "gathered": gathered}


@observation
def shared_flags():
    left, right = pair()
    end, _end = pair()
    send(left, b"x", [end.fileno()])
    _, control, _, _ = right.recvmsg(10, 4096)
    fds = array.array("i", control[0][2])
    before = os.get_blocking(end.fileno())
    os.set_blocking(fds[0], True)
    os.close(fds[0])
    return {"before": before, "after": os.get_blocking(end.fileno())}


@observation
def closed_by_peer():
    left, right = pair()
    send(left, b"last", [NULL])
    left.close()
    return [receive(right), receive(right)]


@observation
def closed_with_input():
    left, right = pair()
    send(right, b"never read")
    send(left, b"last", [NULL])
    left.close()
    return [receive(right), receive(right), receive(right)]


@observation
def queued_and_closed():
    left, right = pair()
    watched, kept = os.pipe()
    send(left, b"queued", [kept])
    os.close(kept)
    os.set_blocking(watched, False)
    seen = {}
    # A pipe says whether anybody still holds its other end: EAGAIN as long as there is one.
    try:
        os.read(watched, 1)
    except BlockingIOError:
        seen["queued"] = "open"
    right.close()
    left.close()
    seen["closed"] = "open" if os.read(watched, 1) else "closed"
    return seen


print(json.dumps({name: observations[name]() for name in sys.argv[1:]}))
