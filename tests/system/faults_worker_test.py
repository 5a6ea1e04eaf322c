"""Workers killed at random moments under traffic: what they had counted is in the store in
the end, the others lose nothing, and counting goes on at once."""

import os
import random
import signal
import statistics
import threading
import time

from faults import Faults, flood, flooded, frame_from
from harness import SANITIZED, Sender, main, need_root, wait_for
from requester import Requester

need_root()

KILLS = int(os.environ.get("WEIR_KILLS", "0")) or (15 if SANITIZED else 60)
# A sanitizer makes an exit of SIGSEGV.
SIGNALS = (signal.SIGKILL, signal.SIGABRT) + (() if SANITIZED else (signal.SIGSEGV,))
FLOWS = 10000
SIZE = 14 + 20 + 8 + 20  # of what Sender sends
PPS = 1000 if SANITIZED else 4000
HEALTHY = 1.0  # a worker that lived so long is started again at once


class Killed(Faults):
    def setUp(self):
        super().setUp()
        self.random = random.Random(5)
        self.kills = 0
        self.gaps = []

    def killed(self, pid, number):
        """Until another counts; what status told right before the kill is still there."""
        before = self.daemon.now("vb")
        self.assertEqual(before["pid"], pid)
        told = self.in_store("vb") + before["worker"]["interval"]["books"]["packets"]
        wall = time.time()
        start = time.monotonic()
        os.kill(pid, number)
        after = wait_for(lambda: self.counting("vb", pid))
        took = time.monotonic() - start
        self.kills += 1
        self.assertGreaterEqual(self.in_store("vb") +
                                after["worker"]["interval"]["books"]["packets"], told)
        self.assertTrue(after["worker"]["adoption"])
        # The kernel tells how it ended some 50 ms after the lifeline did.
        status = wait_for(lambda: (self.daemon.now("vb")["last_exit_ms"] >= wall * 1000 - 1
                                   and self.daemon.now("vb")))
        self.assertEqual(status["restarts"], self.kills)
        self.assertIn("signal %d " % number, status["last_exit"])
        self.assertLess(status["last_exit_ms"] / 1000 - wall, 10 if SANITIZED else 2)
        return took

    def rotate_meanwhile(self):
        """A rotation that is under way when the kill comes."""
        def ask():
            requester = Requester(self.daemon.socket, timeout=60)
            requester.ask("rotate", ifaces=["vb"])
            requester.close()
        thread = threading.Thread(target=ask)
        thread.start()
        return thread

    def kill_once(self, healthy):
        pid = self.daemon.now("vb")["pid"]
        took = self.killed(pid, self.random.choice(SIGNALS))
        if healthy:
            self.gaps.append(took * 1000)

    def kill_in_a_rotation(self):
        """At a random moment of it; also while the successor starts, which one that was
        killed from outside does not have to answer for."""
        pid = self.daemon.now("vb")["pid"]
        thread = self.rotate_meanwhile()
        time.sleep(self.random.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        thread.join()
        self.kills += 1
        wait_for(lambda: self.counting("vb", pid))
        wait_for(lambda: self.daemon.now("vb")["restarts"] == self.kills)
        wait_for(lambda: self.all_handed_over("vb"))

    def test_a_hundred_kills_on_one_of_three_interfaces(self):
        self.ns.veth("vc", "vd")
        self.ns.veth("ve", "vf")
        self.start("vb", "vd", "vf")
        pids = {name: self.daemon.now(name)["pid"] for name in ("vd", "vf")}
        senders = {name: Sender(self.ns, FLOWS, PPS, iface=peer)
                   for peer, name in (("va", "vb"), ("vc", "vd"), ("ve", "vf"))}
        for sender in senders.values():
            sender.start()
        wait_for(lambda: senders["vb"].sent > FLOWS)
        while self.kills < KILLS:
            # Each third one has lived long enough to be replaced at once.
            time.sleep(HEALTHY + self.random.random() * 0.1)
            self.kill_once(True)
            time.sleep(self.random.random() * 0.1)
            self.kill_once(False)
            time.sleep(self.random.random() * 0.1)
            self.kill_in_a_rotation()
        sent = {name: sender.stop() for name, sender in senders.items()}
        # The others did not notice.
        for name in ("vd", "vf"):
            wait_for(lambda: self.running(name) + self.in_store(name) == sent[name])
            self.assertEqual(self.daemon.now(name)["pid"], pids[name])
            self.assertEqual(self.daemon.now(name)["restarts"], 0)
        time.sleep(0.3)
        counted = self.in_store("vb") + self.running("vb")
        self.assertEqual(self.daemon.stop(), 0)
        for name in ("vd", "vf"):
            self.assertEqual(self.in_store(name), sent[name])
        self.assertEqual(self.in_store("vb"), counted)
        for name in ("vb", "vd", "vf"):
            for packets, size in self.rows(name, "packets, bytes"):
                self.assertEqual(size, packets * SIZE)
        self.assertEqual(sum(row[0] for row in self.rows("vb", "cuts")), self.kills)
        missing = sent["vb"] - counted
        print("%d kills; counting again after %.0f ms in the median (status of a worker that "
              "had lived a second); of %d packets %d passed while none counted, %.0f ms of "
              "traffic a kill" % (self.kills, statistics.median(self.gaps), sent["vb"],
                                  missing, missing / PPS / self.kills * 1000))
        self.assertGreaterEqual(missing, 0)
        self.assertLess(statistics.median(self.gaps), 5000 if SANITIZED else 500)

    def open_sockets(self):
        """Captures on vb, as the kernel lists them: both handles of a worker."""
        index = self.index("vb")
        lines = self.ns.run("cat", "/proc/net/packet").stdout.splitlines()[1:]
        return {line.split()[8] for line in lines if int(line.split()[4]) == index}

    def test_with_a_million_flows_the_capture_is_open_as_fast(self):
        """What is sent while the index is built waits in the ring."""
        flows = 50000 if SANITIZED else 1000000
        self.start({"name": "vb", "flows": "1100000", "buffer": "64MiB"})
        sender = flood(self.ns, self.daemon.dir, "va", flows, 100, 100000, flows)
        sent, _ = flooded(sender)
        self.assertEqual(sent, flows)
        wait_for(lambda: self.running("vb") == sent, 20)
        status = self.daemon.now("vb")
        self.assertEqual(status["worker"]["flows"], flows)
        old = self.open_sockets()
        start = time.monotonic()
        os.kill(status["pid"], signal.SIGKILL)
        wait_for(lambda: len(self.open_sockets() - old) == 2)
        opened = time.monotonic() - start
        time.sleep(0.1)  # both are bound; ring and filters follow within this
        self.ns.send("va", frame_from(1, 100), 2000)
        sent += 2000
        after = wait_for(lambda: self.counting("vb", status["pid"]), 30)
        again = time.monotonic() - start
        wait_for(lambda: self.running("vb") == sent, 20)
        self.assertEqual(after["worker"]["adoption"]["flows"], flows)
        self.assertLess(opened, 5 if SANITIZED else 0.5)
        self.assertEqual(self.daemon.now("vb")["worker"]["flows"], flows)
        self.assertTrue(self.daemon.rotate("vb")["vb"]["done"])
        self.assertEqual(self.rows("vb"), [(sent, sent * 100, flows)])
        print("%d flows: the capture was open after %.0f ms, the index after %d ms, "
              "status told after %.0f ms" % (flows, opened * 1000,
                                             after["worker"]["adoption"]["ms"], again * 1000))


if __name__ == "__main__":
    main()
