"""Who may speak to the daemon, and what its processes are allowed to do."""

import os
import stat
import subprocess
import unittest

from harness import (BIN, CLIENT_GROUP, Daemon, Namespace, STORE_USER, WORKER_USER, main,
                     need_root, run, wait_for)

need_root()


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def threads_of(pid):
    return [int(t) for t in os.listdir("/proc/%d/task" % pid)]


class Control(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.ns.veth()

    def tearDown(self):
        if getattr(self, "daemon", None):
            self.daemon.close()
        self.ns.close()

    def test_processes_hold_no_capability(self):
        self.daemon = Daemon(["va", "vb"], self.ns)
        status = self.daemon.status()
        processes = [(i["pid"], WORKER_USER) for i in status["ifaces"].values()]
        processes.append((status["store"]["pid"], STORE_USER))
        for pid, user in processes:
            for thread in threads_of(pid):
                facts = status_of_thread(pid, thread)
                for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                    self.assertEqual(int(facts[name], 16), 0, (pid, thread, name))
                self.assertEqual(facts["NoNewPrivs"].strip(), "1")
                self.assertEqual(set(facts["Uid"].split()), {str(user)})
                self.assertEqual(facts["Groups"].strip(), "")

    def test_the_control_socket_is_a_file_for_the_group(self):
        for umask in (0o077, 0o000):
            self.daemon = Daemon(["va"], self.ns, umask=umask)
            facts = os.stat(self.daemon.socket)
            self.assertTrue(stat.S_ISSOCK(facts.st_mode))
            self.assertEqual(stat.S_IMODE(facts.st_mode), 0o660)
            self.assertEqual((facts.st_uid, facts.st_gid), (0, CLIENT_GROUP))
            directory = os.stat(self.daemon.runtime)
            # Workers, who are not of the group, pass through; nobody else can look.
            self.assertEqual(stat.S_IMODE(directory.st_mode) & 0o006, 0)
            weirctl = copy_of_weirctl(self.daemon.dir)
            env = dict(os.environ, WEIR_SOCKET=self.daemon.socket)
            for group, code in ((CLIENT_GROUP, 0), (61009, 1)):
                done = subprocess.run([weirctl, "status"], env=env, user=61008, group=group,
                                      extra_groups=[], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, code, done.stderr)
                if code:
                    self.assertIn(self.daemon.socket, done.stderr)
                    self.assertIn("not allowed", done.stderr)
            self.daemon.close()

    def test_the_store_can_be_read_by_the_group_alone(self):
        self.daemon = Daemon(["va"], self.ns)
        self.daemon.rotate()
        weirctl = copy_of_weirctl(self.daemon.dir)
        for group, ok in ((CLIENT_GROUP, True), (61009, False)):
            done = subprocess.run([weirctl, "query", "--store", self.daemon.store, "iface"],
                                  user=61008, group=group, extra_groups=[],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode == 0, ok, done.stderr)

    def test_a_second_supervisor_refuses_and_leaves_the_first_alone(self):
        self.daemon = Daemon(["va"], self.ns)
        pid = self.daemon.status()["supervisor"]["pid"]
        done = subprocess.run(self.daemon.command(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=10)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(str(pid), done.stderr)
        self.assertEqual(self.daemon.status()["supervisor"]["pid"], pid)
        self.assertTrue(self.daemon.rotate()["va"]["done"])

    def test_stale_sockets_do_not_prevent_a_start(self):
        self.daemon = Daemon(["va"], self.ns)
        self.daemon.kill()
        self.assertTrue(os.path.exists(self.daemon.socket))
        self.daemon.start()
        self.assertTrue(self.daemon.rotate()["va"]["done"])

    def test_without_a_daemon_the_client_names_the_socket(self):
        done = run(os.path.join(BIN, "weirctl"), "-s", "/run/weir-nowhere/control.sock",
                   "status", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("/run/weir-nowhere/control.sock", done.stderr)

    def test_an_interface_that_is_missing_does_not_disturb_the_others(self):
        self.daemon = Daemon(["va", "later0"], self.ns, start=False)
        self.daemon.start(wait=False)
        status = wait_for(lambda: self.daemon.process.poll() is None and
                          self.daemon.status(check=False))
        wait_for(lambda: self.daemon.iface("va")["state"] == "active" and
                 self.daemon.iface("later0")["state"] == "error")
        self.assertEqual(self.daemon.iface("later0")["reason"], "no_such_device")
        self.ns.ip("link", "add", "later0", "type", "veth", "peer", "name", "later1")
        self.ns.ip("link", "set", "later0", "up")
        wait_for(lambda: self.daemon.iface("later0")["state"] == "active", 5)


def status_of_thread(pid, thread):
    with open("/proc/%d/task/%d/status" % (pid, thread)) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def copy_of_weirctl(directory):
    """Where a user without rights can execute it: the build may lie below a home."""
    path = os.path.join(directory, "weirctl")
    if not os.path.exists(path):
        run("install", "-m", "755", os.path.join(BIN, "weirctl"), path)
    return path


if __name__ == "__main__":
    main()
