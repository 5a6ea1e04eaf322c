"""Links of other kinds, and filters inside tags, live."""

import fcntl
import os
import struct
import time
import unittest

from harness import Daemon, Namespace, ethernet, ipv4, main, need_root, setns, udp, wait_for

need_root()

TUNSETIFF, TUNSETLINK = 0x400454ca, 0x400454cd
IFF_TUN, IFF_NO_PI = 1, 0x1000


class Tun:
    """A tun device: what is written to it is received, what is routed to it is sent."""

    def __init__(self, ns, name, link=None):
        here, there = os.open("/proc/self/ns/net", 0), os.open("/run/netns/" + ns.name, 0)
        try:
            setns(there)
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, TUNSETIFF,
                        struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        finally:
            setns(here)
            os.close(here)
            os.close(there)
        if link is not None:
            fcntl.ioctl(self.fd, TUNSETLINK, link)
        ns.ip("link", "set", name, "up")

    def close(self):
        os.close(self.fd)


def tagged(*tags, port=53):
    packet = ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, port, b"x" * 20))
    return ethernet(packet, tags=tags)


class Links(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()
        self.daemon = None

    def tearDown(self):
        if self.daemon:
            self.daemon.close()
        self.ns.close()

    def books(self, iface):
        return self.daemon.iface(iface)["worker"]["interval"]["books"]

    def send(self, iface, *frames):
        sock = self.ns.packet_socket(iface)
        for frame in frames:
            sock.send(frame)
        sock.close()

    def test_a_tun_device_counts_both_ways(self):
        tun = Tun(self.ns, "tun0")
        self.ns.ip("addr", "add", "10.7.0.1/24", "dev", "tun0")
        self.daemon = Daemon(["tun0"], self.ns)
        self.assertIn(self.daemon.iface("tun0")["worker"]["in_force"]["link_type"],
                      ("RAW", "IPV4"))
        received = ipv4("10.7.0.2", "10.7.0.9", 17, udp(53, 4000, b"x" * 30))
        for _ in range(7):
            os.write(tun.fd, received)
        self.ns.run("python3", "-c", "import socket\n"
                    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    "for _ in range(5): s.sendto(b'y' * 10, ('10.7.0.2', 53))")
        wait_for(lambda: self.books("tun0")["packets"] >= 12)
        self.daemon.rotate()
        rows = self.daemon.query("src,dst,dport", "-s", "packets")["rows"]
        self.assertEqual(rows[0]["received"], {"packets": 7, "bytes": 7 * len(received)})
        sent = [row for row in rows if row["src"] == "10.7.0.1"]
        self.assertEqual(sent[0]["sent"], {"packets": 5, "bytes": 5 * 38})
        tun.close()

    def test_an_unsupported_link_type_stops_nobody_else(self):
        can = Tun(self.ns, "can0", link=280)  # ARPHRD_CAN
        self.daemon = Daemon(["vb", "can0"], self.ns, start=False)
        self.daemon.start(wait=False)
        wait_for(lambda: os.path.exists(self.daemon.socket) and
                 self.daemon.status(check=False) and
                 self.daemon.iface("can0")["state"] == "error" and
                 self.daemon.iface("vb")["state"] == "active", 20)
        status = self.daemon.iface("can0")
        self.assertEqual(status["reason"], "link_type")
        self.assertIn("not supported", status["reason_text"])
        self.send("va", tagged())
        wait_for(lambda: self.books("vb")["in_flows"]["packets"] == 1)
        can.close()

    def test_loopback_counts_once(self):
        self.daemon = Daemon(["lo"], self.ns)
        self.ns.run("python3", "-c", "import socket\n"
                    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    "s.bind(('127.0.0.1', 5000))\n"
                    "s.sendto(b'x' * 100, ('127.0.0.1', 5000))\n")
        wait_for(lambda: self.books("lo")["packets"] >= 1)
        time.sleep(0.4)
        self.assertEqual((self.books("lo")["packets"], self.books("lo")["bytes"]), (1, 142))

    def test_a_plain_filter_counts_the_same_on_both_sides_inside_tags(self):
        """The kernel takes the outer tag out of what is received, not of what is sent."""
        plain, one, other = tagged(), tagged((0x8100, 11)), tagged((0x8100, 12), port=5000)
        two, double = tagged((0x88a8, 11), (0x8100, 12)), tagged((0x8100, 11), (0x8100, 12))
        frames = [plain] * 10 + [one] * 20 + [other] * 40 + [two] * 80 + [double] * 160
        expected = {'""': 310, "udp port 53": 270, "not udp port 53": 40, "udp": 310,
                    "vlan 11": 260, "vlan 11 and udp port 53": 20, "host 10.0.0.2 and port 5000": 40}
        for text, packets in expected.items():
            with self.subTest(text):
                self.daemon = Daemon(["va", "vb"], self.ns, keys={
                    name: {"filter": text} for name in ("va", "vb")})
                self.send("va", *frames)
                wait_for(lambda: self.books("va")["packets"] >= packets and
                         self.books("vb")["packets"] >= packets)
                time.sleep(0.3)
                self.assertEqual(self.books("va")["packets"], packets)
                self.assertEqual(self.books("vb")["packets"], packets)
                # What the books have is what the kernel let through.
                kernel = self.daemon.iface("vb")["worker"]["interval"]["kernel"]
                self.assertEqual(kernel["received"], self.books("vb")["packets"])
                self.daemon.close()

    def test_tag_offload_makes_no_difference(self):
        frames = [tagged((0x8100, 11))] * 30 + [tagged((0x8100, 12))] * 50
        for offload in ("on", "off"):
            self.ns.run("ethtool", "-K", "va", "txvlan", offload)
            self.ns.run("ethtool", "-K", "vb", "rxvlan", offload)
            for text, packets in (("vlan 11", 30), ("udp", 80), ("vlan 11 and udp", 30)):
                with self.subTest(text, offload=offload):
                    self.daemon = Daemon(["va", "vb"], self.ns, keys={
                        name: {"filter": text} for name in ("va", "vb")})
                    self.send("va", *frames)
                    for name in ("va", "vb"):
                        wait_for(lambda: self.books(name)["packets"] >= packets)
                    time.sleep(0.3)
                    for name in ("va", "vb"):
                        self.assertEqual(self.books(name)["packets"], packets, name)
                    self.daemon.close()

    def test_filters_on_loopback_and_on_a_tun_device(self):
        tun = Tun(self.ns, "tun0")
        self.ns.ip("addr", "add", "10.7.0.1/24", "dev", "tun0")
        self.daemon = Daemon(["lo", "tun0"], self.ns, keys={
            "lo": {"filter": "udp dst port 5000"}, "tun0": {"filter": "udp port 53"}})
        send = ("import socket\n"
                "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "for _ in range(6): s.sendto(b'x' * 100, ('127.0.0.1', 5000))\n"
                "for _ in range(4): s.sendto(b'x' * 100, ('127.0.0.1', 5001))\n"
                "for _ in range(5): s.sendto(b'y' * 10, ('10.7.0.2', 53))\n"
                "for _ in range(9): s.sendto(b'y' * 10, ('10.7.0.2', 54))\n")
        self.ns.run("python3", "-c", send)
        for _ in range(7):
            os.write(tun.fd, ipv4("10.7.0.2", "10.7.0.9", 17, udp(53, 4000)))
            os.write(tun.fd, ipv4("10.7.0.2", "10.7.0.9", 17, udp(99, 4000)))
        wait_for(lambda: self.books("lo")["packets"] >= 6 and
                 self.books("tun0")["packets"] >= 12)
        time.sleep(0.3)
        self.assertEqual(self.books("lo")["packets"], 6)
        self.assertEqual(self.books("tun0")["packets"], 12)
        done = self.daemon.rotate()
        self.assertTrue(done["tun0"]["done"])
        total = self.daemon.query("iface", "-i", "tun0")["total"]
        self.assertEqual((total["received"]["packets"], total["sent"]["packets"]), (7, 5))
        tun.close()

    def test_a_filter_that_does_not_compile_is_an_error_of_that_interface(self):
        self.daemon = Daemon(["va", "vb"], self.ns, keys={"va": {"filter": "no such"}},
                             start=False)
        self.daemon.start(wait=False)
        wait_for(lambda: os.path.exists(self.daemon.socket) and
                 self.daemon.status(check=False) and
                 self.daemon.iface("va")["state"] == "error" and
                 self.daemon.iface("vb")["state"] == "active", 20)
        self.assertEqual(self.daemon.iface("va")["reason"], "filter")
        self.assertTrue(self.daemon.iface("va")["reason_text"])


if __name__ == "__main__":
    main()
