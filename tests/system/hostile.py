"""A daemon of which some interfaces have a worker that means harm (the stand-in that
supervisor/testing/hostile_worker.c is), beside va and vb, which have real ones and traffic."""

import os
import re
import sqlite3
import tempfile
import threading
import time

from harness import BIN, Daemon, Namespace, Sender, run, wait_for
from requester import Requester

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(BIN)), "tests", "hostile")
LONG = os.environ.get("WEIR_TEST_LONG", "") not in ("", "0")
PACKETS = 7  # of each interval that the stand-in makes up; what it lies about is another


def rss(pid):
    """Resident memory of a process in bytes."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1]) * 1024


def settled_rss(pid):
    """The least within a second: a message that is just passing through does not count."""
    least = rss(pid)
    for _ in range(20):
        time.sleep(0.05)
        least = min(least, rss(pid))
    return least


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class Hostile:
    """One daemon; each trick has an interface of its own, called h-TRICK."""

    def __init__(self, tricks, rotate=(), extra=""):
        self.tricks = tricks
        self.ns = Namespace()
        self.ns.veth("va", "vb")
        self.scripts = tempfile.mkdtemp(prefix="weirh-")
        os.chmod(self.scripts, 0o755)
        for trick in tricks:
            name = self.name(trick)
            self.ns.ip("link", "add", name, "type", "veth", "peer", "name", "p-" + trick)
            self.ns.ip("link", "set", name, "up")
            with open(os.path.join(self.scripts, name), "w") as f:
                f.write(trick + "\n")
        self.daemon = Daemon(
            ["va", "vb"] + [self.name(trick) for trick in tricks], self.ns, start=False,
            extra=extra, env={"WEIR_LIBEXECDIR": PROGRAMS, "WEIR_HOSTILE_DIR": self.scripts,
                              "WEIR_HOSTILE_REAL": BIN})
        self.daemon.start(wait=False)
        self.daemon.wait_answers()
        self.good = {name: wait_for(lambda: self.active(name)) for name in ("va", "vb")}
        self.sender = Sender(self.ns, flows=500, pps=2000)
        self.sender.start()
        self.slowest = 0.0
        self.going = True
        self.threads = [threading.Thread(target=self.rotate, args=(trick,), daemon=True)
                        for trick in rotate]
        self.threads.append(threading.Thread(target=self.watch, daemon=True))
        for thread in self.threads:
            thread.start()

    @staticmethod
    def name(trick):
        return "h-" + trick

    @property
    def pid(self):
        return self.daemon.process.pid

    def active(self, name):
        status = self.daemon.now(name)
        return status.get("state") == "active" and status["pid"]

    def rotate(self, trick):
        """Intervals end all the time, or there would be nothing to lie about."""
        while self.going:
            requester = Requester(self.daemon.socket, timeout=30)
            try:
                requester.ask("rotate", ifaces=[self.name(trick)])
            except OSError:
                pass
            requester.close()
            time.sleep(0.3)

    def watch(self):
        """How long another client waits for what it wants to know of an honest worker."""
        requester = Requester(self.daemon.socket)
        while self.going:
            start = time.monotonic()
            if requester.ask("status", ifaces=["va"])["ifaces"]["va"]["worker"] is None:
                self.slowest = float("inf")
            self.slowest = max(self.slowest, time.monotonic() - start)
            time.sleep(0.05)
        requester.close()

    def status(self):
        ifaces = self.daemon.ask("status", ifaces=[self.name(t) for t in self.tricks])["ifaces"]
        return {trick: ifaces[self.name(trick)] for trick in self.tricks}

    def wait_restarts(self, tricks, least, seconds):
        def all_there():
            status = self.status()
            return all(status[trick]["restarts"] >= least for trick in tricks)
        wait_for(all_there, seconds)

    def log(self, trick):
        return [line for line in self.daemon.log_text().splitlines()
                if "[%s]" % self.name(trick) in line]

    def finish(self, test, orderly=True):
        """What holds whatever the hostile ones did. An orderly end waits for those who do
        not answer: that has a test of its own."""
        self.going = False
        sent = self.sender.stop()
        for name, pid in self.good.items():
            wait_for(lambda: self.daemon.packets(name) == sent)
            status = self.daemon.now(name)
            test.assertEqual((status["pid"], status["restarts"]), (pid, 0), name)
        # What the machine is busy with has its part in this: two cores, other tests.
        test.assertLess(self.slowest, 2.0)
        for thread in self.threads[:-1]:
            thread.join(30)
        for name, result in self.daemon.rotate("va", "vb").items():
            test.assertTrue(result["done"], (name, result))
        if orderly:
            self.daemon.stop(40)
        else:
            self.daemon.kill()
        db = sqlite3.connect(os.path.join(self.daemon.store, "weir.db"))
        stored = dict(db.execute("SELECT iface, sum(packets) FROM interval "
                                 "WHERE iface IN ('va', 'vb') GROUP BY iface"))
        strange = db.execute("SELECT iface, packets, bytes FROM interval WHERE iface LIKE 'h-%'"
                             " AND (packets % ? != 0 OR bytes != 100 * packets OR "
                             "packets != in_flows_packets)", (PACKETS,)).fetchall()
        db.close()
        test.assertEqual(stored, {"va": sent, "vb": sent})
        test.assertEqual(strange, [])

    def close(self):
        self.going = False
        self.sender.going = False
        self.daemon.close()
        self.ns.close()
        run("rm", "-r", self.scripts, check=False)
