"""What the tests of faults share: programs that die or dawdle when a test says so, a sender
of its own process, and what the store holds, straight from its database."""

import ctypes
import mmap
import os
import sqlite3
import subprocess

from harness import BIN, Daemon, ethernet, ipv4, run, udp
from live import Live

HERE = os.path.dirname(os.path.abspath(__file__))

# Places in the page that the test shares with fault_shim.c and fault_launcher.c.
STEPS, DIE_AT, SLOW, SLOW_MS, DEATHS = range(5)
ADOPTERS_DIE, MEMORY_MIB = 16, 17


def compile_c(source, output, *options):
    run("cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", output, *options,
        os.path.join(HERE, source))


class Control:
    """The page, as an array of numbers."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(bytes(4096))
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 4096)
        self.numbers = (ctypes.c_uint32 * 1024).from_buffer(self.page)

    def __getitem__(self, place):
        return self.numbers[place]

    def __setitem__(self, place, number):
        self.numbers[place] = number


def flood(ns, directory, iface, flows, size, pps, count):
    """A process that sends (flood.c); its output is what it has sent."""
    program = os.path.join(directory, "flood")
    if not os.path.exists(program):
        compile_c("flood.c", program)
    return subprocess.Popen(ns.prefix() + [program, iface] +
                            [str(n) for n in (flows, size, pps, count)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def flooded(process):
    """Waits for its end (and asks for it): packets sent, packets per second."""
    sent, seconds = process.communicate()[0].split()
    return int(sent), int(sent) / max(float(seconds), 0.001)


class Faults(Live):
    def start_with_faults(self, *ifaces, store_shim=True, **kwargs):
        """A daemon whose programs do as self.control says."""
        self.daemon = Daemon(ifaces, self.ns, start=False, **kwargs)
        directory = os.path.join(self.daemon.dir, "programs")
        os.mkdir(directory)
        control = os.path.join(directory, "control")
        self.control = Control(control)
        shim = ""
        if store_shim:
            shim = os.path.join(directory, "shim.so")
            compile_c("fault_shim.c", shim, "-shared", "-fPIC")
        for name, preload in (("weir-store", shim), ("weir-worker", "")):
            compile_c("fault_launcher.c", os.path.join(directory, name),
                      '-DREAL_PROGRAM="%s"' % os.path.join(os.path.abspath(BIN), name),
                      '-DREAL_PRELOAD="%s"' % preload)
        self.daemon.env.update(WEIR_LIBEXECDIR=directory, WEIR_FAULT_CONTROL=control)
        self.daemon.start()

    def rows(self, name, columns="packets, bytes, flows"):
        """The intervals of an interface in which something was counted, oldest first."""
        path = os.path.join(self.daemon.store, "weir.db")
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=20)
        try:
            return db.execute("SELECT %s FROM interval WHERE iface = ? AND packets > 0 "
                              "ORDER BY id" % columns, (name,)).fetchall()
        finally:
            db.close()

    def in_store(self, name):
        return sum(row[0] for row in self.rows(name, "packets"))

    def running(self, name):
        return self.daemon.packets(name)

    def all_handed_over(self, *names):
        status = self.daemon.ask("status", ifaces=list(names))["ifaces"]
        return all(i["waiting"] is None and i["worker"] and i["worker"]["frozen"] is None
                   for i in status.values())


def frame_from(number, size=60):
    """A UDP packet of a flow of its own."""
    source = "10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255)
    return ethernet(ipv4(source, "10.255.0.1", 17,
                         udp(40000, 53, bytes(size - 14 - 20 - 8))))
