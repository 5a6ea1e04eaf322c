"""Processes killed under traffic: what was counted is in the store, once."""

import os
import signal
import statistics
import subprocess
import threading
import time
import unittest

from harness import (BIN, Daemon, Namespace, Sender, ethernet, ipv4, main, need_root, udp,
                     wait_for)

need_root()


def active_pid(daemon, iface, not_pid):
    status = daemon.iface(iface)
    return (status["pid"] not in (0, not_pid) and status["state"] == "active" and
            status["worker"] and status)


class Kill(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()
        self.daemon = Daemon(["va", "vb"], self.ns)

    def tearDown(self):
        self.daemon.close()
        self.ns.close()

    def test_workers_killed_in_the_middle(self):
        sender = Sender(self.ns)
        sender.start()
        wait_for(lambda: sender.sent >= 12000)
        gaps = []
        counted_before_kill = 0
        for i in range(20):
            status = self.daemon.iface("vb")
            counted_before_kill = status["worker"]["interval"]["books"]["packets"]
            os.kill(status["pid"], signal.SIGKILL)
            after = wait_for(lambda: active_pid(self.daemon, "vb", status["pid"]))
            self.assertTrue(after["worker"]["adoption"])
            # Nothing that status had told is gone.
            self.assertGreaterEqual(
                after["worker"]["interval"]["books"]["packets"], counted_before_kill)
            gaps.append(after["worker"]["adoption"]["ms"])
            self.assertEqual(after["restarts"], i + 1)
            # The kernel tells how it ended some 50 ms after the lifeline did.
            wait_for(lambda: "signal 9" in self.daemon.iface("vb")["last_exit"])
            time.sleep(1.1)  # one that dies young is backed off from
        sent = sender.stop()
        time.sleep(0.4)
        print("from start to counting, ms, median of %d: %s" %
              (len(gaps), statistics.median(gaps)))
        # The other interface loses nothing.
        va = self.daemon.iface("va")
        self.assertEqual(va["worker"]["interval"]["books"]["packets"], sent, va)
        books = self.daemon.iface("vb")["worker"]["interval"]["books"]
        self.assertLessEqual(books["packets"], sent)
        self.assertEqual(self.daemon.iface("vb")["worker"]["interval"]["cuts"], 20)
        done = self.daemon.rotate()
        self.assertTrue(all(i["done"] for i in done.values()), done)
        for name, packets in (("va", sent), ("vb", books["packets"])):
            self.assertEqual(done[name]["books"]["packets"], packets)
            self.assertEqual(self.daemon.total("-i", name)[0], packets)

    def test_the_store_killed_between_rotations(self):
        sender = Sender(self.ns, flows=5000, pps=3000)
        sender.start()
        wait_for(lambda: sender.sent >= 1000)
        for i in range(6):  # each restart waits twice as long
            pid = self.daemon.status()["store"]["pid"]
            killer = threading.Timer(0.001 * i * 3, os.kill, (pid, signal.SIGKILL))
            killer.start()
            self.daemon.rotate()
            killer.join()
            wait_for(lambda: self.daemon.status()["store"]["running"] and
                     self.daemon.status()["store"]["pid"] != pid, 30)
        sent = sender.stop()
        time.sleep(0.4)

        def handed_over():
            self.daemon.rotate()
            status = self.daemon.status()
            return all(i["waiting"] is None for i in status["ifaces"].values())
        wait_for(handed_over, 60)
        self.daemon.rotate()
        for name in ("va", "vb"):
            self.assertEqual(self.daemon.total("-i", name)[0], sent)

    def test_an_answer_lost_with_its_worker_before_the_end_loses_nothing(self):
        """A rotation is carried out, packets are counted after it, the worker dies with
        its answer unread, and SIGTERM is there before its successor has spoken."""
        frame = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53)))
        sent = 0
        for _ in range(4):
            if self.daemon.process is None:
                self.daemon.start()
            sock = self.ns.packet_socket("va")

            def send(count):
                for _ in range(count):
                    sock.send(frame)
            send(100)
            time.sleep(0.3)
            worker, supervisor = self.daemon.iface("vb")["pid"], self.daemon.process.pid
            os.kill(worker, signal.SIGSTOP)  # the request waits
            client = subprocess.Popen(
                [os.path.join(BIN, "weirctl"), "-s", self.daemon.socket, "rotate", "vb"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.3)
            os.kill(supervisor, signal.SIGSTOP)  # and nobody will read the answer
            os.kill(worker, signal.SIGCONT)
            time.sleep(0.4)
            send(500)  # into the next interval
            time.sleep(0.4)
            os.kill(worker, signal.SIGKILL)
            os.kill(supervisor, signal.SIGTERM)
            os.kill(supervisor, signal.SIGCONT)
            self.daemon.process.wait(35)
            self.daemon.log.close()
            self.daemon.process = None
            client.wait(70)
            sock.close()
            sent += 600
        # What one end could not hand over, the next start does.
        self.daemon.start()
        self.assertEqual(self.daemon.stop(), 0)
        for name in ("va", "vb"):
            self.assertEqual(self.daemon.total("-i", name)[0], sent, name)

    def test_the_supervisor_killed_and_started_again(self):
        sender = Sender(self.ns, flows=2000, pps=2000)
        sender.start()
        wait_for(lambda: sender.sent >= 2000)
        before = {name: self.daemon.iface(name) for name in ("va", "vb")}
        self.daemon.kill()
        for name in before:
            wait_for(lambda: not os.path.exists("/proc/%d" % before[name]["pid"]))
        self.daemon.start()
        for name in before:
            after = self.daemon.iface(name)
            self.assertGreaterEqual(
                after["worker"]["interval"]["books"]["packets"],
                before[name]["worker"]["interval"]["books"]["packets"])
            self.assertEqual(after["worker"]["file_id"], before[name]["worker"]["file_id"])
        sender.stop()
        time.sleep(0.4)
        expected = {name: self.daemon.iface(name)["worker"]["interval"]["books"]["packets"]
                    for name in before}
        self.assertEqual(self.daemon.stop(), 0)
        for name in before:
            self.assertEqual(self.daemon.total("-i", name)[0], expected[name])


if __name__ == "__main__":
    main()
