"""Refused packets: counts, times and a sample in `weirctl errors`, one packet of each
kind in the error capture file, and no way to switch an interface off with them."""

import os
import time
import unittest

from harness import (Daemon, Namespace, ethernet, ipv4, main, need_root, read_json, udp,
                     wait_for)

need_root()

ARP = ethernet(b"\0" * 46, 0x0806)
CUT = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, b"\1\2")).ljust(60, b"\0")
BAD = ethernet(b"\x44" + ipv4("10.0.0.7", "10.0.0.2", 17, udp(1, 2))[1:]).ljust(60, b"\0")
GOOD = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53))).ljust(60, b"\0")


class Errors(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()

    def tearDown(self):
        self.daemon.close()
        self.ns.close()

    def books(self, iface="vb"):
        return self.daemon.iface(iface)["worker"]["interval"]["books"]

    def send(self, *frames):
        sock = self.ns.packet_socket("va")
        for frame in frames:
            sock.send(frame)
        sock.close()

    def test_counts_times_and_a_sample(self):
        self.daemon = Daemon(["va", "vb"], self.ns)
        before = time.time()
        self.send(*([ARP] * 3 + [CUT] * 5 + [BAD] * 7 + [GOOD]))
        wait_for(lambda: self.books()["packets"] == 16)
        errors = self.daemon.json("errors")["ifaces"]["vb"]["worker"]
        classes = errors["classes"]
        self.assertEqual({name: c["interval"]["packets"] for name, c in classes.items()},
                         {"not_ip": 3, "truncated": 5, "bad_header": 7})
        self.assertEqual(classes["truncated"]["total"], {"packets": 5, "bytes": 300})
        self.assertEqual(classes["truncated"]["sample"], CUT.hex())
        self.assertEqual(classes["truncated"]["sample_length"], 60)
        for c in classes.values():
            self.assertLessEqual(before - 1, c["first_ns"] / 1e9)
            self.assertLessEqual(c["first_ns"], c["last_ns"])
        self.assertEqual(errors["undecodable"], 0)  # the good one ended the row
        table = self.daemon.ctl("errors", "vb").stdout
        self.assertIn("truncated", table)
        self.assertIn("snaplen", table)
        # One packet of each kind is kept, and can be read again.
        path = os.path.join(self.daemon.errors, "vb_errors.pcap")
        document = read_json(path)[1]
        self.assertEqual({name: c["packets"] for name, c in
                          document["books"]["refused"].items() if c["packets"]},
                         {"not_ip": 1, "truncated": 1, "bad_header": 1})
        # At most one line per kind and interval, none for frames without IP.
        log = self.daemon.log_text()
        self.assertEqual(log.count("weir-worker[vb]: decode: packets refused as truncated"), 1)
        self.assertNotIn("refused as not_ip", log)
        self.daemon.rotate()
        self.send(CUT, CUT)
        wait_for(lambda: self.books()["packets"] == 2)
        classes = self.daemon.json("errors", "vb")["ifaces"]["vb"]["worker"]["classes"]
        self.assertEqual(classes["truncated"]["interval"]["packets"], 2)
        self.assertEqual(classes["truncated"]["total"]["packets"], 7)
        self.assertEqual(classes["not_ip"]["interval"]["packets"], 0)
        self.assertEqual(self.daemon.log_text().count(
            "weir-worker[vb]: decode: packets refused as truncated"), 2)

    def test_many_undecodable_packets_do_not_switch_it_off(self):
        """20,000 in a burst, then a good one: it is counted, by the same worker."""
        self.daemon = Daemon(["vb"], self.ns)
        pid = self.daemon.iface("vb")["pid"]
        self.send(*([BAD] * 20000 + [GOOD]))
        wait_for(lambda: self.books()["in_flows"]["packets"] == 1)
        self.assertEqual(self.daemon.iface("vb")["pid"], pid)
        self.assertEqual(self.books()["packets"], 20001)

    def test_a_threshold_over_ten_seconds_opens_the_capture_again(self):
        self.daemon = Daemon(["vb"], self.ns, keys={"vb": {"error_threshold": 100}})
        pid = self.daemon.iface("vb")["pid"]
        told = 0
        for _ in range(400):
            self.send(BAD)
            time.sleep(0.05)
            status = self.daemon.iface("vb")
            if status["state"] != "active" or status["pid"] != pid:
                break
            if status["worker"]:
                told = status["worker"]["interval"]["books"]["packets"]
        self.assertGreater(told, 100)
        after = wait_for(lambda: self.daemon.iface("vb")["pid"] not in (0, pid) and
                         self.daemon.iface("vb")["state"] == "active" and
                         self.daemon.iface("vb")["worker"] and self.daemon.iface("vb"), 15)
        # Nothing that was counted is lost, and counting goes on.
        self.assertGreaterEqual(after["worker"]["interval"]["books"]["packets"], told)
        self.assertIn("undecodable", self.daemon.log_text())
        self.send(GOOD)
        wait_for(lambda: self.books()["in_flows"]["packets"] == 1)

    def test_frames_without_ip_never_count_for_the_threshold(self):
        self.daemon = Daemon(["vb"], self.ns, keys={"vb": {"error_threshold": 10}})
        pid = self.daemon.iface("vb")["pid"]
        for _ in range(24):
            self.send(*[ARP] * 100)
            time.sleep(0.5)
        self.assertEqual(self.daemon.iface("vb")["pid"], pid)
        self.assertEqual(self.books()["refused"]["not_ip"]["packets"], 2400)


if __name__ == "__main__":
    main()
