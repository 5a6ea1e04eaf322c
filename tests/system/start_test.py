"""Start and end of the daemon: a wrong configuration, and many starts."""

import os
import re
import subprocess
import tempfile
import unittest

from harness import (BIN, CLIENT_GROUP, Daemon, Namespace, STORE_USER, WORKER_USER, main,
                     need_root)

need_root()

USERS = 'worker_user: "%d"\nstore_user: "%d"\nclient_group: "%d"\n' % (
    WORKER_USER, STORE_USER, CLIENT_GROUP)


def supervisor(*args):
    return subprocess.run([os.path.join(BIN, "weir-supervisor"), *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=20)


class Configuration(unittest.TestCase):
    def check(self, text, *expected, code=2):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            for options in (["--check"], []):
                if code == 0 and not options:
                    continue
                done = supervisor("-c", f.name, *options)
                self.assertEqual(done.returncode, code, done.stderr)
                for line in expected:
                    self.assertIn(f.name + line, done.stderr)

    def test_every_fault_with_line_column_and_key(self):
        self.check("rotation: 7m30s\nstores: /x\ninterfaces:\n  - name: eth0\n"
                   "    promiscuous: perhaps\n    timeout: 0ms\n",
                   ":1:11: rotation: ", ":2:1: stores: ", ":5:18: promiscuous: ",
                   ":6:14: timeout: ")

    def test_an_empty_file_is_a_fault(self):
        self.check("", "")

    def test_a_file_that_is_not_there(self):
        done = supervisor("-c", "/nonexistent/weir.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/weir.yaml", done.stderr)

    def test_long_paths_and_no_arguments(self):
        self.check(USERS + "runtime: /%s\ninterfaces:\n  - name: lo\n" % ("r" * 200),
                   ":4:10: runtime: ")
        done = supervisor("-c", "/" + "d" * 200 + "/" + "f" * 200)
        self.assertEqual(done.returncode, 2)
        if not os.path.exists("/usr/local/etc/weir/weir.yaml"):
            done = supervisor()
            self.assertEqual(done.returncode, 2)
            self.assertIn("weir.yaml", done.stderr)

    def test_a_good_file(self):
        self.check(USERS + "interfaces:\n  - name: lo\n", code=0)

    def test_users_that_are_missing_are_named_with_the_remedy(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write("worker_user: weir-nobody\ninterfaces:\n  - name: lo\n")
            f.flush()
            done = supervisor("-c", f.name, "--check")
            self.assertEqual(done.returncode, 2)
            self.assertIn("weir-nobody", done.stderr)
            self.assertIn("useradd", done.stderr)

    def test_wrong_usage(self):
        self.assertEqual(supervisor("--nonsense").returncode, 2)
        self.assertEqual(supervisor("surplus").returncode, 2)
        self.assertEqual(supervisor("--help").returncode, 0)
        self.assertIn("0.", supervisor("--version").stdout)

    def test_the_example_that_is_installed_is_valid(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "../../packaging/weir.yaml")) as f:
            text = f.read()
        for key, user in (("worker_user", WORKER_USER), ("store_user", STORE_USER),
                          ("client_group", CLIENT_GROUP)):
            # The users come with the package.
            text, count = re.subn("(?m)^%s:.*$" % key, '%s: "%d"' % (key, user), text)
            self.assertEqual(count, 1, key)
        self.check(text, code=0)


class Starts(unittest.TestCase):
    def test_forty_workers_and_several_starts(self):
        """Workers are made by fork and exec: no start may trip over threads."""
        ns = Namespace()
        names = []
        for i in range(20):
            names += ns.veth("l%d" % i, "r%d" % i)
        daemon = Daemon(names, ns, keys={name: {"buffer": "512KiB"} for name in names})
        try:
            for i in range(3):
                if i:
                    daemon.start()
                self.assertEqual(len(daemon.status()["ifaces"]), 40)
                self.assertEqual(sum(iface["restarts"] for iface in
                                     daemon.status()["ifaces"].values()), 0)
                self.assertEqual(daemon.stop(), 0)
        finally:
            daemon.close()
            ns.close()


if __name__ == "__main__":
    main()
