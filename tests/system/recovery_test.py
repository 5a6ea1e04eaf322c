"""What the daemon survives: each of its processes killed in turn, itself killed, signals
by the thousand, and a wall clock that is set while it runs."""

import fcntl
import os
import signal
import sqlite3
import time

from harness import SANITIZED, main, need_root, run, wait_for
from live import FRAME, Live, WITHIN

need_root()

# The wall clock of one process, moved by what stands in a file. (Time namespaces do not
# have CLOCK_REALTIME, and setting the machine's clock is nothing for a test.)
CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	const char *path = getenv("CLOCK_STEP_FILE");
	char text[32] = "";
	int rc = (int)syscall(SYS_clock_gettime, id, ts);
	int fd;

	if (rc != 0 || id != CLOCK_REALTIME || !path)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) > 0)
			ts->tv_sec += atol(text);
		close(fd);
	}
	return 0;
}
"""

HOUR_MS = 3600 * 1000


class Recovery(Live):
    def setUp(self):
        super().setUp()
        self.ns.veth("vc", "vd")

    def test_each_process_killed_in_turn(self):
        """The rest go on, the dead one is back within a second, and what is missing is
        told: in status, in the log, and with the interval in the store."""
        self.start("vb", "vd")
        sent = 0
        for victim in ("vb", "vd", "store"):
            before = self.daemon.ask("status")
            pids = {name: before["ifaces"][name]["pid"] for name in ("vb", "vd")}
            pids["store"] = before["store"]["pid"]
            for peer in ("va", "vc"):
                self.ns.send(peer, FRAME, 20)
            sent += 20
            for name in ("vb", "vd"):
                wait_for(lambda: self.daemon.packets(name) == sent)
            os.kill(pids[victim], signal.SIGKILL)
            start = time.monotonic()
            if victim == "store":
                wait_for(lambda: self.daemon.ask("status")["store"]["running"] and
                         self.daemon.ask("status")["store"]["pid"] != pids[victim], WITHIN)
            else:
                wait_for(lambda: self.counting(victim, pids[victim]), WITHIN)
            print("%s is back after %.0f ms" % (victim, (time.monotonic() - start) * 1000))
            after = self.daemon.ask("status")
            for name in pids:
                status = after["store"] if name == "store" else after["ifaces"][name]
                self.assertEqual(status["pid"] == pids[name], name != victim)
            wait_for(lambda: "signal 9" in (self.daemon.ask("status")["store"] if victim ==
                     "store" else self.daemon.now(victim))["last_exit"])
            log = self.daemon.log_text()
            self.assertRegex(log, r"process %d\) has died" % pids[victim])
            self.assertEqual(log.count("ended with signal 9"),
                             ("vb", "vd", "store").index(victim) + 1)
        for name in ("vb", "vd"):
            done = self.daemon.rotate(name)[name]
            self.assertEqual((done["done"], done["books"]["packets"]), (True, sent))
            self.assertEqual(self.stored(name), sent)
        db = sqlite3.connect(os.path.join(self.daemon.store, "weir.db"))
        rows = db.execute("SELECT packets, cuts FROM interval").fetchall()
        db.close()
        self.assertEqual(rows, [(sent, 1)] * 2)  # each was interrupted once

    def test_workers_answer_a_new_supervisor_within_a_second(self):
        self.start("vb", "vd")
        for peer, name in (("va", "vb"), ("vc", "vd")):
            self.send_and_count(peer, name, 30)
        for _ in range(2):
            workers = [self.daemon.now(name)["pid"] for name in ("vb", "vd")]
            self.daemon.kill()
            start = time.monotonic()
            self.daemon.start(wait=False)
            self.daemon.wait_answers()
            for name in ("vb", "vd"):
                status = wait_for(lambda: self.counting(name), WITHIN)
                self.assertNotIn(status["pid"], workers)
            took = time.monotonic() - start
            print("counting again %.0f ms after the start" % (took * 1000))
            self.assertLess(took, WITHIN)
        self.assertEqual(self.daemon.stop(), 0)
        for name in ("vb", "vd"):
            self.assertEqual(self.stored(name), 30)

    def test_an_old_worker_that_does_not_end_is_named(self):
        self.start("vb", "vd")
        for peer, name in (("va", "vb"), ("vc", "vd")):
            self.send_and_count(peer, name, 30)
        # The kernel ends workers with their supervisor, but one may hang in the kernel: it
        # still has its lock on the records then.
        held = open(os.path.join(self.daemon.records, "vb.flows"))
        self.addCleanup(held.close)

        def taken():
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
        self.assertFalse(taken())
        self.daemon.kill()
        wait_for(taken, 5)
        self.daemon.start(wait=False)
        self.daemon.wait_answers()
        wait_for(lambda: self.counting("vd"), WITHIN)
        status = wait_for(lambda: self.daemon.now("vb")["state"] == "error" and
                          self.daemon.now("vb"), 8)
        self.assertEqual(status["reason"], "records")
        self.assertIn("has not ended", status["reason_text"])
        start = time.monotonic()
        done = self.daemon.ask("enable", ifaces=["vb"])["ifaces"]["vb"]
        self.assertEqual((done["result"], done["error"]), ("failed", "records"))
        self.assertLess(time.monotonic() - start, 2 * WITHIN)
        # When it is ended, what it had counted is there.
        held.close()
        wait_for(lambda: self.counting("vb"), 2 * WITHIN)
        self.assertEqual(self.daemon.packets("vb"), 30)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.stored("vb"), 30)

    def test_a_thousand_signals_in_a_row_and_then_the_end(self):
        self.start("vb", "vd")
        self.ns.send("va", FRAME, 25)
        pids = {name: self.daemon.now(name)["pid"] for name in ("vb", "vd")}
        for i in range(1000):
            self.daemon.process.send_signal((signal.SIGHUP, signal.SIGCHLD)[i % 2])
            if i % 10 == 0:
                time.sleep(0.001)
        for name in pids:
            self.assertEqual(self.daemon.now(name)["pid"], pids[name])
        self.daemon.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.stored("vb"), 25)

    def test_the_wall_clock_is_set_an_hour_on_and_an_hour_back(self):
        if SANITIZED:
            self.skipTest("a sanitizer must be the first library")
        self.start("vb")
        self.daemon.stop()
        source = os.path.join(self.daemon.dir, "clock.c")
        library = os.path.join(self.daemon.dir, "clock.so")
        step = os.path.join(self.daemon.dir, "step")
        with open(source, "w") as f:
            f.write(CLOCK)
        run("cc", "-shared", "-fPIC", "-O1", "-o", library, source)
        self.daemon.env.update(LD_PRELOAD=library, CLOCK_STEP_FILE=step)

        def set_clock(seconds):
            with open(step + ".new", "w") as f:
                f.write(str(seconds))
            os.rename(step + ".new", step)
        set_clock(0)
        self.daemon.start()
        intervals = []
        for seconds, packets in ((0, 10), (3600, 20), (3600, 30), (0, 40), (0, 50)):
            set_clock(seconds)
            self.send_and_count("va", "vb", packets)
            time.sleep(0.2)
            start = time.time()
            intervals.append(self.daemon.rotate("vb")["vb"])
            self.assertTrue(intervals[-1]["done"], intervals[-1])
        self.assertEqual(self.daemon.stop(), 0)
        for interval in intervals:
            self.assertGreaterEqual(interval["end_ms"], interval["begin_ms"])
        rows = self.stored_intervals()
        self.assertEqual([row[0] for row in rows], [10, 20, 30, 40, 50])
        for packets, begin_ms, end_ms, length_ns, step_ms in rows:
            # How long it was, the labels do not tell; none is longer than the test.
            self.assertGreaterEqual(end_ms, begin_ms)
            self.assertGreater(length_ns, 0)
            self.assertLess(length_ns, 60 * 10 ** 9)
        steps = [row[4] for row in rows]
        for at, expected in enumerate((0, HOUR_MS, 0, -HOUR_MS, 0)):
            self.assertAlmostEqual(steps[at], expected, delta=2000)
            if expected == 0:
                self.assertEqual(steps[at], 0)
        # The labels show the clock that was.
        self.assertAlmostEqual(rows[1][2], start * 1000 + HOUR_MS, delta=10000)
        self.assertAlmostEqual(rows[4][2], start * 1000, delta=10000)

    def stored_intervals(self):
        """In the order in which they were stored."""
        db = sqlite3.connect(os.path.join(self.daemon.store, "weir.db"))
        rows = db.execute("SELECT packets, begin_ms, end_ms, length_ns, clock_step_ms FROM "
                          "interval WHERE packets > 0 ORDER BY id").fetchall()
        db.close()
        return rows


if __name__ == "__main__":
    main()
