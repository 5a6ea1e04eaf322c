"""The store and the supervisor killed under traffic: what was counted is in the store, once.
(Workers: faults_worker_test.py.)"""

import os
import signal
import subprocess
import threading
import time
import unittest

from harness import (BIN, Daemon, Namespace, Sender, ethernet, ipv4, main, need_root, udp,
                     wait_for)

need_root()


class Kill(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()
        self.daemon = Daemon(["va", "vb"], self.ns)

    def tearDown(self):
        self.daemon.close()
        self.ns.close()

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
