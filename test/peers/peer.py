"""The other end, written without pillion: does as it is told on a socket, and says what it saw.

This process is where the peers come from: for each frame on descriptor 3 it forks one. The frame's payload is a list of
steps, its descriptors the peer's socket and one to talk over with the test, in frames of JSON. The descriptors that
peers send are memfds of 4 bytes, a number (test/support/tokens.ts makes and reads the same).
"""
import array
import errno
import json
import os
import random
import resource
import select
import signal
import socket
import struct

sock = None
control = None
tokens = {}


def token(number):
    if number not in tokens:
        tokens[number] = os.memfd_create("token")
        os.pwrite(tokens[number], struct.pack("<I", number), 0)
    return tokens[number]


def answer(value):
    payload = json.dumps(value).encode()
    control.sendall(struct.pack("<IHBB", len(payload), 0, 0, 0xF1) + payload)


def send(text, numbers=()):
    """One sendmsg, and plain ones for what the first did not take."""
    data = text.encode("latin1")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", map(token, numbers)))] if numbers else []
    sent = sock.sendmsg([data], rights)
    if sent < len(data):
        sock.sendall(data[sent:])


def flood(text, numbers, most):
    """The same send again and again, until it fails; how often it went, and why it ended."""
    for count in range(most):
        try:
            send(text, numbers)
        except OSError as error:
            answer([count, errno.errorcode[error.errno]])
            return
    answer([most, None])


def say(value):
    answer(value)


def wait():
    """Until the test says something, or goes."""
    control.recv(4096)


def await_input():
    select.select([sock], [], [])


def end():
    sock.shutdown(socket.SHUT_WR)


def close():
    sock.close()


def receive(seed):
    """All frames until the end of the stream, in reads of random sizes: [payload, tokens] each; then how it ended.

    The rule by which a set finds its frame is here in a second form, from a list of all bytes and all sets.
    """
    sizes = random.Random(seed)
    stream = b""
    sets = []
    ending = None
    while True:
        size = sizes.choice([1, 2, 3, 7, 8, 9, 100, 4096, 70_000])
        try:
            data, control, flags, _ = sock.recvmsg(size, socket.CMSG_SPACE(4 * 253), socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            ending = errno.errorcode[error.errno]
            break
        numbers = []
        for level, kind, body in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(body[: len(body) // 4 * 4])
                for fd in fds:
                    numbers.append(struct.unpack("<I", os.pread(fd, 4, 0))[0])
                    os.close(fd)
        if flags & socket.MSG_CTRUNC:
            ending = "truncated"
        stream += data
        if numbers:
            sets.append([len(stream) - 1, numbers])
        if not data:
            break
    frames = []
    starts = []
    at = 0
    while at < len(stream):
        length, count, _flags, mark = struct.unpack_from("<IHBB", stream, at)
        assert mark == 0xF1 and at + 8 + length <= len(stream)
        frames.append([stream[at + 8 : at + 8 + length].decode("latin1"), []])
        starts.append([at, count])
        at += 8 + length
    for last, numbers in sets:
        owner = max(i for i, (start, count) in enumerate(starts) if count > 0 and start <= last)
        frames[owner][1] += numbers
    assert all(len(frame[1]) == count for frame, (_, count) in zip(frames, starts))
    answer({"frames": frames, "sets": [len(numbers) for _, numbers in sets], "ending": ending})


def busy_frame(number):
    """The sends of a frame of a busy peer; its number says what it bears and how large it is."""
    count = 300 if number % 37 == 36 else number % 5
    payload = b"%d " % number + b"x" * (number * 7919 % 20_000)
    data = struct.pack("<IHBB", len(payload), count, 0, 0xF1) + payload
    fds = [token((number + k) % 16) for k in range(count)]
    if count > 253:
        return [(data[:1], fds[:253]), (data[1:], fds[253:])]
    return [(data, fds)]


def busy():
    """Sends frames and reads whatever comes, as fast as either goes, until it is killed."""
    answer(os.getpid())
    sock.setblocking(False)
    number = 0
    sends = []
    while True:
        readable, writable, _ = select.select([sock], [sock], [])
        if readable:
            data, fds, _, _ = socket.recv_fds(sock, 65536, 253)
            for fd in fds:
                os.close(fd)
            if not data:
                return
        if writable:
            if not sends:
                sends = busy_frame(number)
                number += 1
            data, fds = sends.pop(0)
            try:
                sent = socket.send_fds(sock, [data], fds) if fds else sock.send(data)
                if sent < len(data):
                    sends.insert(0, (data[sent:], []))
            except BlockingIOError:
                sends.insert(0, (data, fds))


steps = {f.__name__: f for f in (busy, send, flood, say, wait, await_input, end, close, receive)}


def live(todo):
    try:
        for name, *arguments in todo:
            steps[name](*arguments)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the test has gone


def next_frame(nursery):
    """The payload and the descriptors of a frame; None at the end."""
    header, fds, _, _ = socket.recv_fds(nursery, 8, 2)
    if not header:
        return None
    length = struct.unpack("<IHBB", header)[0]
    return nursery.recv(length, socket.MSG_WAITALL), fds


def serve():
    global sock, control
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    nursery = socket.socket(fileno=3)
    nursery.setblocking(True)
    while frame := next_frame(nursery):
        payload, fds = frame
        if os.fork() == 0:
            nursery.close()
            sock, control = (socket.socket(fileno=fd) for fd in fds)
            sock.setblocking(True)
            control.setblocking(True)
            live(json.loads(payload))
            os._exit(0)
        for fd in fds:
            os.close(fd)


serve()
