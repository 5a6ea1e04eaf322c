"""What strangers reach of a daemon's children, and what a child that was taken over reaches of
the daemon: the sockets between them, and the descriptors that a child is born with."""

import ctypes
import os
import resource
import signal
import stat
import subprocess
import time
import unittest

from harness import (CLIENT_GROUP, SANITIZED, STORE_USER, WORKER_USER, Daemon, Namespace,
                     main, need_root, wait_for)
from hostile import Hostile, descriptors

need_root()

CLIENT_USER = 61008  # a member of the client group
SECONDS = 3
KCMP_FILE = 0
KCMP = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine)


def same_description(one, other):
    """Whether two (pid, descriptor) are of one open file, flags included; None: unknown."""
    if KCMP is None:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(KCMP, one[0], other[0], KCMP_FILE, one[1], other[1])
    return None if result < 0 else result == 0


class Sockets(unittest.TestCase):
    """A socket that nng listens at keeps a descriptor of whoever goes before he was greeted:
    a stranger must not get as far as to connect."""

    def setUp(self):
        self.ns = Namespace()
        self.ns.veth("va", "vb")
        self.daemon = Daemon(["va", "vb"], self.ns)
        self.pid = self.daemon.process.pid

    def tearDown(self):
        self.daemon.close()
        self.ns.close()

    def sockets(self):
        return {name: [os.path.join(self.daemon.runtime, name, entry) for entry in
                       os.listdir(os.path.join(self.daemon.runtime, name))]
                for name in ("worker", "store")}

    def knock(self, paths, user=CLIENT_USER, group=CLIENT_GROUP):
        """Connects, greets and goes, as often as it can: what became of it."""
        return subprocess.Popen(["/usr/bin/python3", "-c", KNOCKER, str(SECONDS), *paths],
                                user=user, group=group, extra_groups=[],
                                stdout=subprocess.PIPE, text=True)

    def test_each_is_of_the_user_of_its_child_alone(self):
        sockets = self.sockets()
        self.assertEqual([len(sockets[name]) for name in ("worker", "store")], [2, 1])
        for name, user in (("worker", WORKER_USER), ("store", STORE_USER)):
            for path in sockets[name]:
                info = os.lstat(path)
                self.assertTrue(stat.S_ISSOCK(info.st_mode), path)
                self.assertEqual((info.st_uid, stat.S_IMODE(info.st_mode)), (user, 0o600), path)
            directory = os.stat(os.path.join(self.daemon.runtime, name))
            self.assertEqual(directory.st_uid, 0)
            self.assertNotEqual(directory.st_gid, CLIENT_GROUP)
            self.assertEqual(stat.S_IMODE(directory.st_mode) & 0o066, 0)  # no list, no new file

    def test_a_member_of_the_client_group_cannot_connect_and_costs_no_descriptor(self):
        before = descriptors(self.pid)
        store = self.daemon.status()["store"]["pid"]
        workers = {name: self.daemon.iface(name)["pid"] for name in ("va", "vb")}
        old = sum(self.sockets().values(), [])
        most = before
        for round in range(2):
            paths = sum(self.sockets().values(), [])
            self.assertEqual(len(paths), 3)
            knocker = self.knock(paths)
            time.sleep(SECONDS / 3)
            if round == 0:  # those who come back are not kept away either
                os.kill(store, signal.SIGKILL)
                os.kill(workers["va"], signal.SIGKILL)
            while knocker.poll() is None:
                most = max(most, descriptors(self.pid))
                time.sleep(0.05)
            told = knocker.communicate()[0].split("\n")[:-1]
            tries = dict(line.rsplit(" ", 1) for line in told)
            self.assertGreater(int(tries.pop("EACCES", 0)), 1000)
            # Sockets of the killed are gone in the end.
            self.assertLessEqual(set(tries), {"ENOENT"} if round == 0 else set(), tries)
            wait_for(lambda: self.daemon.now("va").get("state") == "active" and
                     self.daemon.status()["store"]["running"])
        status = self.daemon.status()
        self.assertNotEqual(status["store"]["pid"], store)
        self.assertNotEqual(status["ifaces"]["va"]["pid"], workers["va"])
        self.assertEqual(status["ifaces"]["vb"]["pid"], workers["vb"])
        # A name is not used again, and none of the two is a number that goes up.
        self.assertEqual(len(set(old) - set(sum(self.sockets().values(), []))), 2)
        self.assertLess(most, before + 40)
        wait_for(lambda: descriptors(self.pid) <= before + 4)
        self.assertEqual(self.daemon.stop(), 0)

    def test_the_users_of_children_cannot_take_the_place_of_one_another(self):
        """Who is of a child's user connects, and is hung up on: it is not the one started."""
        sockets = self.sockets()
        wrong = [(sockets["store"], WORKER_USER, WORKER_USER),
                 (sockets["worker"], STORE_USER, CLIENT_GROUP)]
        for paths, user, group in wrong:
            told = self.knock(paths, user, group).communicate()[0]
            self.assertRegex(told, r"^EACCES \d+\n$")
        status = self.daemon.status()
        self.assertEqual([status["ifaces"][name]["restarts"] for name in ("va", "vb")], [0, 0])

    def test_an_interface_whose_worker_cannot_be_started_is_told_as_such(self):
        """... also when it is the supervisor's descriptors that have run out."""
        self.assertEqual(self.daemon.now("va")["state"], "active")  # it is connected now
        soft, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (4, hard))
        os.kill(self.daemon.now("va")["pid"], signal.SIGKILL)
        try:
            status = wait_for(lambda: self.daemon.now("va")["state"] == "error" and
                              self.daemon.now("va"))
        finally:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual((status["pid"], status["worker"]), (0, None))
        self.assertEqual((status["reason"], status["reason_text"]),
                         ("start", "Too many open files"))
        wait_for(lambda: self.daemon.now("va")["state"] == "active")
        self.assertEqual(self.daemon.now("va")["reason"], "")
        self.assertEqual(self.daemon.now("vb")["restarts"], 0)


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.hostile = None

    def tearDown(self):
        if self.hostile:
            self.hostile.close()

    def test_a_child_shares_no_standard_descriptor_with_the_daemon(self):
        self.hostile = Hostile([])
        daemon = self.hostile.daemon
        children = [daemon.now("va")["pid"], daemon.status()["store"]["pid"]]
        compared = 0
        for child in children:
            names = [os.readlink("/proc/%d/fd/%d" % (child, fd)) for fd in range(3)]
            self.assertEqual(names[:2], ["/dev/null", "/dev/null"])
            self.assertRegex(names[2], r"^pipe:\[\d+\]$")
            for fd in range(3):
                for own in os.listdir("/proc/%d/fd" % self.hostile.pid):
                    same = same_description((child, fd), (self.hostile.pid, int(own)))
                    self.assertIsNot(same, True, (fd, own))
                    compared += same is False
        print("%d pairs of descriptors compared" % compared)
        self.hostile.finish(self)

    def test_what_a_child_writes_to_stderr_is_limited_escaped_and_under_its_name(self):
        """The default of the key `log`: no line of it can be taken for another's."""
        self.hostile = Hostile(["loud"])
        daemon = self.hostile.daemon
        wait_for(lambda: "weir-worker[h-loud]: stderr: " in daemon.log_text())
        size = os.path.getsize(daemon.log_path)
        start = time.monotonic()
        time.sleep(5)
        grown = os.path.getsize(daemon.log_path) - size
        seconds = time.monotonic() - start
        # A burst, then 20 lines of 1 KiB in a second.
        self.assertLess(grown, (100 + 20 * (seconds + 1)) * 1024)
        with open(daemon.log_path, "rb") as f:
            text = f.read()
        self.assertEqual([byte for byte in set(text) if byte < 32 or byte > 126], [10])
        lines = text.decode().splitlines()
        self.assertLessEqual(max(len(line) for line in lines), 1024)
        for line in lines:
            self.assertRegex(line, r"^weir-(supervisor|worker|store)(\[[a-z-]+\])?: [a-z_]+: ")
        # The scratch of the stand-in has every byte: none of it stands at a line's beginning.
        self.assertGreater(sum(line.startswith("weir-worker[h-loud]: stderr: ")
                               for line in lines), 50)
        self.assertIn("lines of this process were left out", text.decode())
        self.assertEqual(self.hostile.status()["loud"]["restarts"], 0)
        self.hostile.finish(self)


KNOCKER = r"""
import errno, socket, sys, time
end = time.monotonic() + float(sys.argv[1])
became = {}
while time.monotonic() < end:
    for path in sys.argv[2:]:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            s.connect(path)
            s.sendall(b"\0SP\0\0\x31\0\0")
            what = "connected"
        except OSError as e:
            what = errno.errorcode[e.errno]
        s.close()
        became[what] = became.get(what, 0) + 1
    time.sleep(0.0005)
for what, times in sorted(became.items()):
    print(what, times)
"""


if __name__ == "__main__":
    main()
