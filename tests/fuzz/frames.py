"""Frames and capture files for the seeds, put together byte by byte."""

import struct

A4, B4 = bytes([10, 0, 0, 1]), bytes([192, 0, 2, 1])
A6 = bytes.fromhex("20010db8000000000000000000000001")
B6 = bytes.fromhex("20010db8000000000000000000000002")
MACS = bytes.fromhex("020000000001020000000002")


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def ipv4(proto, payload, src=A4, dst=B4, options=b"", fragment=0, ident=7, total=None):
    size = 20 + len(options)
    if total is None:
        total = size + len(payload)
    header = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, total, ident, fragment, 64,
                         proto, 0) + src + dst + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(next_header, payload, src=A6, dst=B6, length=None):
    length = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, length, next_header, 64) + src + dst + payload


def ipv6_fragment(next_header, offset, more, ident, payload):
    return struct.pack("!BBHI", next_header, 0, offset << 3 | more, ident) + payload


def tcp(sport, dport, flags):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 2, 0x50, flags, 1000, 0, 0)


def udp(sport, dport, payload=b""):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def ethernet(kind, payload):
    return MACS + struct.pack("!H", kind) + payload


SYN = ipv4(6, tcp(40000, 443, 2))
SYN6 = ipv6(6, tcp(1, 2, 2))
SNAP = bytes.fromhex("aaaa030000000800") + SYN


def udp_flow(i):
    return ethernet(0x800, ipv4(17, udp(1000 + i, 53), src=bytes([10, 0, 0, i])))


def pcap(frames, link_type=1, magic=0xa1b2c3d4, order="<", snaplen=65535, extra=b"",
         wire=None):
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type)
    for i, frame in enumerate(frames):
        size = len(frame)
        data += struct.pack(order + "IIII", 1000 + i, 5 + i, size,
                            size if wire is None else wire) + extra + frame
    return data


class Pcapng:
    """Blocks of a pcapng file in one byte order."""

    def __init__(self, order="<"):
        self.order = order

    def pack(self, form, *values):
        return struct.pack(self.order + form, *values)

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        size = len(body) + 12
        return self.pack("II", kind, size) + body + self.pack("I", size)

    def option(self, code, value):
        return self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self):
        return self.block(0x0a0d0d0a, self.pack("IHHq", 0x1a2b3c4d, 1, 0, -1))

    def interface(self, link_type=1, snaplen=0, options=b""):
        return self.block(1, self.pack("HHI", link_type, 0, snaplen) + options)

    def packet(self, frame, interface=0, time=10 ** 15):
        return self.block(6, self.pack("IIIII", interface, time >> 32,
                                       time & 0xffffffff, len(frame), len(frame)) + frame)

    def simple_packet(self, frame):
        return self.block(3, self.pack("I", len(frame)) + frame)

    def old_packet(self, frame):
        return self.block(2, self.pack("HHIIII", 0, 0, 5, 6, len(frame), len(frame)) +
                          frame)
