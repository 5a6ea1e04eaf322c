"""The long run: three interfaces under traffic, a rotation every ten seconds, a worker killed
every minute and the store every five. In the end every packet that was sent is in the store
or in a loss that has a name, and no process has grown.

    make soak MINUTES=30, or: /usr/bin/python3 tests/system/soak.py MINUTES
"""

import os
import signal
import sqlite3
import statistics
import sys
import time

from faults import flood, flooded
from harness import Daemon, Namespace, need_root, wait_for

IFACES = ["sa", "sb", "sc"]
PPS = 50000 // len(IFACES)
FLOWS = 10000
SIZE = 100
WORKER_S = 60
STORE_S = 300
SAMPLE_S = 5
GROWTH_KB = 1024


def usage(pid):
    """(resident KiB, descriptors, threads) of a process; None when it has just ended."""
    try:
        with open("/proc/%d/status" % pid) as f:
            fields = dict(line.split(":", 1) for line in f)
        return (int(fields["VmRSS"].split()[0]), len(os.listdir("/proc/%d/fd" % pid)),
                int(fields["Threads"]))
    except (OSError, KeyError):
        return None


class Soak:
    def __init__(self, minutes):
        self.seconds = minutes * 60
        self.ns = Namespace()
        for name in IFACES:
            self.ns.veth(name + "0", name)
        self.daemon = Daemon(IFACES, self.ns, rotation="10s")
        self.samples = {}
        self.kills = {"worker": 0, "store": 0}
        self.faults = []

    def status(self):
        """Asked anew when it was shown out, which may happen to idle clients."""
        if self.daemon.process.poll() is not None:
            raise AssertionError("the daemon ended: " + self.daemon.log_text()[-2000:])
        try:
            return self.daemon.ask("status")
        except (OSError, RuntimeError):
            return self.daemon.ask("status")

    def pids(self, status):
        pids = {name: status["ifaces"][name]["pid"] for name in IFACES}
        pids["store"] = status["store"]["pid"]
        pids["supervisor"] = self.daemon.process.pid
        return pids

    def sample(self, status):
        for role, pid in self.pids(status).items():
            used = usage(pid) if pid else None
            if used:
                self.samples.setdefault(role, []).append(used)

    def run(self):
        senders = [flood(self.ns, self.daemon.dir, name + "0", FLOWS, SIZE, PPS, 0)
                   for name in IFACES]
        begin = time.monotonic()
        next_worker, next_store, next_sample = WORKER_S, STORE_S, SAMPLE_S
        while (passed := time.monotonic() - begin) < self.seconds:
            status = self.status()
            if passed >= next_sample:
                self.sample(status)
                next_sample += SAMPLE_S
            if passed >= next_worker:
                self.kill("worker", self.pids(status)[IFACES[self.kills["worker"] % 3]])
                next_worker += WORKER_S
            if passed >= next_store:
                self.kill("store", self.pids(status)["store"])
                next_store += STORE_S
            time.sleep(0.5)
        sent = [flooded(sender)[0] for sender in senders]
        time.sleep(0.5)
        # The last interval, when nothing waits any more.
        wait_for(lambda: all(not i["waiting"] for i in self.status()["ifaces"].values()),
                 60)
        self.daemon.rotate()
        if self.daemon.stop() != 0:
            self.faults.append("the daemon did not end orderly")
        return dict(zip(IFACES, sent))

    def kill(self, kind, pid):
        if pid:
            os.kill(pid, signal.SIGKILL)
            self.kills[kind] += 1

    def books(self):
        """Per interface what the store has: counted, dropped by the kernel, cuts, and what
        the interface counted itself."""
        db = sqlite3.connect("file:%s/weir.db?mode=ro" % self.daemon.store, uri=True)
        rows = db.execute("SELECT iface, count(*), sum(packets), sum(bytes), "
                          "sum(kernel_dropped), sum(cuts), sum(link_packets), "
                          "sum(link_packets IS NULL) FROM interval GROUP BY iface").fetchall()
        db.close()
        return {row[0]: row[1:] for row in rows}

    def check_books(self, sent):
        print("%-6s %11s %11s %8s %5s %12s %10s %9s" % ("iface", "sent", "stored", "drops",
              "cuts", "cut losses", "estimated", "off by"))
        for name, (count, packets, size, drops, cuts, link, unknown) in self.books().items():
            drops = drops or 0
            lost = sent[name] - packets - drops
            estimated = (link or 0) - packets - drops
            print("%-6s %11d %11d %8d %5d %12d %10d %8.4f%%" % (name, sent[name], packets, drops,
                  cuts, lost, estimated, 100.0 * abs(estimated - lost) / sent[name]))
            if unknown:
                self.faults.append("%s: %d intervals without counts of the interface" %
                                   (name, unknown))
            elif abs(estimated - lost) > sent[name] / 100:
                self.faults.append("%s: the estimate is off by more than 1 %%" % name)
            if lost < 0:
                self.faults.append("%s: %d packets more than were sent" % (name, -lost))
            if lost > 0 and cuts == 0:
                self.faults.append("%s: %d packets lost without a name" % (name, lost))
            if size != packets * SIZE:
                self.faults.append("%s: bytes and packets do not fit" % name)
            if count < self.seconds // 10:
                self.faults.append("%s: %d intervals only" % (name, count))

    def check_growth(self):
        print("%-11s %21s %15s %13s" % ("", "resident KiB", "descriptors", "threads"))
        for role, samples in self.samples.items():
            quarter = max(1, len(samples) // 4)
            first, last = ([statistics.median(s[i] for s in part) for i in range(3)]
                           for part in (samples[:quarter], samples[-quarter:]))
            print("%-11s %10d %10d %7d %7d %6d %6d" % (role, first[0], last[0], first[1],
                  last[1], first[2], last[2]))
            if last[0] > first[0] * 1.05 + GROWTH_KB:
                self.faults.append("%s: memory has grown" % role)
            if last[1] > first[1] or last[2] > first[2]:
                self.faults.append("%s: descriptors or threads have grown" % role)

    def close(self):
        self.daemon.close()
        self.ns.close()


def main():
    need_root()
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    soak = Soak(minutes)
    try:
        sent = soak.run()
        print("%g minutes, %d workers and %d stores killed" %
              (minutes, soak.kills["worker"], soak.kills["store"]))
        soak.check_books(sent)
        soak.check_growth()
    finally:
        soak.close()
    for fault in soak.faults:
        print("FAULT " + fault)
    sys.exit(1 if soak.faults else 0)


if __name__ == "__main__":
    main()
