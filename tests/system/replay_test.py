"""Captures replayed over veth: the store holds what was sent, per direction."""

import csv
import os
import struct
import subprocess
import tempfile
import time
import unittest

from harness import (Daemon, Namespace, PCAPS, ethernet, ipv4, main, need_root, pcap, run,
                     udp, wait_for)

need_root()


class Replay(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()
        self.daemon = Daemon(["va", "vb"], self.ns)

    def tearDown(self):
        self.daemon.close()
        self.ns.close()

    def counted(self, iface):
        return self.daemon.iface(iface)["worker"]["interval"]["books"]["packets"]

    def settled(self, packets):
        wait_for(lambda: self.counted("va") >= packets and self.counted("vb") >= packets)
        time.sleep(0.3)  # nothing more may come

    def check(self, packets, size):
        """The books of both ends, the kernel's own count, and the store."""
        self.settled(packets)
        for name in ("va", "vb"):
            interval = self.daemon.iface(name)["worker"]["interval"]
            books = interval["books"]
            self.assertEqual((books["packets"], books["bytes"]), (packets, size), name)
            self.assertEqual(interval["kernel"]["dropped"], 0)
            self.assertEqual(interval["kernel"]["received"], packets)
        done = self.daemon.rotate()
        self.assertTrue(all(i["done"] for i in done.values()), done)
        refused = sum(c["packets"] for c in done["va"]["books"]["refused"].values())
        refused_bytes = sum(c["bytes"] for c in done["va"]["books"]["refused"].values())
        for name, direction, other in (("va", "sent", "received"),
                                       ("vb", "received", "sent")):
            total = self.daemon.query("iface", "-i", name)["total"]
            self.assertEqual(total[direction]["packets"], packets - refused)
            self.assertEqual(total[direction]["bytes"], size - refused_bytes)
            self.assertEqual(total[other]["packets"], 0)

    def replay(self, path, *options):
        self.ns.run("tcpreplay", "--intf1=va", *options, path)

    def test_made_capture(self):
        frames, size = [], 0
        for i in range(3000):
            frame = ethernet(ipv4("10.0.%d.%d" % (i % 7, i % 250), "10.9.0.1", 17,
                                  udp(1024 + i % 100, 53, b"x" * (i % 1000))))
            size += max(len(frame), 60)
            frames.append((i / 10000, frame.ljust(60, b"\0")))
        with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
            f.write(pcap(frames))
            f.flush()
            self.replay(f.name, "--pps=20000")
        self.check(3000, size)

    def test_real_captures(self):
        for name in ("zeek__wikipedia.pcap", "ndpi__zabbix.pcap"):
            path = os.path.join(PCAPS, "everyday", name)
            if not os.path.exists(path):
                self.skipTest("no capture files")
            with self.subTest(name):
                packets, size = manifest_sum("everyday/" + name)
                self.replay(path, "--pps=3000")
                self.check(packets, size)
                self.daemon.close()
                self.daemon = Daemon(["va", "vb"], self.ns)

    def test_both_directions_make_one_flow_on_each_end(self):
        there = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53)))
        back = ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, udp(53, 40000)))
        left, right = self.ns.packet_socket("va"), self.ns.packet_socket("vb")
        for _ in range(5):
            left.send(there)
            right.send(back)
        left.close()
        right.close()
        self.settled(10)
        self.daemon.rotate()
        for name, mine, other in (("va", "sent", "received"), ("vb", "received", "sent")):
            rows = self.daemon.query("src,dst,dport,proto", "-i", name)["rows"]
            self.assertEqual(len(rows), 1)
            self.assertEqual((rows[0]["src"], rows[0]["dst"], rows[0]["dport"]),
                             ("10.0.0.7", "10.0.0.2", 53))
            self.assertEqual(rows[0][mine]["packets"], 5)
            self.assertEqual(rows[0][other]["packets"], 5)

    def test_a_burst_of_small_packets_is_not_dropped(self):
        frame = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53))).ljust(64, b"\0")
        sock = self.ns.packet_socket("va")
        for _ in range(20000):
            sock.send(frame)
        sock.close()
        self.check(20000, 20000 * 64)


class Loopback(unittest.TestCase):
    def test_one_large_write_over_lo(self):
        """MTU 65536 and segmentation offload: packets longer than 65535 bytes."""
        ns = Namespace()
        daemon = Daemon(["lo"], ns)
        script = ("import socket, threading\n"
                  "s = socket.create_server(('127.0.0.1', 5001))\n"
                  "c = socket.create_connection(('127.0.0.1', 5001))\n"
                  "p, _ = s.accept()\n"
                  "t = threading.Thread(target=c.sendall, args=(b'x' * 2000000,))\n"
                  "t.start()\n"
                  "n = 0\n"
                  "while n < 2000000: n += len(p.recv(1 << 20))\n"
                  "t.join(); c.close(); p.close()\n")
        with tempfile.NamedTemporaryFile() as out:
            dump = subprocess.Popen(ns.prefix() + [
                "tcpdump", "-i", "lo", "-s", "262144", "-B", "65536", "-U", "-w", out.name, "-Q", "in"],
                stderr=subprocess.PIPE)
            dump.stderr.readline()
            time.sleep(0.5)
            ns.run("python3", "-c", script)
            time.sleep(1.0)
            dump.terminate()
            dump.wait()
            packets, size = tcpdump_sum(out.name)
        self.assertGreater(size, 2000000)
        wait_for(lambda: daemon.iface("lo")["worker"]["interval"]["books"]["packets"]
                 >= packets)
        books = daemon.iface("lo")["worker"]["interval"]["books"]
        self.assertEqual((books["packets"], books["bytes"]), (packets, size))
        daemon.close()
        ns.close()


def manifest_sum(name):
    with open(os.path.join(PCAPS, "MANIFEST.tsv"), newline="") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["file"] == name:
                return int(row["packets"]), int(row["wire_bytes"])
    raise KeyError(name)


def tcpdump_sum(path):
    """Packets and frame bytes of a pcap file, read without any library."""
    with open(path, "rb") as f:
        data = f.read()
    magic = data[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, packets, size = 24, 0, 0
    while at + 16 <= len(data):
        _, _, captured, wire = struct.unpack(order + "IIII", data[at:at + 16])
        at += 16 + captured
        packets += 1
        size += wire
    return packets, size


if __name__ == "__main__":
    main()
