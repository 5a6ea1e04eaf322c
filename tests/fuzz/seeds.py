#!/usr/bin/python3
"""Writes what fuzzers begin with: for each one valid input of each kind, and some that are
not. Usage: seeds.py DIRECTORY; it gets DIRECTORY/AREA/NAME/ and words in AREA/NAME.dict."""

import gzip
import os
import struct
import sys

import msgpack

from frames import (A4, B4, MACS, SNAP, SYN, SYN6, Pcapng, ethernet, ipv4, ipv6,
                    ipv6_fragment, pcap, tcp, udp, udp_flow)

#
# Frames, as worker/decode_fuzz.c takes them.
#

LINK_TYPES = ["EN10MB", "SLL", "SLL2", "RAW", "IPV4", "IPV6", "NULL", "LOOP", "PPP",
              "PPP_SERIAL", "PPP_ETHER", "C_HDLC", "ENC", "PFLOG", "NFLOG", "WIFI",
              "RADIOTAP", "PPI", "FDDI", "FC", "FIREWIRE", "IPNET", "RAW14", "UNKNOWN",
              "NEGATIVE"]
COUNT, NO_ROTATION = 1, 255
SENT, LATER, CUT = 0x01, 0x08, 0x20


def frame(link_type, data, flags=0, number=0):
    return struct.pack("<BBHH", LINK_TYPES.index(link_type), flags, number,
                       len(data)) + data


def eth(kind, payload, flags=0, number=0):
    return frame("EN10MB", ethernet(kind, payload), flags, number)


def row(*frames, mode=COUNT, rotate_at=NO_ROTATION):
    return bytes([mode, rotate_at]) + b"".join(frames)


