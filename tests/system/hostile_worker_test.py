"""Workers that lie: each loses its process, is started again, and is named with the reason in
the log and in status. The supervisor's memory, the other interfaces and the store do not
notice. With WEIR_TEST_LONG=1 each lies twenty times."""

import os
import re
import socket
import struct
import subprocess
import time
import unittest

from harness import CLIENT_GROUP, SANITIZED, WORKER_USER, main, need_root, setns, wait_for
from hostile import LONG, Hostile, descriptors, rss, settled_rss

need_root()

GROWS_LESS = 1 << 20
KILLED = r"signal 9 \(Killed\): "
BREAKS = KILLED + "its answer breaks the protocol"


class HostileWorker(unittest.TestCase):
    def setUp(self):
        self.hostile = None
        self.begin = time.monotonic()

    def tearDown(self):
        if self.hostile:
            self.hostile.close()
        print("%.1f s" % (time.monotonic() - self.begin))

    def lie(self, expected, rotate=(), slow=(), warm=1, times=4, seconds=40):
        """Each trick of `expected` is played until its worker has lost `times` processes,
        each time as the regular expression says; those of `slow` die so soon that the next
        one is put off, and need not lose so many."""
        if LONG:
            warm, times, seconds = 4, 24, 200
        self.hostile = Hostile(list(expected), rotate=rotate)
        self.hostile.wait_restarts(expected, warm, seconds)
        memory, files = settled_rss(self.hostile.pid), descriptors(self.hostile.pid)
        self.hostile.wait_restarts(set(expected) - set(slow), times, seconds)
        grown = settled_rss(self.hostile.pid) - memory
        print("%d interfaces, %d processes each: memory %+d KiB at %d KiB, slowest status "
              "%.0f ms" % (len(expected), times, grown // 1024, memory // 1024,
                           self.hostile.slowest * 1000))
        if not SANITIZED:
            self.assertLess(grown, GROWS_LESS)
        # Each process has a handful, and for a moment there are two of them.
        self.assertLess(descriptors(self.hostile.pid) - files, 10 * len(expected))
        for trick, status in self.hostile.status().items():
            self.assertRegex(status["last_exit"], "^%s$" % expected[trick], trick)
            told = "\n".join(self.hostile.log(trick))
            self.assertRegex(told, "ended with " + expected[trick] if "exit code 0" not in
                             expected[trick] else "has died", trick)
        self.hostile.finish(self)
        if "heir" in expected:  # what it has left behind is gone
            self.assertIn("was left behind", self.hostile.daemon.log_text())

    def test_what_is_no_answer_to_what_was_asked(self):
        malformed = KILLED + "its answer to status is malformed"
        unasked = KILLED + "it answers what it was not asked"
        # Who is hung up on by the library ends by itself; so does the stand-in.
        hung_up = "exit code 0"
        self.lie({"dd": BREAKS, "df": BREAKS, "deep": BREAKS, "deepin": BREAKS,
                  "empty": BREAKS, "random": BREAKS, "type": BREAKS, "request": BREAKS,
                  "version": BREAKS, "state": malformed, "lastnum": malformed,
                  "toolong": hung_up, "length": hung_up, "tooshort": hung_up,
                  "kind": hung_up, "half": "(%s|%s)" % (hung_up, KILLED + ".*"),
                  "halfexit": hung_up, "unasked": unasked, "twice": unasked,
                  "mbytes": unasked}, slow=["lastnum"])

    def test_processes_that_do_not_end_as_they_should(self):
        self.lie({"exit": "exit code 3", "abort": r"signal 6 \(Aborted\)",
                  "exitans": "exit code 0", "exit0": "exit code 3",
                  "close": KILLED + "it has closed its pipe and lives on",
                  "linewr": KILLED + "it wrote into its lifeline",
                  "lineend": r"signal 9 \(Killed\)", "heir": "exit code 0",
                  "heirtalk": "exit code 0"}, slow=["exit0"])

    def test_rotations_and_chunks_that_are_malformed(self):
        rotate = KILLED + "its answer to rotate is malformed"
        fetch = KILLED + "its answer to fetch is malformed"
        expected = {"noint": rotate, "file": rotate, "labels": rotate, "stuck": fetch,
                    "cursor": fetch, "endless": fetch, "large": fetch, "nochunk": fetch,
                    "exitrot": "exit code 3", "exitfet": "exit code 3"}
        self.lie(expected, rotate=list(expected))

    def test_maps_that_the_store_refuses(self):
        """They cost their own interface its map, and the store nothing."""
        why = {"books": "books do not close", "obooks": "out of range",
               "flows": "more than a worker can have", "trash": "not made of flow records",
               "sums": "the flows add up to 7000 packets", "more": "more flow records than"}
        self.hostile = Hostile(list(why), rotate=list(why))
        for trick in why:
            wait_for(lambda: why[trick] in
                     (self.hostile.status()[trick]["waiting"] or {}).get("why", ""))
        self.hostile.finish(self, orderly=False)

    def test_nonsense_that_is_well_formed(self):
        """It is shown, as far as it can be, and does nothing."""
        self.hostile = Hostile(["absurd", "errtext", "refuse", "busy", "second"],
                               rotate=["refuse", "busy"])
        daemon = self.hostile.daemon
        wait_for(lambda: daemon.now("h-errtext")["state"] == "error")
        worker = wait_for(lambda: (daemon.now("h-absurd")["worker"] or {}).get("interval", {})
                          .get("flows") == (1 << 64) - 1 and daemon.now("h-absurd")["worker"])
        self.assertEqual(worker["total"], {})  # no number is not a number
        self.assertLessEqual(len(worker["reason_text"]), 800)
        before = rss(self.hostile.pid)
        for _ in range(20):
            for output in ("table", "json", "csv"):
                done = daemon.ctl("-o", output, "status", check=False)
                self.assertIn(done.returncode, (0, 1, 4))
                self.assertNotIn("\x1b", done.stdout + done.stderr)
        if not SANITIZED:
            self.assertLess(rss(self.hostile.pid) - before, GROWS_LESS)
        self.assertNotIn("\x1b", daemon.log_text())
        for trick in ("busy", "second"):
            self.assertEqual(self.hostile.status()[trick]["restarts"], 0)
        wait_for(lambda: "it has a pipe, or had one" in "".join(self.hostile.log("second")))
        self.hostile.finish(self, orderly=False)

    def test_workers_that_answer_late_or_not_at_all(self):
        silent = KILLED + "it answers pings and nothing else"
        missed = KILLED + "it missed a deadline and does not answer a ping"
        expected = {"mute": missed, "pingonly": silent, "late": "(%s|%s)" % (silent, missed)}
        if LONG:
            expected["silent"] = missed  # has half a minute for its first answer
        self.hostile = Hostile(list(expected))
        self.hostile.wait_restarts(expected, 1, 60)
        for trick, status in self.hostile.status().items():
            self.assertRegex(status["last_exit"], "^%s$" % expected[trick], trick)
        self.hostile.finish(self, orderly=False)

    @unittest.skipUnless(LONG, "20 s of waiting (WEIR_TEST_LONG=1)")
    def test_the_end_waits_so_long_for_those_who_do_not_answer(self):
        self.hostile = Hostile(["mute", "refuse"], rotate=["refuse"])
        wait_for(lambda: "was refused" in "".join(self.hostile.log("refuse")))
        wait_for(lambda: self.hostile.status()["mute"]["worker"] is None)
        start = time.monotonic()
        self.hostile.finish(self)
        self.assertLess(time.monotonic() - start, 35)

    def test_a_worker_that_writes_without_end_to_its_log(self):
        self.hostile = Hostile(["loud"], extra="log: udp")
        server = self.server()
        before = rss(self.hostile.pid)
        lines = 0
        size = 0
        for _ in range(200):
            try:
                text = server.recv(65536)
            except TimeoutError:
                break
            if b"h-loud" in text:
                lines += 1
                size = max(size, len(text))
                self.assertNotIn(b"\x1b", text)
                self.assertIsNone(re.search(rb"[\x00-\x1f\x7f]", text))
        server.close()
        self.assertIn(lines, range(1, 200))
        self.assertLess(size, 4096)
        if not SANITIZED:
            self.assertLess(rss(self.hostile.pid) - before, GROWS_LESS)
        self.assertEqual(self.hostile.status()["loud"]["restarts"], 0)
        self.hostile.finish(self)

    def server(self):
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.hostile.ns.name, os.O_RDONLY)
        try:
            setns(there)
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind(("127.0.0.1", 514))
        finally:
            setns(here)
            os.close(here)
            os.close(there)
        server.settimeout(1.0)
        return server

    def test_a_stranger_at_the_socket_of_a_worker_is_refused(self):
        """Whoever he is: before the worker has dialled, while it lives, of its own user."""
        self.hostile = Hostile(["silent"])
        daemon = self.hostile.daemon
        sockets = os.path.join(daemon.runtime, "worker")
        paths = [os.path.join(sockets, name) for name in os.listdir(sockets)]
        self.assertEqual(len(paths), 3)
        for path in paths:
            for user in (0, WORKER_USER):
                done = subprocess.run(
                    ["/usr/bin/python3", "-c", STRANGER, path], user=user, group=user,
                    extra_groups=[], stdout=subprocess.PIPE, text=True, timeout=20)
                self.assertEqual(done.stdout, "hung up\n", (path, user))
            # Others cannot even connect.
            for user, group in ((61008, 61008), (61008, CLIENT_GROUP)):
                done = subprocess.run(
                    ["/usr/bin/python3", "-c", STRANGER, path], user=user, group=group,
                    extra_groups=[], stdout=subprocess.PIPE, text=True, timeout=20)
                self.assertEqual(done.stdout, "not allowed\n", (path, user, group))
        self.assertGreaterEqual(daemon.log_text().count("not the one started"), 6)
        self.assertEqual(self.hostile.status()["silent"]["restarts"], 0)
        self.hostile.finish(self, orderly=False)


# Says that it is an answerer, as a worker does, and waits for questions.
STRANGER = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.settimeout(5)
try:
    s.connect(sys.argv[1])
except PermissionError:
    sys.exit(print("not allowed"))
try:
    s.sendall(b"\0SP\0\0\x31\0\0")
    data = b""
    while True:
        more = s.recv(4096)
        if not more:
            break
        data += more
except ConnectionError:
    pass
print("hung up" if len(data) <= 8 else "was asked: %r" % data)
"""


if __name__ == "__main__":
    main()
