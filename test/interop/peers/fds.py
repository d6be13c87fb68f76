"""The other end of a socket, by Python's own socket.send_fds and socket.recv_fds: fds.py SEND|RECEIVE RAW|PREFIXED|MESSAGES COUNT

Message i is a line, `i xxx…`, in the form `prefixed` behind its length as 4 big-endian bytes, in the form `messages` as one of a SOCK_SEQPACKET. Its descriptors are memfds
of 4 bytes, a number: 256 i, 256 i + 1, and so on (test/support/tokens.ts makes and reads the same). The socket is
descriptor 3. What it counted is printed in the end: descriptors, misassigned, lost, leaked.
"""
import os
import socket
import struct
import sys

direction, form, total = sys.argv[1], sys.argv[2], int(sys.argv[3])
sock = socket.socket(fileno=3)
sock.setblocking(True)
at_start = len(os.listdir("/proc/self/fd"))
descriptors = misassigned = lost = 0


def content(i):
    return b"%d %s\n" % (i, b"x" * (200_000 if i % 25 == 19 else i * 7919 % 5_003))


def numbers_of(i):
    if form == "raw" and i % 2 == 1 or form != "raw" and i % 4 != 3:
        return []
    return [256 * i + k for k in range(253 if i % 200 == 199 or i % 200 == 100 else i % 33 + 1)]


def token(number):
    fd = os.memfd_create("token")
    os.pwrite(fd, struct.pack("<I", number), 0)
    return fd


def check(i, fds):
    """The descriptors that came with message i, all of them; closed."""
    global descriptors, misassigned, lost
    expected = numbers_of(i)
    came = [struct.unpack("<I", os.pread(fd, 4, 0))[0] for fd in fds]
    for fd in fds:
        os.close(fd)
    descriptors += len(came)
    lost += max(0, len(expected) - len(came))
    misassigned += sum(1 for k, number in enumerate(came) if k >= len(expected) or expected[k] != number)


def send():
    global descriptors
    for i in range(total):
        data = content(i)
        if form == "prefixed":
            data = struct.pack(">I", len(data)) + data
        fds = [token(number) for number in numbers_of(i)]
        sent = socket.send_fds(sock, [data], fds) if fds else 0
        if sent < len(data):  # of nothing, Python would make an empty message
            sock.sendall(data[sent:])
        for fd in fds:
            os.close(fd)
        descriptors += len(fds)


def receive_prefixed():
    """Descriptors come with the first bytes of a message: recv_fds as far as its length, recv for the rest."""
    for i in range(total):
        head, came = b"", []
        while len(head) < 4:
            data, fds, flags, _ = socket.recv_fds(sock, 4 - len(head), 253)
            if not data:
                sys.exit("the stream has ended within a message")
            head += data
            came += fds
        body = sock.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)
        if body != content(i):
            sys.exit("message %d is not what it must be" % i)
        check(i, came)


def receive_messages():
    """Descriptors come with their message, which comes whole."""
    for i in range(total):
        data, fds, flags, _ = socket.recv_fds(sock, 300_000, 253)
        if data != content(i) or flags & socket.MSG_TRUNC:
            sys.exit("message %d is not what it must be" % i)
        check(i, fds)


def receive_raw():
    """Descriptors belong to the line in which the data of their recv_fds ends."""
    stream, came = bytearray(), {}
    lines = 0
    while True:
        data, fds, flags, _ = socket.recv_fds(sock, 65_536, 253)
        if not data:
            break
        stream += data
        lines += data.count(b"\n")
        if fds:
            came.setdefault(lines - data.endswith(b"\n"), []).extend(fds)
    if stream != b"".join(map(content, range(total))):
        sys.exit("the stream is not what it must be")
    for i in range(total):
        check(i, came.pop(i, []))


if direction == "send":
    send()
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)  # until the other end has gone: a close with input unread would be a reset
elif form == "raw":
    receive_raw()
elif form == "messages":
    receive_messages()
else:
    receive_prefixed()
print(descriptors, misassigned, lost, len(os.listdir("/proc/self/fd")) - at_start, flush=True)