def decode_seeds():
    label, bottom = bytes.fromhex("00010040"), bytes.fromhex("00010140")
    inside = ethernet(0x800, SYN)
    wifi = b"\x88\x01" + bytes(24) + SNAP
    backbone = ethernet(0x88e7, b"\0\0\0\1" + inside)
    many = [frame("EN10MB", udp_flow(i), (i & 1) | (i % 4) << 1, i) for i in range(24)]
    yield row(eth(0x800, SYN), eth(0x800, ipv4(6, tcp(443, 40000, 0x12), B4, A4), SENT),
              eth(0x800, ipv4(6, tcp(40000, 443, 1))), rotate_at=1)
    yield row(eth(0x800, ipv4(17, udp(68, 67), bytes(4), b"\xff" * 4)),
              eth(0x86dd, ipv6(17, udp(546, 547))),
              eth(0x800, ipv4(17, udp(5353, 5353), dst=b"\xe0\0\0\xfb")), rotate_at=0)
    yield row(eth(0x800, ipv4(1, b"\x08\0\0\0\0\1\0\1")),
              eth(0x800, ipv4(1, b"\0\0\0\0\0\1\0\1", B4, A4), SENT),
              eth(0x86dd, ipv6(58, b"\x80" + bytes(7))),
              eth(0x86dd, ipv6(58, b"\x87" + bytes(7))))
    yield row(eth(0x800, ipv4(17, udp(1000, 53, bytes(16)), fragment=0x2000)),
              eth(0x800, ipv4(17, bytes(24), fragment=3)),
              eth(0x800, ipv4(17, bytes(24), fragment=3), LATER),
              eth(0x800, ipv4(6, bytes(24), fragment=5, ident=9)), rotate_at=1)
    yield row(eth(0x86dd, ipv6(44, ipv6_fragment(17, 0, 1, 5, udp(1, 53, bytes(16))))),
              eth(0x86dd, ipv6(44, ipv6_fragment(17, 3, 0, 5, bytes(8)))),
              eth(0x86dd, ipv6(44, ipv6_fragment(60, 0, 1, 6,
                                                 b"\x11\0" + bytes(6) + udp(1, 53)))),
              eth(0x86dd, ipv6(44, ipv6_fragment(60, 3, 0, 6, bytes(8)))),
              eth(0x86dd, ipv6(44, ipv6_fragment(6, 0, 0, 6, tcp(1, 2, 2)))))
    yield row(eth(0x86dd, ipv6(0, b"\x2b\0" + bytes(6) + b"\x3c\x01" + bytes(14) +
                               b"\x06\0" + bytes(6) + tcp(1, 80, 0x10))),
              eth(0x86dd, ipv6(43, b"\x32\0" + bytes(14))),
              eth(0x86dd, ipv6(6, tcp(1, 80, 2), length=0)))
    yield row(eth(0x800, ipv4(6, tcp(1, 80, 2), options=b"\1" * 40)),
              eth(0x800, ipv4(132, b"\0\1\0\2")), eth(0x800, ipv4(47, b"")),
              eth(0x800, ipv4(6, tcp(1, 80, 2), total=0)))
    yield row(eth(0x8100, b"\0\1\x08\0" + SYN),
              eth(0x88a8, b"\0\1\x81\0\0\2\x08\0" + SYN),
              eth(0x9100, b"\0\1\x92\0\0\2\x86\xdd" + SYN6),
              eth(0x893f, bytes(6) + b"\x08\0" + SYN))
    yield row(eth(0x8847, label + bottom + SYN), eth(0x8847, bottom + SYN6),
              eth(0x8848, bottom + bytes(4) + inside),
              eth(0x8847, bottom + ethernet(0x8100, b"\0\1\x08\0" + SYN)))
    yield row(eth(0x8864, b"\x11\0\0\1\0\x30\0\x21" + SYN),
              frame("PPP_ETHER", b"\x11\0\0\1\0\x30\x57" + SYN6),
              eth(0x8864, b"\x11\0\0\1\0\x30\x02\x81" + bottom + SYN))
    yield row(eth(0x88e7, b"\0\0\0\1" + inside), eth(0x8903, b"\0\1" + backbone),
              eth(0x894f, b"\0\x02\x01\x01\0\0\0\0" + SYN),
              eth(0x894f, b"\0\x06\x02\x03" + bytes(20) + inside),
              eth(0x894f, b"\0\x02\x01\x05\0\0\0\0" + bottom + SYN))
    yield row(eth(len(SNAP), SNAP), eth(50, b"\x06\x06\x03" + SYN),
              eth(50, b"\x42\x42\x03" + bytes(40)),
              frame("FDDI", b"\x50" + MACS + SNAP), frame("FC", bytes(16) + SNAP))
    yield row(frame("SLL", b"\0\x04\0\1\0\6" + bytes(8) + b"\x08\0" + SYN),
              frame("SLL", b"\0\0\0\1\0\6" + bytes(8) + b"\0\x04" + SNAP),
              frame("SLL2", b"\x86\xdd\0\0\0\0\0\2\0\1\4\6" + bytes(8) + SYN6),
              rotate_at=1)
    yield row(frame("RAW", SYN), frame("RAW", SYN6), frame("IPV4", SYN),
              frame("IPV6", SYN6), frame("RAW14", SYN), frame("UNKNOWN", SYN),
              frame("NEGATIVE", SYN), frame("IPV4", SYN6))
    yield row(frame("NULL", b"\x02\0\0\0" + SYN), frame("LOOP", b"\0\0\0\x02" + SYN),
              frame("NULL", b"\x1e\0\0\0" + ipv6(17, udp(1, 2))),
              frame("ENC", b"\x02\0\0\0" + bytes(8) + SYN),
              frame("PFLOG", b"\x3d\x02" + bytes(62) + SYN),
              frame("NFLOG", b"\x02\0\0\0" + b"\x08\0\x01\0" + bytes(4) +
                    struct.pack("<HH", 4 + len(SYN), 9) + SYN),
              frame("IPNET", b"\x01\x02" + bytes(22) + SYN),
              frame("IPNET", b"\x01\x1a" + bytes(22) + SYN6))
    yield row(frame("PPP", b"\xff\x03\0\x21" + SYN), frame("PPP_SERIAL", b"\x21" + SYN),
              frame("PPP", b"\x0f\0\x08\0" + SYN),
              frame("C_HDLC", b"\x0f\0\x86\xdd" + SYN6))
    yield row(frame("WIFI", b"\x08\x02" + bytes(22) + SNAP),
              frame("WIFI", b"\x88\x83" + bytes(34) + SNAP),
              frame("RADIOTAP", b"\0\0\x09" + bytes(6) + wifi),
              frame("PPI", b"\0\0\x08\0\x69\0\0\0" + wifi),
              frame("PPI", b"\0\0\x08\0\x01\0\0\0" + inside),
              frame("FIREWIRE", bytes(16) + b"\x08\0" + SYN),
              frame("WIFI", b"\x80" + bytes(31)))
    yield row(eth(0x806, bytes(28)), eth(0x800, SYN[:19]), eth(0x800, b"\x44" + SYN[1:]),
              eth(0x800, b"\x65" + SYN[1:]), frame("EN10MB", b""),
              frame("EN10MB", inside + b"pad", CUT, 36), eth(0x86dd, ipv6(6, b"")))
    yield row(*many, mode=COUNT | 1 << 1, rotate_at=11)
    yield row(*many, eth(0x800, SYN, 0x1e, 5), mode=COUNT | 2 << 1, rotate_at=3)


