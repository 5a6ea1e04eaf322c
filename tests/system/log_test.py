"""Log lines as datagrams: what a syslog server on loopback gets of a daemon."""

import os
import re
import signal
import socket
import time
import unittest

from harness import (Daemon, Namespace, ethernet, ipv4, main, need_root, setns, udp,
                     wait_for)

# RFC 5424: priority, version, time, host, program, process, topic, structured data, text
LINE = re.compile(r'^<(\d+)>1 (\S+Z) (\S+) (\S+) (\d+) (\S+) (-|\[weir@32473 iface="((?:[^"\\]|'
                  r'\\.)*)"\]) (?:\ufeff)?(.*)$', re.S)


class Log(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth("va", "vb")
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.ns.name, os.O_RDONLY)
        try:
            setns(there)
            self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.server.bind(("127.0.0.1", 514))
        finally:
            setns(here)
            os.close(here)
            os.close(there)
        self.server.settimeout(1)
        self.daemon = Daemon(["va", "vb"], self.ns, extra="log: udp\nlog_flows: true")

    def tearDown(self):
        self.daemon.close()
        self.server.close()
        self.ns.close()

    def lines(self):
        """Everything that has come: (program, topic, interface, text)."""
        out = []
        try:
            while True:
                text = self.server.recv(65536).decode()
                match = LINE.match(text)
                self.assertTrue(match, text)
                self.assertNotIn("\n", text)
                out.append((match[4], match[6], match[8] or "", match[9]))
        except TimeoutError:
            return out

    def test_a_death_is_one_line_with_the_interface_as_a_field(self):
        pid = self.daemon.iface("vb")["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.daemon.iface("vb")["restarts"] == 1)
        self.daemon.wait_active()
        died = [line for line in self.lines() if "has died" in line[3]]
        self.assertEqual(len(died), 1, died)
        self.assertEqual(died[0][:3], ("weir-supervisor", "worker", "vb"))
        self.assertIn(str(pid), died[0][3])

    def test_a_line_for_each_flow_that_is_stored(self):
        sender = self.ns.packet_socket("va")
        for i in range(30):
            for _ in range(i % 3 + 1):
                sender.send(ethernet(ipv4("10.0.0.%d" % (i + 1), "10.0.0.99", 17,
                                          udp(40000 + i, 53, b"x" * 50))))
        sender.close()
        wait_for(lambda: self.daemon.iface("vb")["worker"]["interval"]["books"]["packets"] >= 60)
        time.sleep(0.3)
        self.daemon.rotate()
        logged = {}
        for program, topic, iface, text in self.lines():
            if topic != "flow":
                continue
            self.assertEqual(program, "weir-store")
            fields = dict(part.split("=", 1) for part in text.split(" ") if "=" in part)
            key = (iface, fields["src"], fields["dst"], int(fields["dport"]))
            self.assertNotIn(key, logged)
            logged[key] = sum(int(n) for name, n in fields.items()
                              if name.endswith("_packets"))
        stored = {(row["iface"], row["src"], row["dst"], row["dport"]): row["packets"]
                  for row in self.daemon.query("iface,src,dst,dport", "-n", "0")["rows"]}
        self.assertEqual(logged, stored)
        self.assertEqual(len(stored), 60)


if __name__ == "__main__":
    need_root()
    main()
