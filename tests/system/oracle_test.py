"""weirctl read and the oracle agree flow by flow on every capture that both know."""

import ipaddress
import os
import unittest

import oracle
from corpus_test import manifest
from harness import PCAPS, main, need_pcaps, read_json

need_pcaps()

KEYS = ("src", "dst", "sport", "dport", "proto", "orientation", "first_ns", "last_ns",
        "tcp_flags_fwd", "tcp_flags_rev", "received_fwd", "received_rev", "sent_fwd",
        "sent_rev")


def comparable(flow):
    out = []
    for key in KEYS:
        value = flow[key]
        if key in ("src", "dst"):
            value = str(ipaddress.ip_address(value))
        out.append(tuple(sorted(value.items())) if isinstance(value, dict) else value)
    return tuple(out)


class Oracle(unittest.TestCase):
    def test_every_capture(self):
        compared = flows = 0
        for row in manifest():
            path = os.path.join(PCAPS, row["file"])
            _, document, _ = read_json(path, check=False)
            if not document or not document["books"]["packets"]:
                continue
            try:
                refused, expected = oracle.flows_of(path, document["books"]["packets"])
            except oracle.Unknown:
                continue
            with self.subTest(row["file"]):
                self.assertEqual(
                    {name: [c["packets"], c["bytes"]] for name, c in
                     document["books"]["refused"].items() if c["packets"]}, refused)
                self.assertEqual(sorted(map(comparable, document["flows"]))[:50000],
                                 sorted(map(comparable, expected))[:50000])
            compared += 1
            flows += len(expected)
        print("%d captures, %d flows agree" % (compared, flows))
        self.assertGreater(compared, 200)


if __name__ == "__main__":
    main()