#
# Capture files.
#

def read_seeds():
    frames = [ethernet(0x800, SYN), udp_flow(1), ethernet(0x806, bytes(28)),
              ethernet(0x800, SYN[:6])]
    cooked = b"\0\4\0\1\0\6" + bytes(8) + b"\x08\0" + SYN
    ng, big = Pcapng(), Pcapng(">")
    plain = pcap(frames)
    blocks = ng.section() + ng.interface() + b"".join(map(ng.packet, frames))
    packed = gzip.compress(plain, mtime=0)
    yield from (plain, plain[:-7], plain[:30], plain[:10], b"", b"no capture\n" * 9)
    yield pcap(frames, magic=0xa1b23c4d)
    yield pcap(frames, order=">")
    yield pcap(frames, magic=0xa1b2cd34, extra=bytes(8))
    yield pcap([])
    yield pcap([udp_flow(i) for i in range(8)])
    yield pcap(frames[:2], wire=0xffffffff)
    yield pcap(frames[:1], snaplen=20)
    for link_type in (113, 101, 0, 147, 105, 276):
        yield pcap([cooked, SYN, b"\2\0\0\0" + SYN], link_type)
    yield pcap([]) + struct.pack("<IIII", 2 ** 32 - 1, 2 ** 32 - 1, 4, 4) + b"abcd" + \
        struct.pack("<IIII", 0, 2 ** 31 - 1, 4, 0) + b"abcd"
    yield from (blocks, blocks[:-9], blocks[:-4] + b"\xff\xff\0\0")
    yield big.section() + big.interface() + big.packet(frames[0])
    yield ng.section() + ng.interface(options=ng.option(9, b"\x09") + ng.option(
        14, struct.pack("<q", 5)) + ng.option(0, b"")) + ng.packet(frames[0])
    yield ng.section() + ng.interface(options=ng.option(9, b"\x83")) + ng.packet(frames[0])
    yield ng.section() + ng.interface(snaplen=60) + ng.simple_packet(frames[0]) + \
        ng.old_packet(frames[0])
    yield blocks + ng.section() + ng.interface(113) + ng.packet(cooked)
    yield ng.section() + ng.interface(1) + ng.interface(101) + ng.packet(frames[0]) + \
        ng.packet(SYN, 1)
    yield ng.section() + ng.block(0xbad, b"abcd") + ng.interface() + \
        ng.block(5, bytes(12)) + ng.block(4, bytes(4)) + ng.packet(frames[0])
    yield ng.section() + ng.packet(frames[0])
    yield ng.section() + ng.interface() + ng.packet(frames[0], time=2 ** 64 - 1) + \
        ng.packet(frames[0], time=0)
    yield from (packed, packed[:-12], packed[:60] + b"zzzz" + packed[64:])
    yield gzip.compress(blocks, mtime=0)
    yield gzip.compress(plain[:24], mtime=0) + gzip.compress(plain[24:], mtime=0)


#
# Damage to record files, as worker/records_fuzz.c takes it.
#

