"""Floods: packets from random addresses, far more of them than there is room for flows. What
is counted stays exact, memory stays flat, and what has no key any more is told. With
WEIR_TEST_LONG=1 also the hand-over of two million flows."""

import array
import ctypes
import os
import sqlite3
import struct
import subprocess
import threading
import time
import unittest

import msgpack

from harness import (BIN, Daemon, Namespace, SANITIZED, books_close, ethernet, ipv4, main,
                     need_root, udp, wait_for)
from hostile import LONG, rss

need_root()

FLAT = 1 << 20
FRAME = ethernet(ipv4("10.0.0.0", "192.0.2.1", 17, udp(40000, 53, b"x" * 18)))
SOURCE = 26  # where the source address is in it


class Frames:
    """Many frames one after the other, each after `gap` bytes, which differ in the source
    address alone."""

    def __init__(self, count, gap=b""):
        self.count = count
        self.stride = len(gap) + len(FRAME)
        self.data = bytearray((gap + FRAME) * count)
        self.at = len(gap) + SOURCE

    def set_sources(self, packed):
        """4 bytes for each."""
        for i in range(4):
            self.data[self.at + i::self.stride] = packed[i::4]


class Blaster:
    """Sends frames by the thousand with one system call: sendmmsg(2)."""

    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    class Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("name_len", ctypes.c_uint),
                    ("iov", ctypes.c_void_p), ("iov_len", ctypes.c_size_t),
                    ("control", ctypes.c_void_p), ("control_len", ctypes.c_size_t),
                    ("flags", ctypes.c_int), ("len", ctypes.c_uint)]

    BATCH = 1000

    def __init__(self, ns, iface, pps):
        self.sock = ns.packet_socket(iface)
        self.pps = pps
        self.sent = 0
        self.frames = Frames(self.BATCH)
        self.buffer = (ctypes.c_char * len(self.frames.data)).from_buffer(self.frames.data)
        base = ctypes.addressof(self.buffer)
        self.iov = (self.Iovec * self.BATCH)()
        self.messages = (self.Message * self.BATCH)()
        for i in range(self.BATCH):
            self.iov[i].base = base + i * self.frames.stride
            self.iov[i].len = self.frames.stride
            self.messages[i].iov = ctypes.addressof(self.iov[i])
            self.messages[i].iov_len = 1
        self.libc = ctypes.CDLL(None, use_errno=True)

    def send(self, sources):
        """One frame from each address; `sources` has 4 bytes for each, thousands of them."""
        start = time.monotonic()
        for at in range(0, len(sources), 4 * self.BATCH):
            self.frames.set_sources(sources[at:at + 4 * self.BATCH])
            first = 0
            while first < self.BATCH:
                n = self.libc.sendmmsg(
                    self.sock.fileno(), ctypes.byref(self.messages[first]),
                    self.BATCH - first, 0)
                if n < 0 and ctypes.get_errno() != 105:  # no buffers at the moment
                    raise OSError(ctypes.get_errno(), "sendmmsg")
                first += max(n, 0)
            self.sent += self.BATCH
            ahead = (at // 4 + self.BATCH) / self.pps - (time.monotonic() - start)
            if ahead > 0:
                time.sleep(ahead)

    def close(self):
        self.sock.close()


class Flood(unittest.TestCase):
    def test_five_million_packets_at_a_limit_of_100000_flows(self):
        """In file mode, where the worker is as fast as it can be."""
        limit, block, blocks = 100000, 50000, 20 if SANITIZED else 100
        answer_read, answer_write = os.pipe()
        input_read, input_write = os.pipe()
        stray = []

        def place():
            # Above the numbers that are taken here, and only then where they belong.
            stray[:] = [os.dup2(os.dup2(input_read, 60), 6), os.dup2(os.dup2(answer_write, 61), 7)]
        worker = subprocess.Popen(
            [os.path.join(BIN, "weir-worker"), "--read", "--books", "--flows", str(limit)],
            preexec_fn=place, pass_fds=(6, 7), stderr=subprocess.PIPE)
        os.close(input_read)
        os.close(answer_write)
        answer = bytearray()

        def collect():
            while True:
                more = os.read(answer_read, 65536)
                if not more:
                    break
                answer.extend(more)
        collector = threading.Thread(target=collect)
        collector.start()

        frames = Frames(block, struct.pack("<IIII", 1, 0, len(FRAME), len(FRAME)))
        keyed, in_overflow, memory = set(), 0, []
        with os.fdopen(input_write, "wb", buffering=0) as pipe:
            pipe.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
            for i in range(blocks):
                packed = os.urandom(4 * block)
                sources = array.array("I", packed)
                for at, source in enumerate(sources):
                    if len(keyed) == limit:
                        break
                    keyed.add(source)
                else:
                    at = block
                in_overflow += sum(source not in keyed for source in sources[at:])
                frames.set_sources(packed)
                view = memoryview(frames.data)
                while view:
                    view = view[pipe.write(view):]
                memory.append(rss(worker.pid))
        collector.join()
        os.close(answer_read)
        self.assertEqual(worker.wait(60), 0, worker.stderr.read())
        worker.stderr.close()

        size, = struct.unpack("!I", answer[:4])
        books = msgpack.unpackb(bytes(answer[4:4 + size]), strict_map_key=False)
        interval = books["interval"]
        packets = block * blocks
        self.assertEqual(books["error"], "")
        self.assertEqual(interval["books"]["packets"], packets)
        self.assertEqual(interval["books"]["bytes"], packets * len(FRAME))
        self.assertTrue(books_close(interval["books"]))
        self.assertEqual(interval["flows"], limit + 1)  # and what is left of the others
        self.assertEqual(interval["books"]["overflow"],
                         {"packets": in_overflow, "bytes": in_overflow * len(FRAME)})
        grown = memory[-1] - memory[blocks // 2]
        print("%d packets, %d of them without a key; memory %d KiB in the middle, %+d KiB "
              "after" % (packets, in_overflow, memory[blocks // 2] // 1024, grown // 1024))
        if not SANITIZED:
            self.assertLess(abs(grown), FLAT)

    def live(self, flows, packets):
        self.ns = Namespace()
        self.addCleanup(self.ns.close)
        self.ns.veth("va", "vb")
        self.daemon = Daemon(["va", "vb"], self.ns,
                             keys={"vb": {"flows": flows, "buffer": "64MiB"}})
        self.addCleanup(self.daemon.close)

    def test_a_flood_on_an_interface(self):
        """Its neighbour counts on, and the next interval has room again."""
        limit, packets = 10000, 300000
        self.live(limit, packets)
        blaster = Blaster(self.ns, "va", 60000)
        self.addCleanup(blaster.close)
        blaster.send(os.urandom(4 * 2 * limit))
        pid = self.daemon.now("vb")["pid"]
        wait_for(lambda: self.daemon.packets("vb") == blaster.sent)
        memory = rss(pid)
        blaster.send(os.urandom(4 * packets))
        wait_for(lambda: self.daemon.packets("vb") == blaster.sent)
        status = self.daemon.now("vb")
        interval = status["worker"]["interval"]
        self.assertEqual(interval["kernel"]["dropped"], 0)
        self.assertEqual(interval["books"]["bytes"], blaster.sent * len(FRAME))
        self.assertEqual(interval["flows"], limit + 1)
        # Of addresses that are drawn at random some come twice.
        self.assertAlmostEqual(interval["books"]["overflow"]["packets"], blaster.sent - limit,
                               delta=100)
        if not SANITIZED:
            self.assertLess(abs(rss(pid) - memory), FLAT)
        self.assertEqual(status["pid"], pid)
        shown = self.daemon.ctl("status", "vb").stdout
        self.assertIn("the limit of %d flows was reached" % limit, shown)
        done = self.daemon.rotate("vb")["vb"]
        self.assertTrue(done["done"])
        self.assertEqual(self.daemon.total("-i", "vb"), (blaster.sent,
                                                         blaster.sent * len(FRAME)))
        before = blaster.sent
        blaster.send(struct.pack("!1000I", *range(0x0a000001, 0x0a000001 + 1000)))
        wait_for(lambda: self.daemon.packets("vb") == 1000)
        interval = self.daemon.now("vb")["worker"]["interval"]
        self.assertEqual((interval["flows"], interval["books"]["overflow"]["packets"]),
                         (1000, 0))
        wait_for(lambda: self.daemon.packets("va") == before + 1000)

    @unittest.skipUnless(LONG, "half a minute (WEIR_TEST_LONG=1)")
    def test_two_million_flows_are_handed_over(self):
        """CHECKS 13.2: worker, supervisor, store; each of them once, none missing."""
        flows = 2000000
        self.live(4000000, flows)
        blaster = Blaster(self.ns, "va", 150000)
        self.addCleanup(blaster.close)
        for begin in range(0, flows, 100000):
            blaster.send(struct.pack("!100000I", *range(0x0a000000 + begin,
                                                        0x0a000000 + begin + 100000)))
        wait_for(lambda: self.daemon.packets("vb") == flows, 30)
        interval = self.daemon.now("vb")["worker"]["interval"]
        self.assertEqual((interval["flows"], interval["kernel"]["dropped"]), (flows, 0))
        pids = (self.daemon.process.pid, self.daemon.now("vb")["pid"],
                self.daemon.ask("status")["store"]["pid"])
        before = rss(pids[0])
        most = [0]
        going = [True]

        def watch():
            while going[0]:
                most[0] = max(most[0], rss(pids[0]))
                time.sleep(0.05)
        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.monotonic()
        done = self.daemon.ask("rotate", ifaces=["vb"])["ifaces"]["vb"]
        wait_for(lambda: self.daemon.now("vb")["waiting"] is None, 120)
        took = time.monotonic() - start
        going[0] = False
        watcher.join()
        print("2,000,000 flows handed over in %.1f s (%s); supervisor %+d KiB at most" %
              (took, done.get("error", "done"), (most[0] - before) // 1024))
        self.assertLess(most[0] - before, 16 << 20)  # a chunk or two, not the map
        self.assertEqual(self.daemon.total("-i", "vb"), (flows, flows * len(FRAME)))
        db = sqlite3.connect(os.path.join(self.daemon.store, "weir.db"))
        maps = db.execute("SELECT count(*) FROM map").fetchone()
        db.close()
        self.assertEqual(maps, (1,))
        rows = self.daemon.json("query", "-n", "0", "-i", "vb", "src")["rows"]
        self.assertEqual(len(rows), flows)
        self.assertEqual(len({row["src"] for row in rows}), flows)
        self.assertEqual({row["packets"] for row in rows}, {1})


if __name__ == "__main__":
    main()
