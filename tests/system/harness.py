"""What the system tests share: a daemon of their own, network namespaces, captures.

Everything a test makes lies below one temporary directory or carries the test's own
prefix, and is removed when the test ends, however it ends. Root is needed; without it
the tests skip (exit code 77) and say so.
"""

import atexit
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BIN = os.environ.get("WEIR_BIN", os.path.join(os.getcwd(), "build", "bin"))
PCAPS = os.environ.get("WEIR_TEST_PCAPS", "")

# Numbers without names: nothing has to be added to the machine's users.
WORKER_USER = 61001
STORE_USER = 61002
CLIENT_GROUP = 61003

SANITIZED = os.environ.get("WEIR_SANITIZED", "") not in ("", "0")


def need_root():
    if os.geteuid() != 0:
        print("skipped: needs root for namespaces and capture")
        sys.exit(77)


def need_pcaps():
    if not os.path.isdir(PCAPS):
        print("skipped: no capture files (WEIR_TEST_PCAPS)")
        sys.exit(77)


def run(*args, check=True, **kwargs):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, **kwargs)
    if check and done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s%s" % (" ".join(args), done.returncode,
                                                  done.stdout, done.stderr))
    return done


def wait_for(what, seconds=10.0):
    """Calls what() until it is true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %s s in vain" % seconds)
        time.sleep(0.01)


class Namespace:
    """A network namespace with a veth pair inside: both ends are in sight of one
    daemon, nothing else speaks on them (no addresses, IPv6 off)."""

    count = 0

    def __init__(self):
        Namespace.count += 1
        self.name = "weirt%d-%d" % (os.getpid(), Namespace.count)
        run("ip", "netns", "add", self.name)
        atexit.register(self.close)
        self.ip("link", "set", "lo", "up")
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6;"
                 "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")

    def prefix(self):
        return ["ip", "netns", "exec", self.name]

    def run(self, *args, **kwargs):
        return run(*self.prefix(), *args, **kwargs)

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def veth(self, left="va", right="vb"):
        self.ip("link", "add", left, "type", "veth", "peer", "name", right)
        for end in (left, right):
            self.ip("link", "set", "dev", end, "up")
        wait_for(lambda: self.ip("link", "show", left).stdout.find("LOWER_UP") > 0)
        return left, right

    def packet_socket(self, iface):
        """An AF_PACKET socket in this namespace, bound to iface."""
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.name, os.O_RDONLY)
        try:
            setns(there)
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.bind((iface, 0))
        finally:
            setns(here)
            os.close(here)
            os.close(there)
        return sock

    def send(self, iface, frame, count=1):
        sock = self.packet_socket(iface)
        for _ in range(count):
            sock.send(frame)
        sock.close()

    def close(self):
        run("ip", "netns", "del", self.name, check=False)
        atexit.unregister(self.close)


def setns(fd):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Daemon:
    """A supervisor with its directories and configuration. Interfaces are names, or maps
    with the keys of an entry, whose values are written as they are."""

    def __init__(self, ifaces, namespace=None, rotation="1h", extra="", umask=0o022,
                 keys=None, directory=None, start=True, env=None):
        self.dir = directory or tempfile.mkdtemp(prefix="weirt-")
        os.chmod(self.dir, 0o755)
        self.namespace = namespace
        self.records = os.path.join("/dev/shm", os.path.basename(self.dir))
        self.runtime = os.path.join(self.dir, "run")
        self.store = os.path.join(self.dir, "store")
        self.errors = os.path.join(self.dir, "errors")
        self.socket = os.path.join(self.runtime, "control.sock")
        self.config = os.path.join(self.dir, "weir.yaml")
        self.log_path = os.path.join(self.dir, "log")
        self.umask = umask
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.requester = None
        atexit.register(self.close)
        self.write_config(ifaces, rotation, extra, keys or {})
        if start:
            self.start()

    def write_config(self, ifaces, rotation="1h", extra="", keys=None, path=None):
        lines = ["runtime: %s" % self.runtime, "records: %s" % self.records,
                 "store: %s" % self.store, "errors: %s" % self.errors, "rotation: %s" % rotation,
                 'worker_user: "%d"' % WORKER_USER, 'store_user: "%d"' % STORE_USER,
                 'client_group: "%d"' % CLIENT_GROUP]
        if extra:
            lines.append(extra)
        lines.append("interfaces:")
        for iface in ifaces:
            entry = dict(iface) if isinstance(iface, dict) else {"name": iface}
            name = entry.pop("name")
            # What JSON quotes is quoted for YAML too.
            lines.append("  - name: %s" % json.dumps(name, ensure_ascii=False))
            entry.update((keys or {}).get(name) or {})
            for key, value in entry.items():
                lines.append("    %s: %s" % (key, value))
        with open(path or self.config, "w") as f:
            f.write("\n".join(lines) + "\n")

    def command(self):
        prefix = self.namespace.prefix() if self.namespace else []
        return prefix + [os.path.join(BIN, "weir-supervisor"), "-c", self.config]

    def start(self, wait=True):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(), stdout=self.log, stderr=self.log, env=self.env,
            preexec_fn=lambda: os.umask(self.umask))
        if wait:
            self.wait_active()

    def log_text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def ask(self, kind, **keys):
        """A request without weirctl: for what is asked often or must not take time."""
        from requester import Requester
        if self.requester is None:
            self.requester = Requester(self.socket)
        try:
            return self.requester.ask(kind, **keys)
        except (OSError, RuntimeError):
            self.requester.close()
            self.requester = None
            raise

    def now(self, name):
        """The status of one interface; {} when there is none of that name."""
        return self.ask("status", ifaces=[name]).get("ifaces", {}).get(name, {})

    def packets(self, name):
        """What the running interval has counted; -1 while nobody tells."""
        worker = self.now(name).get("worker")
        return worker["interval"]["books"]["packets"] if worker else -1

    def wait_answers(self, seconds=20):
        """Until the daemon answers clients, whatever its interfaces do."""
        def answers():
            if self.process.poll() is not None:
                raise AssertionError("the daemon ended: " + self.log_text())
            try:
                return self.ask("ping")["ok"]
            except (OSError, RuntimeError):
                return False
        wait_for(answers, seconds)

    def wait_active(self, seconds=20):
        def all_active():
            if self.process.poll() is not None:
                raise AssertionError("the daemon ended: " + self.log_text())
            status = self.status(check=False)
            return (status and status["ifaces"] and status["store"]["running"] and
                    all(i["state"] == "active" and i["worker"]
                        for i in status["ifaces"].values()))
        try:
            wait_for(all_active, seconds)
        except AssertionError:
            raise AssertionError("not active: %s\n%s" % (self.status(check=False),
                                                         self.log_text()))

    def ctl(self, *args, check=True, **kwargs):
        env = dict(os.environ, WEIR_SOCKET=self.socket, WEIR_STORE=self.store)
        return run(os.path.join(BIN, "weirctl"), *args, check=check, env=env, **kwargs)

    def json(self, *args):
        return json.loads(self.ctl("-o", "json", *args).stdout)

    def status(self, check=True):
        done = self.ctl("-o", "json", "status", check=False)
        if check and done.returncode not in (0, 4):  # 4: a worker has just ended
            raise RuntimeError("status: exit %d: %s" % (done.returncode, done.stderr))
        return json.loads(done.stdout) if done.returncode in (0, 4) else None

    def iface(self, name):
        return self.status()["ifaces"][name]

    def rotate(self, *ifaces):
        return self.json("rotate", *ifaces)["ifaces"]

    def query(self, columns, *options):
        return self.json("query", *options, columns)

    def total(self, *options):
        """Packets and bytes of everything in the store, received plus sent."""
        total = self.query("iface", "-n", "0", *options)["total"]
        return total["packets"], total["bytes"]

    def hang_up(self):
        if self.requester:
            self.requester.close()
        self.requester = None

    def stop(self, seconds=30):
        """SIGTERM; the exit code."""
        self.hang_up()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.log.close()
        self.process = None
        return code

    def kill(self):
        self.hang_up()
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.process = None

    def close(self):
        self.hang_up()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.log.close()
        self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.records, ignore_errors=True)
        atexit.unregister(self.close)


def shown(name):
    """The name of an interface as every output has it: a backslash, and a byte that drives a
    terminal, as \\xNN."""
    return "".join("\\x%02x" % ord(c) if c == "\\" or ord(c) < 0x20 or ord(c) == 0x7f else c
                   for c in name)


def ethernet(payload, ethertype=0x0800, tags=()):
    frame = bytes.fromhex("020000000002" "020000000001")
    for tag_type, vlan in tags:
        frame += struct.pack("!HH", tag_type, vlan)
    return frame + struct.pack("!H", ethertype) + payload


def ipv4(src, dst, proto, payload, length=None, fragment=0, ident=7):
    total = 20 + len(payload) if length is None else length
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, ident, fragment, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + payload


def udp(sport, dport, payload=b""):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, flags, payload=b""):
    return struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, flags, 1024, 0, 0) + payload


SYN, ACK, PSH = 0x02, 0x10, 0x08


def pcap(packets, link_type=1):
    """A capture file: packets are (seconds, frame) or (seconds, frame, wire length)."""
    out = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link_type)]
    for packet in packets:
        when, frame = packet[0], packet[1]
        wire = packet[2] if len(packet) > 2 else len(frame)
        out.append(struct.pack("<IIII", int(when), int(round((when % 1) * 1e6)),
                               len(frame), wire) + frame)
    return b"".join(out)


def read_json(path, *options, check=True, stdin=None):
    """What `weirctl read` says of a capture file: (exit code, document, stderr)."""
    done = subprocess.run([os.path.join(BIN, "weirctl"), "-o", "json", "read", *options,
                           path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=stdin or subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise AssertionError("read %s: exit %d: %s" % (path, done.returncode, done.stderr))
    try:
        document = json.loads(done.stdout) if done.stdout else None
    except ValueError:
        raise AssertionError("not JSON: %r" % done.stdout[:500])
    return done.returncode, document, done.stderr.decode(errors="replace")


class Sender(threading.Thread):
    """Packets of many flows on an interface until told to stop; knows how many it sent."""

    def __init__(self, ns, flows=10000, pps=5000, iface="va"):
        super().__init__(daemon=True)
        self.sock = ns.packet_socket(iface)
        self.frames = [ethernet(ipv4("10.1.%d.%d" % (i >> 8 & 255, i & 255), "10.9.0.1", 17,
                                     udp(1024 + (i >> 16), 53, b"x" * 20)))
                       for i in range(flows)]
        self.pps = pps
        self.sent = 0
        self.going = True

    def run(self):
        start = time.monotonic()
        while self.going:
            due = int((time.monotonic() - start) * self.pps)
            while self.sent < due:
                self.sock.send(self.frames[self.sent % len(self.frames)])
                self.sent += 1
            time.sleep(0.002)

    def stop(self):
        self.going = False
        self.join()
        self.sock.close()
        return self.sent


def books_close(books):
    for unit in ("packets", "bytes"):
        refused = sum(counter[unit] for counter in books["refused"].values())
        if books[unit] != books["in_flows"][unit] + refused:
            return False
    return True


def main():
    unittest.main(verbosity=2)