def records_seeds():
    def number(kind, *place, value):
        return bytes([kind, *place]) + struct.pack("<Q", value)

    def size(kind, value):
        return struct.pack("<BBH", 6, kind, value)

    def journal(state, generation, index, observed, sender, packets, octets):
        return struct.pack("<BBBHBBHQ", 5, state, generation, index, observed, sender,
                           packets, octets) + bytes(24)

    yield b""
    for place in range(10):
        yield number(1, place, value=1)
    for generation in range(2):
        for field in range(22):
            yield number(7, generation, field, value=5)
        for field in range(16):
            yield number(2, generation, 0, field, value=7)
            yield number(2, generation, 200, field, value=9)
    yield number(1, 8, value=3 << 16)
    yield number(1, 8, value=2 ** 64 - 1)
    yield number(2, 1, 0, 0, value=2 ** 63 - 1) + number(2, 1, 1, 1, value=2 ** 63)
    yield bytes([4, 1, 0, 1, 1, 4, 0, 2, 1, 0])
    for kind, value in ((0, 100), (0, 9000), (1, 300), (2, 260), (3, 5)):
        yield size(kind, value)
    for state in range(1, 4):
        yield journal(state, 1, 1, 0, 0, 1, 60)
        yield journal(state, 0, 256, 1, 1, 0, 0)


#
# Columns, as store/block_fuzz.c takes them.
#

def block_seeds():
    def block(rows, nameless, four, *blobs):
        return struct.pack("<HBH", rows, nameless, four) + b"".join(blobs)

    def blob(column, style, data, change=b""):
        return bytes([column, style]) + change + struct.pack("<H", len(data)) + data

    for style in (5, 7):
        yield block(9, 1, 4, *(blob(c, style | (c * 3 % 9 << 4 if c > 1 else 0),
                                    bytes(range(c, c + 20))) for c in range(18)))
        yield block(0, 0, 0, *(blob(c, style, b"") for c in range(18)))
        yield block(500, 0, 500, *(blob(c, style, b"abc") for c in range(18)))
        yield block(20, 5, 5, *(blob(c, style | 0x80, bytes(60)) for c in range(18)))
    for place in range(40):
        yield block(9, 1, 4, blob(2, 0x1f, b"hello", bytes([place, place * 7 + 1 & 255])))
    yield block(3, 0, 3, blob(0, 4, b"x" * 50), blob(3, 0, b"x" * 39), blob(3, 4, bytes(40)))


#
# Maps, as store/append_fuzz.c takes them.
#

def append_seeds():
    def flow(ends, which, packets=1, octets=60, scale=0):
        return bytes([ends & 255, which & 255, 10, 20, 11, 20, packets, scale, octets & 255,
                      scale])

    def step(how, kind, what=0, flows=b"", rest=b""):
        return bytes([how, kind, what]) + flows + rest

    def flows(count, base=0):
        return b"".join(flow(base + i * 5, i * 7, i + 1, 60 + i) for i in range(count))

    record = flow_record(4, b"\1\2\3\4", b"\4\3\2\1", 5, 6)
    yield step(0xf0, 0x40, 0, flows(13))
    yield step(0, 0, 1)
    yield step(0xf0, 0x40, 1, flows(13)) * 3
    yield step(0, 0x80, 0, flows(26)) + step(0x30, 0xc2, 1, flows(39))
    yield b"".join(step(0xf0, 0x40 | i, 1, flows(13, i)) for i in range(8))
    yield step(0xf0, 0x49, 1, flows(13)) + step(0xf0, 0x72, 0, flows(13))
    for lie in range(11):
        yield step(0xf0, 0x40, 2, flows(13), bytes([lie, 5, 0]))
    for how in (0x12, 0x14, 0x18, 0x1c):
        yield step(how, 0x80, 0, flows(26))
    for scale in (40, 55, 58):
        yield b"".join(step(0xf0, 0x40 | i, 0, b"".join(
            flow(j, 0, 1, 1, scale) for j in range(13))) for i in range(6))
    yield step(1, 0, 0, b"", bytes([4, len(record)]) + record) + \
        step(1, 1, 0, b"", b"\0\3abc") + step(1, 2, 0, b"", b"\x0c\0")
    yield b"".join(step(1, i, 0, b"", b"\0\0") for i in range(5)) + \
        step(0xf0, 0x45, 0, flows(13))


#
# Messages.
#

