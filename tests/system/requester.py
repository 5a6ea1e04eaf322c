"""A client of the control socket as PROTOCOL.md describes it, of another make: msgpack from
Debian's python3-msgpack, and the SP protocol (REQ over ipc) spoken by hand."""

import socket
import struct

import msgpack


class Requester:
    """REQ over nng's ipc transport: 8 bytes of handshake, then messages of 0x01, a
    64-bit length, a request id with its top bit set, the body."""

    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            self.sock.sendall(b"\0SP\0" + struct.pack("!HH", 48, 0))
            if self.exactly(8)[:4] != b"\0SP\0":
                raise RuntimeError("no SP handshake")
        except (OSError, RuntimeError):
            self.close()
            raise
        self.id = 0x80000000

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def send(self, body):
        self.id += 1
        message = struct.pack("!I", self.id) + body
        self.sock.sendall(b"\1" + struct.pack("!Q", len(message)) + message)

    def receive(self):
        kind, size = struct.unpack("!BQ", self.exactly(9))
        answer = self.exactly(size)
        if kind != 1 or struct.unpack("!I", answer[:4])[0] != self.id:
            raise RuntimeError("answer to another request")
        return msgpack.unpackb(answer[4:], strict_map_key=False)

    def raw(self, body):
        self.send(body)
        return self.receive()

    def ask(self, kind, **keys):
        return self.raw(msgpack.packb(dict({"weir": 1, "type": kind}, **keys)))

    def close(self):
        self.sock.close()


def ask_many(path, kind, times):
    requester = Requester(path)
    good = sum(1 for _ in range(times) if requester.ask(kind)["ok"])
    requester.close()
    return good
