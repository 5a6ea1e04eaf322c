"""Flows of a capture file by the rules of the design, the slow and obvious way.

Independent of the C code on purpose: no table of batches, no generations, no bit
fields; one dictionary of conversations. Knows the link types in LINKS and says
Unknown for others. Nothing but Python's standard library."""

import ipaddress
import struct
import zlib

TRUNCATED, BAD_HEADER, NOT_IP = "truncated", "bad_header", "not_ip"


class Refused(Exception):
    pass


class Unknown(Exception):
    pass


# ---- files ----

def packets(path):
    """(link type, time in ns, wire length, bytes) for each packet."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":

        # What can be unpacked of a damaged file counts.
        data = zlib.decompressobj(31).decompress(data)
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from pcapng(data)
        return
    orders = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
              b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
    if magic not in orders:
        raise Unknown("file format")
    order, unit = orders[magic]
    link = struct.unpack(order + "I", data[20:24])[0]
    if link >> 16:
        raise Unknown("link type with other bits set")
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, wire = struct.unpack(order + "iiII", data[at:at + 16])
        at += 16
        if at + captured > len(data):
            return
        yield link, seconds * 10**9 + fraction * unit, wire, data[at:at + captured]
        at += captured


def pcapng(data):
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack(order + "II", data[at:at + 8])
        if length < 12 or at + length > len(data):
            return
        body = data[at + 8:at + length - 4]
        if kind == 1:
            link, _, snaplen = struct.unpack(order + "HHI", body[:8])
            resolution, offset = 10**6, 0
            for code, value in options(body[8:], order):
                if code == 9:
                    resolution = 2**(value[0] & 127) if value[0] & 128 else 10**value[0]
                elif code == 14:
                    offset = struct.unpack(order + "q", value[:8])[0]
            interfaces.append((link, resolution, offset, snaplen))
        elif kind == 6:
            number, high, low, captured, wire = struct.unpack(order + "IIIII", body[:20])
            link, resolution, offset, _ = interfaces[number]
            when = (high << 32 | low)
            ns = (when // resolution + offset) * 10**9 + \
                when % resolution * 10**9 // resolution
            yield link, ns, wire, body[20:20 + captured]
        elif kind == 3:
            link, _, _, snaplen = interfaces[0]
            wire = struct.unpack(order + "I", body[:4])[0]
            captured = min(wire, snaplen) if snaplen else wire
            yield link, 0, wire, body[4:4 + captured]
        elif kind == 2:
            number, _, high, low, captured, wire = struct.unpack(order + "HHIIII",
                                                                 body[:20])
            link, resolution, offset, _ = interfaces[number]
            when = (high << 32 | low)
            ns = (when // resolution + offset) * 10**9 + \
                when % resolution * 10**9 // resolution
            yield link, ns, wire, body[20:20 + captured]
        at += length


def options(data, order):
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack(order + "HH", data[at:at + 4])
        if code == 0:
            return
        yield code, data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


# ---- from the frame to IP ----

def need(data, size):
    if len(data) < size:
        raise Refused(TRUNCATED)


def be16(data, at):
    return data[at] << 8 | data[at + 1]


def ethernet(data, depth=0):
    need(data, 14)
    return ethertype(be16(data, 12), data[14:], depth)


def ethertype(kind, data, depth=0):
    if depth > 64:
        raise Refused(NOT_IP)
    while kind in (0x8100, 0x88a8, 0x9100, 0x9200, 0x893f):
        size = 8 if kind == 0x893f else 4
        need(data, size)
        kind, data = be16(data, size - 2), data[size:]
    if kind == 0x0800:
        return 4, data
    if kind == 0x86dd:
        return 6, data
    if kind in (0x8847, 0x8848):
        return mpls(data, depth)
    if kind == 0x8864:
        need(data, 6)
        return ppp_protocol(data[6:], depth)
    if kind == 0x88e7:
        need(data, 4)
        return ethernet(data[4:], depth + 1)
    if kind == 0x8903:
        need(data, 2)
        return ethernet(data[2:], depth + 1)
    if kind == 0x894f:
        return service_header(data, depth)
    if kind <= 1500:
        return llc(data, depth + 1)
    raise Refused(NOT_IP)


def service_header(data, depth):
    need(data, 8)
    size = (data[1] & 63) * 4
    if size < 8:
        raise Refused(BAD_HEADER)
    need(data, size)
    rest = data[size:]
    if data[3] == 1:
        return 4, rest
    if data[3] == 2:
        return 6, rest
    if data[3] == 3:
        return ethernet(rest, depth + 1)
    if data[3] == 5:
        return mpls(rest, depth)
    raise Refused(NOT_IP)


def announces_ip(data):
    return len(data) > 14 and (be16(data, 12), data[14] >> 4) in ((0x0800, 4), (0x86dd, 6))


def leads_to_ip(data):
    if len(data) < 14:
        return False
    return be16(data, 12) in (0x8100, 0x88a8, 0x8847, 0x8864) or announces_ip(data)


def right_checksum(data):
    size = (data[0] & 15) * 4 if len(data) >= 20 else 0
    if size < 20 or len(data) < size:
        return False
    total = sum(be16(data, i) for i in range(0, size, 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total == 0xffff


def mpls(data, depth):
    while True:
        need(data, 4)
        bottom, data = data[2] & 1, data[4:]
        if bottom:
            break
    need(data, 1)
    nibble = data[0] >> 4
    if nibble == 4 and right_checksum(data):
        return 4, data
    if nibble == 0 and leads_to_ip(data[4:]):
        return ethernet(data[4:], depth + 1)
    if announces_ip(data) or (nibble not in (4, 6) and leads_to_ip(data)):
        return ethernet(data, depth + 1)
    if nibble in (4, 6):
        return nibble, data
    raise Refused(NOT_IP)


def ppp_protocol(data, depth=0):
    need(data, 1)
    if data[0] & 1:
        protocol, data = data[0], data[1:]
    else:
        need(data, 2)
        protocol, data = be16(data, 0), data[2:]
    if protocol == 0x21:
        return 4, data
    if protocol == 0x57:
        return 6, data
    if protocol in (0x281, 0x283):
        return mpls(data, depth)
    raise Refused(NOT_IP)


def llc(data, depth=0):
    need(data, 3)
    if data[:3] == b"\x06\x06\x03":
        return 4, data[3:]
    if data[:3] != b"\xaa\xaa\x03":
        raise Refused(NOT_IP)
    need(data, 8)
    if data[3:6] not in (b"\0\0\0", b"\0\0\xf8") or be16(data, 6) <= 1500:
        raise Refused(NOT_IP)
    return ethertype(be16(data, 6), data[8:], depth)


def cooked(protocol, data):
    if protocol == 4:
        return llc(data)
    if protocol <= 1500:
        raise Refused(NOT_IP)
    return ethertype(protocol, data)


def link_ethernet(data):
    return (False, *ethernet(data))


def link_cooked(data):
    need(data, 16)
    return (be16(data, 0) == 4, *cooked(be16(data, 14), data[16:]))


def link_cooked2(data):
    need(data, 20)
    return (data[10] == 4, *cooked(be16(data, 0), data[20:]))


def link_raw(data):
    need(data, 1)
    if data[0] >> 4 not in (4, 6):
        raise Refused(BAD_HEADER)
    return False, data[0] >> 4, data


def link_null(data):
    need(data, 4)
    family = int.from_bytes(data[:4], "big")
    if family >> 24:
        family = int.from_bytes(data[:4], "little")
    if family == 2:
        return False, 4, data[4:]
    if family in (10, 24, 28, 30):
        return False, 6, data[4:]
    raise Refused(NOT_IP)


def link_ppp(data):
    need(data, 2)
    if data[:2] in (b"\x0f\0", b"\x8f\0"):
        return link_hdlc(data)
    if data[:2] == b"\xff\x03":
        data = data[2:]
    return (False, *ppp_protocol(data))


def link_hdlc(data):
    need(data, 4)
    return (False, *ethertype(be16(data, 2), data[4:]))


LINKS = {1: link_ethernet, 113: link_cooked, 276: link_cooked2, 101: link_raw,
         14: link_raw, 228: lambda data: (False, 4, data),
         229: lambda data: (False, 6, data), 0: link_null, 108: link_null, 9: link_ppp,
         50: link_ppp, 104: link_hdlc}


# ---- IP and above ----

HAS_PORTS = (6, 17, 132, 136, 33)


def decode_ip(version, data):
    """src, dst, protocol, payload, fragment: None, ("first", key) or ("later", key)."""
    need(data, 1)
    if data[0] >> 4 != version:
        raise Refused(BAD_HEADER)
    if version == 4:
        need(data, 20)
        header, total = (data[0] & 15) * 4, be16(data, 2)
        if header < 20 or (total and total < header):
            raise Refused(BAD_HEADER)
        if total:
            data = data[:total]
        src, dst, proto = data[12:16], data[16:20], data[9]
        offset, more = be16(data, 6) & 0x1fff, be16(data, 6) & 0x2000
        fragment = None
        if offset or more:
            fragment = ("later" if offset else "first", (src, dst, be16(data, 4), proto))
        return src, dst, proto, data[header:], fragment
    need(data, 40)
    src, dst, kind = data[8:24], data[24:40], data[6]
    length = be16(data, 4)
    data = data[40:40 + length] if length else data[40:]
    fragment = None
    while kind in (0, 43, 60, 44):
        need(data, 8 if kind == 44 else 2)
        if kind == 44:
            offset, more = be16(data, 2) & 0xfff8, be16(data, 2) & 1
            if offset or more:
                identification = int.from_bytes(data[4:8], "big")
                fragment = ("later" if offset else "first",
                            (src, dst, identification, data[0]))
            kind, data = data[0], data[8:]
            if offset:
                break
        else:
            size = (data[1] + 1) * 8
            kind, data = data[0], data[size:]
    return src, dst, kind, data, fragment


def is_group(address):
    if len(address) == 4:
        return address[0] >> 4 == 14 or address == b"\xff\xff\xff\xff"
    return address[0] == 0xff


SERVICES = (5222, 5353, 8080, 8612, 17500, 1352)


def is_service(port):
    return 0 < port < 1024 or port in SERVICES


REQUESTS = {1: (8, 10, 13, 15, 17), 58: (128, 130, 133, 135, 139)}
REPLIES = {1: (0, 9, 14, 16, 18, 3, 4, 5, 11, 12),
           58: (1, 2, 3, 4, 129, 131, 132, 134, 136, 137, 140)}

STRENGTH = ["first", "fin", "ports", "dhcp", "multicast", "icmp", "handshake"]


def evidence(src, dst, sport, dport, proto, flags, icmp_type):
    """(how, whether the sender of this packet is the initiator) or None."""
    if proto == 6 and flags & 0x02 and not flags & 0x04:
        return "handshake", not flags & 0x10
    if is_group(src) != is_group(dst):
        return "multicast", not is_group(src)
    if proto in (1, 58):
        if icmp_type in REQUESTS[proto]:
            return "icmp", True
        if icmp_type in REPLIES[proto]:
            return "icmp", False
        return None
    if proto == 17 and (sport, dport) in ((68, 67), (546, 547)):
        return "dhcp", True
    if proto == 17 and (dport, sport) in ((68, 67), (546, 547)):
        return "dhcp", False
    if is_service(sport) != is_service(dport):
        return "ports", is_service(dport)
    if proto == 6 and flags in (0x01, 0x11):
        return "fin", flags == 0x01
    return None


class Conversation:
    def __init__(self, sender, ns):
        self.count = {}  # (sent by the interface, sender) -> [packets, bytes]
        self.flags = {}
        self.first, self.last = ns, ns
        self.first_sender = sender
        self.how, self.initiator = "first", sender


def flows_of(path, most):
    """Books and flows of the first `most` packets of the file."""
    conversations, refused, first_fragments = {}, {}, {}
    taken = 0
    for link, ns, wire, data in packets(path):
        if taken == most:
            break
        taken += 1
        if link not in LINKS:
            raise Unknown("link type %d" % link)
        try:
            sent, version, ip = LINKS[link](data)
            src, dst, proto, payload, fragment = decode_ip(version, ip)
            sport = dport = flags = 0
            icmp_type = None
            if fragment and fragment[0] == "later":
                known = first_fragments.get(fragment[1])
                if known and abs(ns - known[0]) <= 60 * 10**9:
                    proto, sport, dport = known[1:]
            elif proto in HAS_PORTS:
                need(payload, 4)
                sport, dport = be16(payload, 0), be16(payload, 2)
                if proto == 6 and len(payload) >= 14:
                    flags = payload[13]
            elif proto in (1, 58) and payload:
                icmp_type = payload[0]
            if fragment and fragment[0] == "first":
                first_fragments[fragment[1]] = (ns, proto, sport, dport)
        except Refused as why:
            counter = refused.setdefault(str(why), [0, 0])
            counter[0] += 1
            counter[1] += wire
            continue
        sender, receiver = (src, sport), (dst, dport)
        key = (proto, frozenset((sender, receiver)))
        c = conversations.setdefault(key, None)
        if c is None:
            c = conversations[key] = Conversation(sender, ns)
        counter = c.count.setdefault((sent, sender), [0, 0])
        counter[0] += 1
        counter[1] += wire
        c.flags[sender] = c.flags.get(sender, 0) | flags
        c.last = max(c.last, ns)
        if ns < c.first:
            c.first, c.first_sender = ns, sender
        found = evidence(src, dst, sport, dport, proto, flags, icmp_type)
        if found and STRENGTH.index(found[0]) > STRENGTH.index(c.how):
            c.how, c.initiator = found[0], sender if found[1] else receiver
        elif c.how == "first":
            c.initiator = c.first_sender
    return refused, [describe(key, c) for key, c in conversations.items()]


def describe(key, c):
    ends = list(key[1])
    client = c.initiator
    server = ends[0] if len(ends) == 1 or ends[1] == client else ends[1]
    if len(ends) == 1:
        server = client
    out = {"src": str(ipaddress.ip_address(client[0])),
           "dst": str(ipaddress.ip_address(server[0])), "sport": client[1],
           "dport": server[1], "proto": key[0], "orientation": c.how,
           "first_ns": c.first, "last_ns": c.last}
    for name, end in (("fwd", client), ("rev", server)):
        same = len(ends) == 1 and name == "rev"
        out["tcp_flags_" + name] = 0 if same else c.flags.get(end, 0)
        for view, sent in (("received", False), ("sent", True)):
            counter = [0, 0] if same else c.count.get((sent, end), [0, 0])
            out["%s_%s" % (view, name)] = {"packets": counter[0], "bytes": counter[1]}
    return out