def flow_record(family, src, dst, sport, dport, numbers=(1, 2, 1, 60, 0, 0, 0, 0, 0, 0)):
    members = [family, src, dst, sport, dport, 6, 70, 0x1b, 0x12, *numbers]
    return b"\xdc\0\x13" + b"".join(map(msgpack.packb, members))


def message(kind, **keys):
    return msgpack.packb({"weir": 1, "type": kind, **keys})


def counter(packets=1, octets=60):
    return {"packets": packets, "bytes": octets}


BOOKS = {"packets": 10, "bytes": 1000, "in_flows": counter(9, 940),
         "overflow": counter(0, 0), "refused": {"not_ip": counter()}}
INTERVAL = {"begin_ms": 1767225600000, "end_ms": 1767225900000,
            "length_ns": 300000000000, "clock_step_ms": -5, "flows": 3, "cuts": 0,
            "busy": 1, "kernel": {"received": 10, "dropped": 0},
            "link": {"packets": 11, "dropped": 0, "missed": 0}, "books": BOOKS}
RUNNING = {key: value for key, value in INTERVAL.items() if key != "link"}
RUNNING["kernel"] = None
CONFIG = {"buffer": 8 << 20, "flows": 1000, "error_threshold": 0, "snaplen": 128,
          "timeout_ms": 100, "promiscuous": False, "filter": "tcp"}
CHUNK = (flow_record(4, A4, B4, 40000, 443,
                     (-5, 2 ** 40, 1, 60, 2, 1500, 0, 0, 2 ** 33, 2 ** 64 - 1)) +
         flow_record(6, bytes(16), bytes(16), 0, 0) + flow_record(0, b"", b"", 0, 0))
WORKER = {"state": "active", "reason": "", "reason_text": "", "file_id": 2 ** 64 - 1,
          "seq": 7, "frozen": {"seq": 6, "flows": 3, "interval": INTERVAL},
          "interval": RUNNING, "flows": 3, "flow_limit": 10, "total": counter(),
          "in_force": {"link_type": "EN10MB", "handles": 2, "buffer": 1 << 20,
                       "snaplen": 128, "timeout_ms": 100, "error_threshold": 0,
                       "promiscuous": True, "filter": "tcp"},
          "rotation": {"count": 1, "last_ns": 5, "worst_ns": 6},
          "adoption": {"flows": 2, "repaired": True, "ms": 3},
          "witness": {"kernel": 5, "handed_over": 5, "early": 0, "agrees": True,
                      "drain_ms": 9}}
IFACE = {"wanted": "enabled", "entry": "eth*", "config": CONFIG, "warnings": ["slow\x1b"],
         "link": {"presence": "up", "index": 2, "kind": "veth", "mtu": 1500,
                  "promiscuity": 1, "offload": "gro", "renamed": ""},
         "link_counts": {"packets": 1, "dropped": 2, "missed": 3}, "state": "active",
         "reason": "", "reason_text": "", "pid": 9, "uptime_ms": 5, "restarts": 1,
         "last_exit": "signal 9 (Killed)", "last_exit_ms": 4, "rotations": 2,
         "waiting": {"seq": 6, "since_ms": 5, "why": "the store is not running"},
         "worker": {**WORKER, "frozen": None}}
SILENT = {**IFACE, "state": "error", "reason": "down", "worker": None,
          "worker_error": "timeout", "leaving": True,
          "link": {"presence": "gone", "index": 0, "renamed": "eth9"}}
STATUS = {"supervisor": {"pid": 4711, "version": "0.1.0", "uptime_ms": 7,
                         "rotation_ms": 300000, "store": "/s"},
          "store": {"pid": 2, "running": True, "uptime_ms": 6, "restarts": 0,
                    "last_exit": "", "last_exit_ms": 0,
                    "report": {"path": "/s/weir.db", "bytes": 1, "intervals": 2,
                               "oldest_ms": 3, "newest_ms": 4, "appends": 5,
                               "last_error": "full"}},
          "ifaces": {"eth0": IFACE, "eth1": SILENT}}
REFUSED = {"interval": counter(), "total": counter(), "first_ns": 1, "last_ns": 2,
           "sample": "0badcafe", "sample_length": 60}


