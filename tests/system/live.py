"""What tests of a running daemon on a veth pair have in common."""

import os
import signal
import unittest

from harness import Daemon, Namespace, SANITIZED, ethernet, ipv4, udp, wait_for

FRAME = ethernet(ipv4("10.0.0.7", "10.0.0.2", 17, udp(40000, 53)))
WITHIN = 10.0 if SANITIZED else 1.0  # from the event to counting


class Live(unittest.TestCase):
    """A namespace with va and vb, and a daemon on some of its interfaces."""

    def setUp(self):
        self.ns = Namespace()
        self.ns.veth("va", "vb")
        self.daemon = None

    def tearDown(self):
        if self.daemon:
            self.daemon.close()
        self.ns.close()

    def start(self, *ifaces, wait=True):
        self.daemon = Daemon(ifaces, self.ns, start=False)
        self.daemon.start(wait=wait)
        self.daemon.wait_answers()

    def index(self, name):
        return int(self.ns.run("cat", "/sys/class/net/%s/ifindex" % name).stdout)

    def counting(self, name, not_pid=0):
        """The status of an interface that counts on what has its name now."""
        status = self.daemon.now(name)
        if (status and status["state"] == "active" and status["worker"] and
                status["pid"] not in (0, not_pid) and status["link"]["index"] != 0):
            return status
        return None

    def presence(self, name):
        return self.daemon.now(name).get("link", {}).get("presence")

    def wait_carrier(self, *names):
        """Until what is sent there is not thrown away: the kernel begins to send a moment
        after the other end is up."""
        for name in names:
            wait_for(lambda: " state UP " in self.ns.ip("link", "show", "dev", name).stdout)

    def send_and_count(self, peer, name, count):
        """What is sent now is counted, all of it."""
        before = self.daemon.packets(name)
        self.ns.send(peer, FRAME, count)
        wait_for(lambda: self.daemon.packets(name) == before + count)

    def back_off(self, name):
        """Kills a healthy worker and its successors until the next start is 1.6 s away."""
        for _ in range(6):
            pid = wait_for(lambda: self.daemon.now(name)["pid"])
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.daemon.now(name)["pid"] != pid)
        self.assertEqual(self.daemon.now(name)["pid"], 0)

    def stored(self, name):
        return self.daemon.query("iface", "-n", "0", "-i", name)["total"]["packets"]

    def lines(self, name, since=0):
        return [line for line in self.daemon.log_text()[since:].splitlines()
                if "[%s]" % name in line]


def cpu_ticks(pid):
    """Time of the process on a processor, in hundredths of a second."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
