"""weirctl read: flows and books of capture files, made here packet by packet."""

import gzip
import json
import os
import subprocess
import tempfile
import unittest

from harness import (ACK, BIN, PSH, SYN, books_close, ethernet, ipv4, main, pcap, read_json,
                     tcp, udp)


class Read(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="weirt-")
        self.path = os.path.join(self.dir.name, "capture.pcap")

    def tearDown(self):
        self.dir.cleanup()

    def read(self, data, *options, check=True):
        with open(self.path, "wb") as f:
            f.write(data)
        code, document, text = read_json(self.path, *options, check=check)
        if document:
            self.assertTrue(books_close(document["books"]), document["books"])
            if "--books" not in options:
                self.assertEqual(sum(f["packets"] for f in document["flows"]),
                                 document["books"]["in_flows"]["packets"])
                self.assertEqual(sum(f["bytes"] for f in document["flows"]),
                                 document["books"]["in_flows"]["bytes"])
        return code, document, text

    def test_five_packets_each_way_are_one_flow(self):
        packets = []
        for i in range(5):
            packets.append((1000 + i, ethernet(ipv4("10.0.0.7", "10.0.0.2", 17,
                                                    udp(40000, 53)))))
            packets.append((1000.5 + i, ethernet(ipv4("10.0.0.2", "10.0.0.7", 17,
                                                      udp(53, 40000)))))
        flows = self.read(pcap(packets))[1]["flows"]
        self.assertEqual(len(flows), 1)
        self.assertEqual(flows[0]["src"], "10.0.0.7")
        self.assertEqual(flows[0]["dport"], 53)
        self.assertEqual(flows[0]["received_fwd"]["packets"], 5)
        self.assertEqual(flows[0]["received_rev"]["packets"], 5)
        self.assertEqual(flows[0]["first_ns"], 1000 * 10**9)
        self.assertEqual(flows[0]["last_ns"], 1004500 * 10**6)

    def test_syn_ack_first_is_the_answering_side(self):
        packets = [(1, ethernet(ipv4("10.0.0.2", "10.0.0.7", 6,
                                     tcp(40000, 50000, SYN | ACK, b"x" * 100))))]
        flow = self.read(pcap(packets))[1]["flows"][0]
        self.assertEqual((flow["src"], flow["dst"], flow["dport"]),
                         ("10.0.0.7", "10.0.0.2", 40000))
        self.assertEqual(flow["confidence"], "sure")
        self.assertEqual(flow["received_fwd"], {"packets": 0, "bytes": 0})
        self.assertEqual(flow["received_rev"], {"packets": 1, "bytes": 154})

    def test_data_first_between_odd_ports_is_a_guess(self):
        packets = [(1, ethernet(ipv4("10.0.0.2", "10.0.0.7", 6,
                                     tcp(50000, 40000, ACK | PSH))))]
        flow = self.read(pcap(packets))[1]["flows"][0]
        self.assertEqual(flow["src"], "10.0.0.2")
        self.assertEqual(flow["confidence"], "guess")

    def test_one_flow_of_more_than_four_gigabytes(self):
        frame = ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, udp(1, 2), length=65535))
        packets = [(i / 1000, frame, 65549) for i in range(65600)]
        document = self.read(pcap(packets))[1]
        self.assertEqual(len(document["flows"]), 1)
        self.assertEqual(document["flows"][0]["bytes"], 4300014400)
        self.assertEqual(document["books"]["bytes"], 4300014400)
        for output in ("csv", "table"):
            done = subprocess.run([os.path.join(BIN, "weirctl"), "-o", output, "read",
                                   self.path], stdout=subprocess.PIPE, check=True)
            self.assertIn(b"4300014400" if output == "csv" else b"4.00 GiB", done.stdout)

    def test_super_packets_without_an_ip_length(self):
        frame = ethernet(ipv4("10.0.0.2", "10.0.0.7", 6, tcp(5000, 80, ACK), length=0))
        document = self.read(pcap([(1, frame, 80066)]))[1]
        self.assertEqual(document["flows"][0]["bytes"], 80066)
        self.assertEqual(document["flows"][0]["dport"], 80)

    def test_tags_and_what_is_not_ip(self):
        inner = ipv4("10.0.0.2", "10.0.0.7", 17, udp(40000, 53))
        document = self.read(pcap([
            (1, ethernet(inner, tags=[(0x8100, 11)])),
            (1, ethernet(inner, tags=[(0x88a8, 200), (0x8100, 2001)])),
            (1, ethernet(b"\0" * 28, 0x0806))]))[1]
        self.assertEqual(len(document["flows"]), 1)
        self.assertEqual(document["flows"][0]["packets"], 2)
        self.assertEqual(document["books"]["refused"]["not_ip"]["packets"], 1)

    def test_fragments_count_in_the_flow_of_the_first(self):
        payload = udp(40000, 53, b"x" * 1472)
        first = ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, payload, fragment=0x2000))
        later = ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, b"y" * 400, fragment=185))
        document = self.read(pcap([(1, first), (1, later)]))[1]
        self.assertEqual(len(document["flows"]), 1)
        self.assertEqual(document["flows"][0]["packets"], 2)
        self.assertEqual(document["flows"][0]["dport"], 53)

    def test_many_fragments_without_a_first_then_a_ping(self):
        packets = [(1 + i / 10000,
                    ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, b"y" * 40,
                                  fragment=1 + i % 8000, ident=i & 0xffff)))
                   for i in range(20000)]
        packets.append((4, ethernet(ipv4("10.0.0.2", "10.0.0.7", 1, b"\x08" + b"\0" * 7))))
        document = self.read(pcap(packets))[1]
        self.assertEqual(document["books"]["in_flows"]["packets"], 20001)
        self.assertEqual({(f["proto"], f["packets"], f["sport"]) for f in document["flows"]},
                         {(17, 20000, 0), (1, 1, 0)})

    def test_a_broadcast_address_is_never_the_client(self):
        for group in ("255.255.255.255", "239.1.2.3", "224.0.0.251"):
            packets = [(1, ethernet(ipv4("192.168.1.105", group, 17, udp(9, 50000)))),
                       (2, ethernet(ipv4("192.168.1.105", group, 17, udp(9, 50000))))]
            flow = self.read(pcap(packets))[1]["flows"][0]
            self.assertEqual((flow["src"], flow["dst"]), ("192.168.1.105", group))

    def test_books_only(self):
        document = self.read(pcap([(1, ethernet(ipv4("10.0.0.2", "10.0.0.7", 17,
                                                     udp(1, 2))))]), "--books")[1]
        self.assertEqual(document["books"]["packets"], 1)
        self.assertFalse(document.get("flows"))

    def test_gzip_and_standard_input(self):
        data = pcap([(1, ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, udp(1, 2))))] * 1000)
        plain = self.read(data)[1]
        self.assertEqual(self.read(gzip.compress(data))[1], plain)
        for content in (data, gzip.compress(data)):
            done = subprocess.run([os.path.join(BIN, "weirctl"), "-o", "json", "read", "-"],
                                  input=content, stdout=subprocess.PIPE, check=True)
            self.assertEqual(json.loads(done.stdout)["books"], plain["books"])

    def test_an_unknown_link_type_is_a_warning(self):
        code, document, text = self.read(pcap([(1, b"\1" * 60)] * 3, link_type=201))
        self.assertEqual(code, 0)
        self.assertEqual(document["books"]["refused"]["link_type"],
                         {"packets": 3, "bytes": 180})
        self.assertIn("link type", text)

    def test_a_file_cut_short_gives_what_was_read_and_fails(self):
        data = pcap([(1, ethernet(ipv4("10.0.0.2", "10.0.0.7", 17, udp(1, 2))))] * 5)
        code, document, text = self.read(data[:-3], check=False)
        self.assertEqual(code, 1)
        self.assertEqual(document["books"]["packets"], 4)
        self.assertIn("capture.pcap", text)

    def test_no_such_file_and_no_capture_file(self):
        done = subprocess.run([os.path.join(BIN, "weirctl"), "read", "/nonexistent.pcap"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nonexistent.pcap", done.stderr)
        code, _, text = self.read(b"this is no capture file at all, not at all",
                                  check=False)
        self.assertEqual(code, 1)
        self.assertIn("capture.pcap", text)


if __name__ == "__main__":
    main()
