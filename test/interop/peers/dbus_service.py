"""A service on a bus, by python3-dbus, which is libdbus: takes descriptors, gives some, and says what it saw.

Descriptors are memfds of 4 bytes, a number (test/support/tokens.ts makes and reads the same). The address of the bus is
the first argument; `direct ADDRESS` connects without a bus instead, and calls. Lines go to the standard output.
"""
import ctypes
import os
import struct
import sys

import dbus
import dbus.bus
import dbus.connection
import dbus.mainloop.glib
import dbus.service

NAME = "dev.pillion.Peer"
PATH = "/dev/pillion/Peer"


def token(number):
    fd = os.memfd_create("token")
    os.pwrite(fd, struct.pack("<I", number), 0)
    return fd


def number_of(unix_fd):
    fd = unix_fd.take()
    try:
        return struct.unpack("<I", os.pread(fd, 4, 0))[0]
    finally:
        os.close(fd)


def give(first, count):
    fds = [token(first + i) for i in range(count)]
    given = dbus.Array([dbus.types.UnixFd(fd) for fd in fds], signature="h")  # duplicates
    for fd in fds:
        os.close(fd)
    return given


def open_count():
    return len(os.listdir("/proc/self/fd"))


class Peer(dbus.service.Object):
    messages = descriptors = misassigned = lost = 0

    def count(self, expected, fds):
        self.messages += 1
        numbers = [number_of(fd) for fd in fds]
        self.descriptors += len(numbers)
        self.misassigned += sum(1 for one, other in zip(numbers, expected) if one != other)
        self.lost += max(0, len(expected) - len(numbers))

    @dbus.service.method(NAME, in_signature="u", out_signature="u")
    def Plain(self, number):
        self.count([], [])
        return number

    @dbus.service.method(NAME, in_signature="auah", out_signature="")
    def Take(self, numbers, fds):
        self.count([int(number) for number in numbers], fds)

    @dbus.service.method(NAME, in_signature="uu", out_signature="ah")
    def Give(self, first, count):
        self.count([], [])
        return give(first, count)

    @dbus.service.method(NAME, in_signature="", out_signature="uuuuu")
    def Seen(self):
        return self.messages, self.descriptors, self.misassigned, self.lost, open_count()


class Login(dbus.service.Object):
    """As much of logind as an inhibitor lock is: the lock is held until its pipe has no writer any more."""

    @dbus.service.method("org.freedesktop.login1.Manager", in_signature="ssss", out_signature="h")
    def Inhibit(self, what, who, why, mode):
        reading, writing = os.pipe()
        print("inhibited", what, who, mode, flush=True)

        def released(*_):
            print("released", who, flush=True)
            os.close(reading)
            return 0

        watch(reading, released)
        lock = dbus.types.UnixFd(writing)
        os.close(writing)
        return lock


glib = ctypes.CDLL("libglib-2.0.so.0")  # there with python3-dbus; python3-gi need not be
WATCHER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
glib.g_main_loop_new.restype = ctypes.c_void_p
glib.g_main_loop_run.argtypes = [ctypes.c_void_p]
watchers = []


def watch(fd, callback):
    watchers.append(WATCHER(callback))
    hung_up = 16
    glib.g_unix_fd_add_full(0, fd, hung_up, watchers[-1], None, None)


def serve(address):
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)
    objects = [Peer(bus, PATH), Login(bus, "/org/freedesktop/login1")]
    names = [dbus.service.BusName(name, bus) for name in (NAME, "org.freedesktop.login1")]
    print("ready", open_count(), flush=True)
    glib.g_main_loop_run(glib.g_main_loop_new(None, 0))
    del objects, names


def direct(address, rounds):
    """Calls over a connection to the other side itself: what it gives back is what it was sent."""
    connection = dbus.connection.Connection(address)
    peer = dbus.Interface(connection.get_object(None, PATH, introspect=False), NAME)
    before = open_count()
    descriptors = misassigned = lost = 0
    for i in range(rounds):
        if i % 8 < 7:
            misassigned += int(peer.Plain(dbus.UInt32(i))) != i
            continue
        count = i // 8 % 16 + 1
        sent = list(range(16 * i, 16 * i + count))
        came = [number_of(fd) for fd in peer.Echo(give(16 * i, count))]
        descriptors += len(came)
        misassigned += sum(1 for one, other in zip(came, sent) if one != other)
        lost += max(0, count - len(came))
    print(descriptors, misassigned, lost, open_count() - before, flush=True)


if sys.argv[1] == "direct":
    direct(sys.argv[2], int(sys.argv[3]))
else:
    serve(sys.argv[1])
