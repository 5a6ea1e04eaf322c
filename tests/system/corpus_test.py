"""Every capture of the corpus: books close, packets and bytes equal the manifest's, and
so do the protocol counts wherever weir claims to decode what stands before IP."""

import csv
import os
import time
import unittest

from harness import PCAPS, SANITIZED, books_close, main, need_pcaps, read_json

need_pcaps()

# Where weir's counts differ from the manifest's (tshark's), and why. "counts": the
# protocol columns; "bytes": the sum of wire lengths.
EXCEPTIONS = {
    "linktypes/happy-shark__dns.pcapng": ("counts", "PKTAP behind a user link type"),
    "linktypes/tcpdump__OSPFv3_NBMA_adjacencies.pcap": ("counts", "Frame Relay left out"),
    "linktypes/tcpdump__arcnet-rfc1051-arp-icmp-http.pcap": ("counts", "ARCNET left out"),
    "linktypes/tcpdump__bgp-aigp.pcap": ("counts", "Juniper's own headers left out"),
    "linktypes/wswiki__6lowpan-rfrag-icmpv6.pcapng": ("counts", "6LoWPAN left out"),
    "linktypes/wswiki__rpl_sample.cap.gz": ("counts", "Token Ring left out"),
    "large/goprobe__default.pcap.gz":
        ("counts", "10 packets of ethertype IPv4 with another version: bad_header"),
    "malformed/goprobe__truncated.pcap.gz": ("counts", "cut before the ports: truncated"),
    "malformed/zeek__mpls-6in6-broken.pcap.gz":
        ("counts", "24 packets whose IPv4 length is below its header's: bad_header"),
    "malformed/pcpp__clusterfuzz-5723611632762880":
        ("bytes", "a length above 2^31, which tshark caps"),
    "malformed/flowlab__14_sll2_truncated_inner_ipv6.pcap":
        ("counts", "cut inside the IPv6 header: truncated"),
    "malformed/tcpdump__hoobr_rt6_print.pcap":
        ("counts", "cut inside an extension header: truncated"),
    "malformed/tcpdump__ip6_frag_asan.pcap":
        ("counts", "cut inside the fragment header: truncated"),
    "malformed/tcpdump__ipv4_invalid_hdr_length.pcap":
        ("counts", "header length below 20: bad_header"),
    "malformed/tcpdump__ipv6_invalid_length.pcap":
        ("counts", "payload length ends before the ports: truncated"),
    "malformed/zeek__ip6-ext-trunc.pcap":
        ("counts", "cut inside an extension header: truncated"),
    "malformed/pcpp__clusterfuzz-6604968558198784":
        ("bytes", "a length above 2^31, which tshark caps"),
    "malformed/tcpdump__atm-oam-loopback-print-overrun.pcap":
        ("bytes", "ATM pseudo-header, which tshark takes off"),
}

COLUMNS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "sctp": 132}


def manifest():
    with open(os.path.join(PCAPS, "MANIFEST.tsv"), newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def counts(flows):
    found = dict.fromkeys(("ipv4", "ipv6", *COLUMNS), 0)
    for flow in flows:
        found["ipv%d" % flow["family"]] += flow["packets"]
        for column, proto in COLUMNS.items():
            if flow["proto"] == proto:
                found[column] += flow["packets"]
    return found


class Corpus(unittest.TestCase):
    def check_unreadable(self, code, text, row):
        self.assertEqual(code, 1, text)
        self.assertIn(os.path.basename(row["file"]), text)

    def check(self, row):
        excused = EXCEPTIONS.get(row["file"], ("", ""))[0]
        start = time.monotonic()
        code, document, text = read_json(os.path.join(PCAPS, row["file"]), check=False)
        if not SANITIZED:
            self.assertLess(time.monotonic() - start, 2.0, "no file takes over 2 s")
        # libpcap itself reads no compressed files; weir reads through gzip.
        gzip = row["compression"] == "gzip"
        if not gzip and row["libpcap_packets"] == "":
            if code == 1 or row["packets"] in ("", "0"):
                self.check_unreadable(code, text, row)
                return
            packets = row["packets"]  # a link type that tcpdump cannot print
        else:
            packets = row["packets"] if gzip else row["libpcap_packets"]
        books = document["books"]
        self.assertTrue(books_close(books), books)
        self.assertEqual(books["packets"], int(packets))
        for unit in ("packets", "bytes"):
            self.assertEqual(sum(flow[unit] for flow in document["flows"]),
                             books["in_flows"][unit])
        if row["libpcap_error"] and row["libpcap_packets"] and not gzip:
            self.check_unreadable(code, text, row)
        elif not row["tshark_error"]:
            self.assertEqual(code, 0, text)
        if packets != row["packets"] or row["ipv4"] == "":
            return  # tshark read another part of it, or does not know the link type
        if excused != "bytes":
            self.assertEqual(books["bytes"], int(row["wire_bytes"]))
        if excused != "counts":
            self.assertEqual(counts(document["flows"]),
                             {key: int(row[key]) for key in ("ipv4", "ipv6", *COLUMNS)},
                             books)

    def test_every_capture(self):
        rows = manifest()
        self.assertGreater(len(rows), 200)
        for row in rows:
            with self.subTest(row["file"]):
                self.check(row)

    def test_exceptions_are_still_exceptions(self):
        rows = {row["file"]: row for row in manifest()}
        for name, (kind, why) in EXCEPTIONS.items():
            row = rows[name]
            document = read_json(os.path.join(PCAPS, name), check=False)[1]
            with self.subTest(name, why=why):
                if kind == "bytes":
                    self.assertNotEqual(document["books"]["bytes"], int(row["wire_bytes"]))
                else:
                    self.assertNotEqual(counts(document["flows"])["ipv4"] +
                                        counts(document["flows"])["ipv6"],
                                        int(row["ipv4"]) + int(row["ipv6"]))

    def test_big_tcp_counts_what_the_kernel_saw(self):
        for name, size in (("bigtcp-ipv4", 80066), ("bigtcp-ipv6", 80054),
                           ("bigtcp-ipv6-hbh", 80094)):
            for folder in ("everyday", "ipv6"):
                path = os.path.join(PCAPS, folder, "tcpdump__%s.pcap" % name)
                if not os.path.exists(path):
                    continue
                document = read_json(path)[1]
                flow = document["flows"][0]
                self.assertEqual(document["books"]["bytes"], size)
                self.assertEqual((flow["bytes"], flow["packets"], flow["proto"]),
                                 (size, 1, 6))
                self.assertNotEqual(flow["dport"], 0)


if __name__ == "__main__":
    main()
