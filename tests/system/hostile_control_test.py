"""The control socket in the hands of somebody who may use it, and means harm: floods, silence,
greed. The others are answered, workers are started again, and the supervisor stays small."""

import os
import resource
import signal
import socket
import struct
import time
import unittest
import warnings

import msgpack

from harness import CLIENT_GROUP, Daemon, Namespace, SANITIZED, main, need_root, wait_for
from hostile import LONG, descriptors, rss
from requester import Requester

need_root()

MEMBER = 61008
PLACES = 256  # for clients at the same time
STATUS = msgpack.packb({"weir": 1, "type": "status"})
ANSWERED_WITHIN = 2.0
FLOOD_SECONDS = 20 if LONG else 6


def request(number, body=STATUS):
    return (b"\1" + struct.pack("!Q", 4 + len(body)) + struct.pack("!I", 0x80000000 + number) +
            body)


class HostileClient:
    """A process of a member of the client group (or of none) that runs a function."""

    def __init__(self, what, path, user=MEMBER, group=CLIENT_GROUP, groups=()):
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            warnings.simplefilter("ignore")  # it does not close what it opens
            try:
                os.close(read)
                hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
                os.setgroups(list(groups))
                os.setgid(group)
                os.setuid(user)
                os.write(write, str(what(path)).encode())
                code = 0
            except Exception as e:
                os.write(write, repr(e).encode())
            finally:
                os._exit(code)
        os.close(write)
        self.pipe = read

    def running(self):
        """Without reaping it: its number must stay its own until close()."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def result(self):
        text = b""
        while True:
            more = os.read(self.pipe, 4096)
            if not more:
                break
            text += more
        self.close()
        return text.decode()

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.pipe)
        self.pid = 0


def connect(path, timeout=5):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(path)
    return sock


def patient(path):
    """A client that tries again when the queue of those who connect is full."""
    end = time.monotonic() + 10
    while True:
        try:
            return Requester(path, timeout=10)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.002)


def flood(path):
    """As many connections as can be made, none of which is closed from here, of all kinds:
    silent, greeted, half a request, wrong greeting, gone before the greeting."""
    end = time.monotonic() + FLOOD_SECONDS
    kept = []
    count = 0
    while time.monotonic() < end:
        try:
            sock = connect(path)
        except OSError:
            kept = kept[len(kept) // 2:]
            continue
        count += 1
        kind = count % 5
        try:
            if kind in (1, 2):
                sock.sendall(b"\0SP\0\0\x30\0\0")
            if kind == 2:
                sock.sendall(request(count)[:20])
            if kind == 3:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        except OSError:
            pass  # hung up on already
        if kind == 4:
            sock.close()
        else:
            kept.append(sock)
    return count


def ask_without_reading(path):
    """On each of many connections as many requests as the socket takes."""
    end = time.monotonic() + FLOOD_SECONDS
    kept = []
    while time.monotonic() < end:
        try:
            sock = connect(path)
            sock.sendall(b"\0SP\0\0\x30\0\0")
            sock.setblocking(False)
            for number in range(1000):
                sock.send(request(number))
        except OSError:
            pass
        kept.append(sock)
        kept = kept[-400:]
        time.sleep(0.002)
    return len(kept)


def ask_without_end(path):
    """Requests as fast as they are answered."""
    end = time.monotonic() + FLOOD_SECONDS
    count = 0
    requesters = [Requester(path) for _ in range(40)]
    while time.monotonic() < end:
        for requester in requesters:
            count += 1
            requester.sock.sendall(request(count))
        for requester in requesters:
            kind, size = struct.unpack("!BQ", requester.exactly(9))
            requester.exactly(size)
    return count


def may_connect(path):
    try:
        requester = Requester(path)
        return requester.ask("ping")["ok"]
    except PermissionError:
        return "not allowed"


class HostileControl(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()
        self.daemon = Daemon(["va", "vb"], self.ns)
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        self.daemon.close()
        self.ns.close()

    def harm(self, what, times):
        self.clients = [HostileClient(what, self.daemon.socket) for _ in range(times)]

    def ask_meanwhile(self, kill_after=None):
        """Another client, connection by connection, until the harm is done. The slowest
        answer in seconds, how long a killed worker was away, the most descriptors."""
        pid = self.daemon.process.pid
        slowest, most, asked, killed, back = 0.0, 0, 0, None, None
        begin = time.monotonic()
        while any([client.running() for client in self.clients]):
            start = time.monotonic()
            requester = patient(self.daemon.socket)
            status = requester.ask("status")["ifaces"]["vb"]
            requester.close()
            slowest = max(slowest, time.monotonic() - start)
            asked += 1
            most = max(most, descriptors(pid))
            if kill_after and not killed and start - begin > kill_after:
                os.kill(status["pid"], signal.SIGKILL)
                killed = (status["pid"], time.monotonic())
            elif killed and not back and status["pid"] not in (0, killed[0]) and \
                    status["state"] == "active" and status["worker"]:
                back = time.monotonic() - killed[1]
            time.sleep(0.02)
        self.assertGreater(asked, 5)
        results = [client.result() for client in self.clients]
        print("%s: slowest of %d answers %.0f ms, %d descriptors, %d KiB, worker back after "
              "%s" % (results, asked, slowest * 1000, most, rss(pid) // 1024,
                      "%.0f ms" % (back * 1000) if back else "-"))
        return slowest, back, most

    def test_a_flood_of_connections_keeps_nobody_from_anything(self):
        pid = self.daemon.process.pid
        before, memory = descriptors(pid), rss(pid)
        self.harm(flood, 2)
        slowest, back, most = self.ask_meanwhile(kill_after=FLOOD_SECONDS / 2)
        self.assertLess(slowest, ANSWERED_WITHIN)
        self.assertIsNotNone(back)
        self.assertLess(back, 5)
        self.assertLess(most - before, PLACES + 64)
        if not SANITIZED:
            self.assertLess(rss(pid) - memory, 2 << 20)
        wait_for(lambda: descriptors(pid) < before + 16)
        self.assertEqual(self.daemon.ctl("status").returncode, 0)
        self.assertTrue(self.daemon.rotate("vb")["vb"]["done"])

    def test_clients_that_ask_and_do_not_read(self):
        pid = self.daemon.process.pid
        before = descriptors(pid)
        self.harm(ask_without_reading, 1)
        slowest, _, most = self.ask_meanwhile()
        self.assertLess(slowest, ANSWERED_WITHIN)
        self.assertLess(most - before, PLACES + 64)
        wait_for(lambda: descriptors(pid) < before + 16, 15)

    def test_a_flood_of_requests_of_one_user_does_not_delay_those_of_another(self):
        self.harm(ask_without_end, 2)
        slowest, _, _ = self.ask_meanwhile()
        self.assertLess(slowest, ANSWERED_WITHIN)

    def test_only_members_may_connect(self):
        for user, group, groups, expected in (
                (MEMBER, CLIENT_GROUP, (), "True"), (MEMBER, MEMBER, (CLIENT_GROUP,), "True"),
                (MEMBER, MEMBER, (), "not allowed"), (65534, 65534, (), "not allowed")):
            client = HostileClient(may_connect, self.daemon.socket, user, group, groups)
            self.assertEqual(client.result(), expected, (user, group, groups))

    def test_garbage_costs_its_sender_the_connection_and_nothing_else(self):
        memory = rss(self.daemon.process.pid)
        other = Requester(self.daemon.socket)
        state = 12345
        for round_number in range(300):
            garbage = bytearray()
            while len(garbage) < 2000:
                state = (state * 1103515245 + 12345) & 0x7fffffff
                garbage += struct.pack("<I", state)[:3]
            sock = connect(self.daemon.socket)
            try:
                if round_number % 3:
                    sock.sendall(b"\0SP\0\0\x30\0\0")
                if round_number % 3 == 2:  # a whole frame of it
                    sock.sendall(request(round_number, bytes(garbage)))
                    self.assertEqual(sock.recv(8), b"\0SP\0\0\x31\0\0")
                    self.assertIn(b"bad_message", sock.recv(4096))
                else:
                    sock.sendall(b"\2" + garbage)
                    while sock.recv(4096):
                        pass
            except ConnectionError:
                pass
            sock.close()
        self.assertTrue(other.ask("ping")["ok"])
        other.close()
        if not SANITIZED:
            self.assertLess(rss(self.daemon.process.pid) - memory, 1 << 20)


if __name__ == "__main__":
    main()