def msg_seeds():
    entries = [{"name": "eth0", "config": CONFIG},
               {"pattern": "e*", "not": ["e9*", "eth1"], "config": CONFIG},
               {"any_up": True, "not": [], "config": CONFIG}]
    ping = message("ping")
    yield from (ping, len(ping).to_bytes(4, "big") + ping, CHUNK)
    yield message("status", ifaces=["eth0"])
    yield message("rotate", seq=3, end_ms=5)
    yield message("update", seq=0, iface="eth0", file_id=9, begin_ms=1, enabled=True,
                  config=CONFIG)
    yield message("update", dry_run=True, entries=entries)
    yield message("flows", limit=10, sort="last", address=A4, prefix=24, port=80, proto=6)
    yield message("flows", address=bytes(16), prefix=128, sort="packets")
    yield message("append", iface="eth0", file_id=1, rotation=1, part=0, last=True,
                  interval=INTERVAL, chunk=b"")
    yield message("fetch", rotation=1, cursor=0)
    yield message("release", seq=4, rotation=3)
    yield message("status", ok=True, **WORKER)
    yield message("status", ok=True, **STATUS)
    yield message("none", ok=False, error="bad_message", text="no")
    yield message("rotate", ok=True, interval=INTERVAL, file_id=1)
    yield message("fetch", ok=True, cursor=0, next=3, last=True, flows=3, chunk=CHUNK)
    yield message("map", chunk=CHUNK, flows=3)
    yield message("books", interval=INTERVAL, link_type="EN10MB", error="")
    yield message("check", ok=True, state="active", reason="", reason_text="")
    yield message("check", ok=True, state="error", reason="down", reason_text="down")
    yield b"\x91" * 40 + b"\xc0"
    yield b"\xdd\xff\0\0\0"
    yield b"\x83\xa4weir\x01\xa4type\xa6status\xa1x" + b"\x91" * 7 + b"\xc0"


#
# What a daemon answers, as client/answer_fuzz.c takes it: the command and the format, then
# the answers.
#

def answer_seeds():
    def asked(command, *answers):
        for output in range(3):
            yield bytes([command | output << 3]) + b"".join(
                struct.pack("<H", len(data)) + data for data in answers)

    def answer(kind, **keys):
        return message(kind, ok=True, **keys)

    part = {**STATUS, "ifaces": {"eth0": IFACE}}
    changed = {"action": "changed", "result": "done", "keys": ["filter"],
               "state": "active", "error": "", "text": "waits for the interface"}
    yield from asked(0, answer("status", **STATUS))
    yield from asked(7, answer("status", **STATUS))
    yield from asked(0, answer("status", left_out=["eth1"], **part),
                     answer("status", ifaces={"eth1": SILENT}))
    yield from asked(0, answer("status", **{**STATUS, "ifaces": {}}))
    yield from asked(1, answer("errors", ifaces={
        "eth0": {"worker": {"classes": {"truncated": REFUSED}, "undecodable": 1}},
        "eth1": {"worker": None, "worker_error": "no_child"}}))
    yield from asked(2, answer("rotate", ifaces={
        "eth0": {"done": True, "flows": 3, "begin_ms": 1, "end_ms": 2, "books": BOOKS},
        "eth1": {"done": False, "error": "busy", "text": "not now"}}))
    yield from asked(3, answer("flows", ifaces={
        "eth0": {"flows": 3, "matched": 3, "chunk": CHUNK},
        "eth1": {"error": "no_child", "text": "none"}}))
    for command, kind in ((4, "enable"), (5, "disable"), (6, "reload")):
        yield from asked(command, answer(kind, dry_run=False, ifaces={
            "eth0": changed, "eth1": {**changed, "result": "failed", "error": "down"}},
            settings={"rotation": "now", "keep": "restart"}))
    yield from asked(6, message("reload", ok=False, error="failed", text="2 faults",
                                faults=["f:1:1: a: b\x1b", "f:2:1: c: d"]))
    yield from asked(0, message("none", ok=False, error="version", text="old"))
    yield from asked(0, message("status"))
    yield from asked(0)


