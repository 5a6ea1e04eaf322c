"""A store that is slow, or whose disk is full: capture goes on without a drop, the interval
grows, status says what waits and since when, and it is all handed over when it can be."""

import os
import shutil
import time

from faults import Faults, SLOW, SLOW_MS, flood, flooded
from harness import Daemon, SANITIZED, main, need_root, run, wait_for

need_root()

SIZE = 100
RATE = int(os.environ.get("WEIR_RATE", "0")) or (5000 if SANITIZED else 40000)


class Disk(Faults):
    def waiting(self, name):
        return self.daemon.now(name)["waiting"]

    def check_stored(self, name, sent):
        """Every packet once, of one size, none dropped."""
        rows = self.rows(name, "packets, bytes, kernel_received, kernel_dropped, busy, "
                         "begin_ms")
        self.assertEqual(sum(row[0] for row in rows), sent)
        # The kernel's count runs ahead of it by what is still in the ring.
        self.assertEqual(sum(row[2] for row in rows), sent)
        # What waited first came first.
        self.assertEqual(rows, sorted(rows, key=lambda row: row[5]))
        for packets, size, _, dropped, _, _ in rows:
            self.assertEqual((size, dropped), (packets * SIZE, 0))
        return rows

    def test_a_store_that_takes_ten_seconds_to_write(self):
        if SANITIZED:
            self.skipTest("a sanitizer must be the first library")
        self.start_with_faults({"name": "vb", "buffer": "64MiB"}, rotation="2s")
        store = self.daemon.status()["store"]["pid"]
        sender = flood(self.ns, self.daemon.dir, "va", 2000, SIZE, RATE, 0)
        wait_for(lambda: self.in_store("vb") > 0)
        self.control[SLOW_MS] = 10000
        self.control[SLOW] = 1
        wait_for(lambda: self.control[SLOW] == 0)
        begin = time.time()
        waits = wait_for(lambda: self.waiting("vb"))
        # Meanwhile status is answered (it asks the store too, but no longer than 2 s).
        while time.time() < begin + 8:
            start = time.monotonic()
            status = self.daemon.now("vb")
            self.assertLess(time.monotonic() - start, 4)
            self.assertEqual(status["waiting"], waits)
            self.assertEqual(waits["why"], "on its way")
            self.assertLess(abs(waits["since_ms"] / 1000 - begin), 2)
            self.assertEqual(status["worker"]["interval"]["kernel"]["dropped"], 0)
        interval = status["worker"]["interval"]
        self.assertGreaterEqual(interval["busy"], 3)  # boundaries that had to wait
        self.assertGreater(interval["length_ns"], 6 * 10 ** 9)  # it has grown
        wait_for(lambda: not self.waiting("vb") or
                 self.waiting("vb")["seq"] != waits["seq"], 10)
        sent, rate = flooded(sender)
        self.assertEqual(self.daemon.status()["store"]["pid"], store)
        self.assertEqual(self.daemon.stop(), 0)
        rows = self.check_stored("vb", sent)
        self.assertGreaterEqual(max(row[4] for row in rows), 3)
        print("%d packets at %.0f per second, none dropped" % (sent, rate))

    def full_disk(self):
        """A daemon whose store is on a disk of its own; what fills it; its path."""
        self.daemon = Daemon([{"name": "vb", "buffer": "64MiB"}], self.ns, start=False,
                             rotation="2s")
        store = self.daemon.store
        os.mkdir(store)
        run("mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "weirt", store)
        self.addCleanup(shutil.rmtree, self.daemon.dir, ignore_errors=True)
        self.addCleanup(run, "umount", "-l", store, check=False)
        self.daemon.start()
        return os.path.join(store, "ballast")

    def fill(self, path):
        with open(path, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass

    def test_a_full_disk_and_space_again(self):
        ballast = self.full_disk()
        before = self.daemon.status()
        sender = flood(self.ns, self.daemon.dir, "va", 3000, SIZE, RATE, 0)
        wait_for(lambda: self.in_store("vb") > 0)
        self.fill(ballast)
        begin = time.time()
        waits = wait_for(lambda: self.waiting("vb") and "full" in
                         self.waiting("vb")["why"] and self.waiting("vb"))
        time.sleep(5)
        status = self.daemon.now("vb")
        self.assertEqual(status["waiting"], waits)
        self.assertGreater(waits["since_ms"] / 1000, begin - 3)
        self.assertLess(waits["since_ms"] / 1000, begin + 4)
        self.assertEqual((status["state"], status["restarts"]), ("active", 0))
        interval = status["worker"]["interval"]
        self.assertGreater(interval["length_ns"], 4 * 10 ** 9)
        self.assertGreaterEqual(interval["busy"], 1)
        shown = self.daemon.ctl("status").stdout
        self.assertIn("full", shown)
        self.assertIn("full", self.daemon.status()["store"]["report"]["last_error"])
        self.assertRegex(self.daemon.log_text(), r"\[vb\].* waits: .*full")
        stored = self.in_store("vb")
        os.unlink(ballast)
        wait_for(lambda: self.in_store("vb") > stored, 40)
        wait_for(lambda: not self.waiting("vb") or
                 self.waiting("vb")["seq"] != waits["seq"], 10)
        sent, rate = flooded(sender)
        after = self.daemon.status()
        self.assertEqual(after["store"]["pid"], before["store"]["pid"])
        self.assertEqual(after["ifaces"]["vb"]["pid"], before["ifaces"]["vb"]["pid"])
        self.assertEqual(self.daemon.stop(), 0)
        rows = self.check_stored("vb", sent)
        self.assertGreaterEqual(max(row[4] for row in rows), 1)
        print("%d packets at %.0f per second, none dropped" % (sent, rate))


if __name__ == "__main__":
    main()
