"""The control socket as PROTOCOL.md describes it, by a client of another make: msgpack
from Debian's python3-msgpack, and the SP protocol (REQ over ipc) spoken by hand."""

import os
import select
import signal
import socket
import struct
import subprocess
import time
import unittest

import msgpack

from harness import CLIENT_GROUP, Daemon, Namespace, main, need_root, wait_for
from requester import Requester

need_root()


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ns = Namespace()
        cls.ns.veth()
        cls.daemon = Daemon(["va", "vb"], cls.ns)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()
        cls.ns.close()

    def setUp(self):
        self.client = Requester(self.daemon.socket)

    def tearDown(self):
        self.client.close()

    def test_ping(self):
        self.assertEqual(self.client.ask("ping"), {"weir": 1, "type": "ping", "ok": True})

    def test_status_has_every_documented_key(self):
        status = self.client.ask("status")
        self.assertEqual(set(status), {"weir", "type", "ok", "supervisor", "store", "ifaces"})
        self.assertLessEqual({"pid", "version", "uptime_ms", "rotation_ms", "store"},
                             set(status["supervisor"]))
        iface = status["ifaces"]["va"]
        self.assertLessEqual({"wanted", "state", "reason", "pid", "uptime_ms", "restarts",
                              "last_exit", "last_exit_ms", "waiting", "rotations", "worker"},
                             set(iface))
        self.assertLessEqual({"state", "reason", "reason_text", "file_id", "seq", "frozen",
                              "interval", "flows", "flow_limit", "total", "in_force",
                              "rotation", "adoption", "witness"}, set(iface["worker"]))
        self.assertEqual(iface["worker"]["in_force"]["link_type"], "EN10MB")
        self.assertEqual(iface["worker"]["in_force"]["handles"], 2)

    def test_status_of_one_interface(self):
        self.assertEqual(set(self.client.ask("status", ifaces=["vb"])["ifaces"]), {"vb"})
        answer = self.client.ask("status", ifaces=["nosuch"])
        self.assertEqual((answer["ok"], answer["error"]), (False, "unknown_interface"))
        self.assertIn("nosuch", answer["text"])

    def test_nngcat_gets_a_status(self):
        # As in PROTOCOL.md: the request in a file, since it is not text.
        path = os.path.join(self.daemon.dir, "request")
        with open(path, "wb") as f:
            f.write(b"\x82\xa4weir\x01\xa4type\xa6status")
        done = subprocess.run(["nngcat", "--req", "--dial", "ipc://" + self.daemon.socket,
                               "--file", path, "--raw", "--recv-timeout", "5"],
                              stdout=subprocess.PIPE, check=True)
        answer = msgpack.unpackb(done.stdout, strict_map_key=False)
        self.assertTrue(answer["ok"])
        self.assertIn("va", answer["ifaces"])

    def test_wrong_messages_are_refused_and_the_daemon_lives(self):
        before = rss(self.daemon.process.pid, self.daemon)
        deep = b"\x91" * 40 + b"\x01"
        cases = [(b"", "bad_message"), (b"\xdd\xff\x00\x00\x00", "bad_message"),
                 (deep, "bad_message"), (b"\xc1", "bad_message"),
                 (msgpack.packb([1, 2]), "bad_message"), (msgpack.packb({}), "bad_message"),
                 (msgpack.packb({"weir": 1}), "bad_message"),
                 (msgpack.packb({"weir": 1, "type": 7}), "bad_message"),
                 (msgpack.packb({"weir": 2, "type": "ping"}), "version"),
                 (msgpack.packb({"weir": 1, "type": "nonsense"}), "unknown_type"),
                 (msgpack.packb({"weir": 1, "type": "fetch"}), "unknown_type"),
                 (msgpack.packb({"weir": 1, "type": "append"}), "unknown_type"),
                 (msgpack.packb({"weir": 1, "type": "status", "ifaces": "va"}),
                  "bad_message"),
                 (msgpack.packb({"weir": 1, "type": "status", "ifaces": [1]}),
                  "bad_message"),
                 (msgpack.packb({"weir": 1, "type": "ping"}) + b"\0", "bad_message"),
                 (msgpack.packb({"weir": 1, "type": "ping", "x": b"y" * 300000}),
                  "bad_message")]
        for body, error in cases:
            answer = self.client.raw(body)
            self.assertEqual((answer["ok"], answer["error"]), (False, error), body[:20])
        self.assertTrue(self.client.ask("ping")["ok"])
        self.assertLess(rss(self.daemon.process.pid, self.daemon) - before, 1 << 20)

    def test_clients_that_hang_up_at_once_silence_nobody(self):
        """One of them would silence a listener of nng 1.5.2 for good."""
        def connected():
            try:
                other = Requester(self.daemon.socket, timeout=1)
                if other.ask("ping")["ok"]:
                    return other
            except OSError:
                other.close()
            return None
        held = wait_for(connected, 6)
        for _ in range(20):
            for _ in range(10):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.connect(self.daemon.socket)
                sock.close()
            time.sleep(0.11)
        held.sock.settimeout(20)
        self.assertTrue(held.ask("ping")["ok"])  # whoever was there stays
        held.close()
        wait_for(connected, 6).close()
        # weirctl tries anew by itself.
        self.assertEqual(self.daemon.ctl("status").returncode, 0)
        time.sleep(2.2)
        descriptors = len(os.listdir("/proc/%d/fd" % self.daemon.process.pid))
        self.assertLess(descriptors, 64)
        self.assertEqual(os.listdir(self.daemon.runtime).count("control.sock"), 1)

    def test_a_client_that_does_not_read_blocks_nobody(self):
        deaf = Requester(self.daemon.socket)
        deaf.sock.settimeout(0.2)
        request = msgpack.packb({"weir": 1, "type": "status"})
        try:
            for i in range(400):
                message = struct.pack("!I", 0x80000001 + i) + request
                deaf.sock.sendall(b"\1" + struct.pack("!Q", len(message)) + message)
        except OSError:
            pass  # nobody takes them from it any more
        start = time.monotonic()
        for _ in range(5):
            self.assertTrue(self.client.ask("status")["ok"])
        self.assertLess(time.monotonic() - start, 15)
        deaf.close()

    def test_a_member_of_the_group_keeps_nobody_else_from_rotating(self):
        store = self.client.ask("status")["store"]["pid"]
        os.setegid(CLIENT_GROUP)
        os.seteuid(61010)
        try:
            members = [Requester(self.daemon.socket) for _ in range(40)]
        finally:
            os.seteuid(0)
            os.setegid(0)
        os.kill(store, signal.SIGSTOP)
        try:
            for member in members:
                member.send(msgpack.packb({"weir": 1, "type": "rotate", "ifaces": ["va"]}))
            refused = [member for member in members
                       if select.select([member.sock], [], [], 0.1)[0]]
            self.assertEqual(len(refused), 40 - 16)
            for member in refused:
                answer = member.receive()
                self.assertEqual((answer["ok"], answer["error"]), (False, "busy"))
                self.assertIn("of yours", answer["text"])
            # Of root's nothing waits, so it waits for the store like theirs.
            self.client.send(msgpack.packb({"weir": 1, "type": "rotate", "ifaces": ["vb"]}))
            self.assertEqual(select.select([self.client.sock], [], [], 1)[0], [])
        finally:
            os.kill(store, signal.SIGCONT)
        self.assertTrue(self.client.receive()["ifaces"]["vb"]["done"])
        for member in members:
            member.close()

    def test_a_message_over_the_limit_costs_its_sender_the_connection(self):
        other = Requester(self.daemon.socket)
        with self.assertRaises((ConnectionError, OSError)):
            other.raw(b"\xc6" + struct.pack("!I", 3 << 20) + b"\0" * (3 << 20))
        other.close()
        self.assertTrue(self.client.ask("ping")["ok"])


def rss(pid, daemon):
    """Of the supervisor itself: `ip netns exec` has become it by exec."""
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