MSG_WORDS = """weir type ok error text seq ifaces limit sort address prefix port proto bytes
packets last iface file_id begin_ms end_ms length_ns clock_step_ms flows cuts busy kernel
received dropped link missed books in_flows overflow refused not_ip truncated bad_header
link_type interval config buffer error_threshold snaplen timeout_ms promiscuous filter entries
name pattern any_up not chunk total link_counts state reason reason_text check ping status
rotate update disable fetch release append flush map errors enable reload dry_run left_out
supervisor store pid version uptime_ms rotation_ms running restarts last_exit last_exit_ms report
wanted entry presence index kind mtu promiscuity offload renamed warnings leaving waiting
since_ms why rotations worker worker_error file_id frozen flow_limit in_force adoption witness
classes undecodable done matched action result keys settings faults active disabled""".split()

#
# Configuration.
#


def config_seeds():
    eth0 = "interfaces:\n  - name: eth0\n"
    texts = [
        eth0, eth0 + "---\nkeep: 1d\n", "interfaces: &loop\n  - *loop\n",
        "interfaces: [{name: a, snaplen: 64}, {name: \u00e9, filter: ''}]\nrotation: 1h\n"
        "defaults:\n  {buffer: 1 KiB, flows: 16, snaplen: 262144,\ntimeout: 10s,\n"
        "   promiscuous: false, filter: \"tcp port 80\", error_threshold: 0}\n"
        "runtime: /r\nrecords: /dev/shm/x\nstore: /s\nerrors: /e\nworker_user: 65534\n"
        "store_user: nobody\nclient_group: 0\nkeep: 0\nkeep_size: 2GiB\n"
        "log: udp:192.0.2.1:1514\nlog_flows: true\n",
        "defaults: &d {snaplen: &n 256}\ninterfaces:\n  - {name: a, flows: *n}\n",
        "interfaces:\n  - name: \"enp*\"\n    not: [\"enp9*\", enp7s0]\n"
        "  - name: any-up\n    not: veth0\n  - name: \"a\\\\*b\"\n",
        "rotatoin: 300s\n" + eth0 + "    snap_len: 128\n    flows: 1\n    flows: 1\n"
        "rotation: 7m\nkeep: 1s\n",
        "interfaces: [eth0, {name: [x]}]\nstore: [a]\n[a, b]: 5\nlog: udp:[::1]:99999\n",
        "%YAML 1.1\n--- !!map\ninterfaces: !!seq\n- ? name\n  : |\n    eth0\n...\n",
        "interfaces:\n  - name: \"a\\0b\\x1b\"\nkeep: \"\\u0001\"\n\"a\\x1b[31mb\": 1\n",
    ]
    for text in texts:
        yield text.encode()
    yield eth0.encode("utf-16")


CONFIG_WORDS = """interfaces: name: not: defaults: buffer: flows: snaplen: timeout: promiscuous:
filter: error_threshold: rotation: runtime: records: store: errors: worker_user: store_user:
client_group: keep: keep_size: log: log_flows: any-up udp: syslog stderr KiB GiB &a *a !! ---
true false <<""".split()


def write(root, area, name, seeds):
    directory = os.path.join(root, area, name)
    os.makedirs(directory, exist_ok=True)
    for number, seed in enumerate(seeds):
        with open(os.path.join(directory, f"seed-{number:03}"), "wb") as file:
            file.write(seed)


def write_words(root, area, name, words):
    with open(os.path.join(root, area, name + ".dict"), "w", encoding="ascii") as file:
        for word in words:
            text = "".join(f"\\x{byte:02x}" for byte in word)
            file.write(f'"{text}"\n')


def main():
    root = sys.argv[1]
    write(root, "common", "config", config_seeds())
    write(root, "proto", "msg", msg_seeds())
    write(root, "client", "answer", answer_seeds())
    write(root, "worker", "decode", decode_seeds())
    write(root, "worker", "records", records_seeds())
    write(root, "worker", "read", read_seeds())
    write(root, "store", "block", block_seeds())
    write(root, "store", "append", append_seeds())
    write_words(root, "common", "config", [word.encode() for word in CONFIG_WORDS])
    for area, name in (("proto", "msg"), ("client", "answer")):
        write_words(root, area, name,
                    [bytes([0xa0 + len(word)]) + word.encode() for word in MSG_WORDS])


main()
