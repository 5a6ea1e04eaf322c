"""Rotation: labels, wall clock, traffic that goes on, direction that is kept."""

import os
import time
import unittest

from harness import (ACK, Daemon, Namespace, PSH, SYN, Sender, ethernet, ipv4, main,
                     need_root, tcp, udp, wait_for)
from requester import ask_many

need_root()


class Rotation(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()

    def tearDown(self):
        self.daemon.close()
        self.ns.close()

    def counted(self, iface):
        return self.daemon.iface(iface)["worker"]["interval"]["books"]["packets"]

    def test_rotation_under_traffic_loses_and_doubles_nothing(self):
        self.daemon = Daemon(["va", "vb"], self.ns)
        sender = Sender(self.ns, flows=3000, pps=10000)
        sender.start()
        intervals = {"va": [], "vb": []}
        for _ in range(15):
            time.sleep(0.1)
            for name, answer in self.daemon.rotate().items():
                self.assertTrue(answer["done"], answer)
                intervals[name].append((answer["begin_ms"], answer["end_ms"]))
        sent = sender.stop()
        time.sleep(0.4)
        self.daemon.rotate()
        for name in ("va", "vb"):
            self.assertEqual(self.daemon.total("-i", name)[0], sent)
            # One interval begins where the last one ended.
            for last, following in zip(intervals[name], intervals[name][1:]):
                self.assertEqual(last[1], following[0])

    def test_a_tcp_connection_keeps_its_client_over_three_rotations(self):
        self.daemon = Daemon(["va"], self.ns)
        left, right = self.ns.packet_socket("va"), self.ns.packet_socket("vb")
        left.send(ethernet(ipv4("10.0.0.7", "10.0.0.2", 6, tcp(50000, 40000, SYN))))
        sent = 1
        for _ in range(3):
            wait_for(lambda: self.counted("va") == sent)
            self.daemon.rotate()
            # The answering side speaks first in the next interval.
            right.send(ethernet(ipv4("10.0.0.2", "10.0.0.7", 6,
                                     tcp(40000, 50000, ACK | PSH, b"data"))))
            sent = 1
        wait_for(lambda: self.counted("va") == 1)
        self.daemon.rotate()
        rows = self.daemon.query("time,src,dst,dport,proto")["rows"]
        self.assertEqual(len(rows), 4)
        for row in rows:
            self.assertEqual((row["src"], row["dst"], row["dport"]),
                             ("10.0.0.7", "10.0.0.2", 40000))
        left.close()
        right.close()

    def test_intervals_end_on_the_wall_clock(self):
        self.daemon = Daemon(["va", "vb"], self.ns, rotation="2s")
        # Idle until the middle of an interval, then one packet.
        time.sleep(2.0 - time.time() % 2.0 + 0.7)
        first = time.time()
        sock = self.ns.packet_socket("va")
        sock.send(ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53))))
        sock.close()

        def stored():
            return [row for row in self.daemon.query("time,iface", "-i", "vb")["rows"]
                    if row["packets"]]
        rows = wait_for(stored, 8)
        # Durable within a second or so of the boundary, labelled by the boundary.
        self.assertLess(time.time(), first - first % 2.0 + 2.0 + 2.5)
        status = self.daemon.iface("vb")
        self.assertEqual(status["worker"]["interval"]["begin_ms"] % 2000, 0)
        label = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(first - first % 2.0)))
        self.assertEqual([row["time"] for row in rows], [label])

    def test_an_idle_interface_answers_and_stops_at_once(self):
        self.daemon = Daemon(["va"], self.ns)
        time.sleep(0.5)
        for command in ("status", "rotate"):
            start = time.monotonic()
            self.daemon.ctl(command)
            print("%s on an idle interface: %.0f ms" %
                  (command, (time.monotonic() - start) * 1000))
        start = time.monotonic()
        self.assertEqual(self.daemon.stop(5), 0)
        print("SIGTERM to the end: %.0f ms" % ((time.monotonic() - start) * 1000))

    def test_the_last_rotation_at_sigterm_is_in_the_store(self):
        """Every run's packets, over restarts on the same directories."""
        runs = int(os.environ.get("WEIR_RUNS", "15"))
        self.daemon = Daemon(["va", "vb"], self.ns)
        sent = 0
        sock = self.ns.packet_socket("va")
        frame = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53)))
        for i in range(runs):
            if i:
                self.daemon.start()
            for _ in range(50 + i):
                sock.send(frame)
            sent += 50 + i
            # No wait: the packets may still be in the ring, the drain gets them.
            self.assertEqual(self.daemon.stop(), 0)
            self.assertEqual(self.daemon.total("-i", "vb")[0], sent, self.daemon.log_text())
        self.assertEqual(self.daemon.total("-i", "va")[0], sent)
        sock.close()

    def test_status_a_thousand_times_changes_no_number(self):
        self.daemon = Daemon(["va", "vb"], self.ns)
        sock = self.ns.packet_socket("va")
        for i in range(500):
            sock.send(ethernet(ipv4("10.0.0.%d" % (i % 50), "10.0.0.2", 17,
                                    udp(40000, 53))))
        sock.close()
        wait_for(lambda: self.counted("vb") == 500)
        before = self.daemon.iface("vb")["worker"]["interval"]["books"]
        self.assertEqual(ask_many(self.daemon.socket, "status", 1000), 1000)
        self.assertEqual(self.daemon.iface("vb")["worker"]["interval"]["books"], before)
        done = self.daemon.rotate()
        self.assertEqual(done["vb"]["books"], before)
        self.assertEqual(self.daemon.total("-i", "vb")[0], 500)


if __name__ == "__main__":
    main()
