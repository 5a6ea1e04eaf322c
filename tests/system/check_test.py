"""weirctl check: what would fail at a start, and what repairs it."""

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import tempfile
import time
import unittest

from harness import (BIN, CLIENT_GROUP, Daemon, Namespace, STORE_USER, WORKER_USER, main,
                     need_root, run, shown)

need_root()

ODD = 'a@b"c;é$('


class Check(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace()
        self.addCleanup(self.ns.close)
        self.dir = tempfile.mkdtemp(prefix="weirt-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        os.chmod(self.dir, 0o755)
        self.bin = BIN
        self.file = os.path.join(self.dir, "weir.yaml")

    def write(self, interfaces, worker_user=WORKER_USER, more="", store=None, errors='""',
              runtime=None, group=CLIENT_GROUP):
        """The interfaces begin in line 7."""
        with open(self.file, "w") as f:
            f.write('runtime: %s\nstore: %s\nworker_user: "%s"\nstore_user: "%d"\n'
                    'client_group: "%s"\ninterfaces:\n%s%serrors: %s\n'
                    % (runtime or self.dir + "/run", store or self.dir + "/store",
                       worker_user, STORE_USER, group, interfaces, more, errors))
        os.chmod(self.file, 0o644)

    def weirctl(self, *args, prefix=(), env=None, **kwargs):
        return run(*self.ns.prefix(), *prefix, os.path.join(self.bin, "weirctl"), *args,
                   check=False, env=dict(os.environ, **(env or {})), timeout=60, **kwargs)

    def check(self, code, *prefix):
        """The document, and its rows by interface."""
        done = self.weirctl("-o", "json", "check", self.file, prefix=prefix)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        return document, {row["iface"]: row for row in document["ifaces"]}, done.stderr


class Interfaces(Check):
    def test_every_interface_has_its_result_why_and_repair(self):
        self.ns.veth("va", "vb")
        self.ns.veth("w0", "w1")
        self.ns.ip("link", "set", "vb", "down")
        self.ns.ip("link", "set", "w1", "down")
        self.write('  - name: "v*"\n'
                   '  - name: any-up\n    filter: tcp and nonsense 5\n    not: v?\n'
                   '  - name: nothere\n'
                   '  - name: "ppp*"\n')
        document, rows, stderr = self.check(1)
        self.assertEqual(document["file"], self.file)
        self.assertEqual(set(rows), {"va", "vb", "w0", "nothere", None})
        self.assertEqual((rows["va"]["result"], rows["va"]["entry"], rows["va"]["line"]),
                         ("ok", "v*", 7))
        self.assertIsNone(rows["va"]["why"])
        self.assertIsNone(rows["va"]["repair"])
        self.assertEqual((rows["vb"]["result"], rows["vb"]["reason"], rows["vb"]["repair"]),
                         ("waits", "down", "ip link set dev vb up"))
        self.assertEqual((rows["w0"]["result"], rows["w0"]["reason"], rows["w0"]["entry"]),
                         ("fails", "filter", "any-up"))
        self.assertIn("syntax error", rows["w0"]["why"])
        self.assertEqual(rows["w0"]["repair"],
                         "correct the key filter in %s:9" % self.file)
        self.assertEqual((rows["nothere"]["result"], rows["nothere"]["reason"]),
                         ("waits", "no_such_device"))
        self.assertIn("%s:11" % self.file, rows["nothere"]["repair"])
        self.assertEqual((rows[None]["result"], rows[None]["entry"]), ("waits", "ppp*"))
        self.assertEqual(stderr, "")

    def test_a_filter_is_looked_at_before_there_is_an_interface(self):
        self.ns.veth("va", "vb")
        self.ns.ip("link", "set", "vb", "down")
        self.write('  - name: vb\n    filter: tcp and nonsense 5\n'
                   '  - name: nothere\n    filter: udp port\n'
                   '  - name: "ppp*"\n    filter: "("\n'
                   '  - name: later\n    filter: vlan 7 and ether host 2:0:0:0:0:1\n')
        _, rows, _ = self.check(1)
        for name, line in (("vb", 8), ("nothere", 10), (None, 12)):
            self.assertEqual((rows[name]["result"], rows[name]["reason"]),
                             ("fails", "filter"), name)
            self.assertIn("syntax error", rows[name]["why"])
            self.assertEqual(rows[name]["repair"],
                             "correct the key filter in %s:%d" % (self.file, line))
        self.assertEqual((rows["later"]["result"], rows["later"]["reason"]),
                         ("waits", "no_such_device"))

    def test_a_filter_from_the_defaults_is_found_there(self):
        self.ns.veth("va", "vb")
        self.write("  - name: va\n  - name: vb\n    filter: udp\n",
                   more="defaults:\n  filter: host nosuch..name\n")
        _, rows, _ = self.check(1)
        self.assertEqual(rows["va"]["repair"],
                         "correct the key filter in %s:11" % self.file)
        self.assertEqual(rows["vb"]["result"], "ok")

    def test_nothing_that_fails_is_0_in_every_format(self):
        self.ns.veth("va", "vb")
        self.write('  - name: "v[ab]"\n  - name: lo\n  - name: later\n')
        _, rows, _ = self.check(0)
        self.assertEqual({name: row["result"] for name, row in rows.items()},
                         {"va": "ok", "vb": "ok", "lo": "ok", "later": "waits"})
        done = self.weirctl("-o", "csv", "check", self.file)
        self.assertEqual(done.returncode, 0)
        table = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual({row["iface"]: row["result"] for row in table},
                         {name: row["result"] for name, row in rows.items()})
        done = self.weirctl("check", self.file)
        self.assertEqual(done.returncode, 0)
        self.assertIn("%s: no faults; 3 interfaces" % self.file, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^IFACE +ENTRY +RESULT +WHY +REPAIR")
        self.assertRegex(done.stdout, r"(?m)^vb +v\[ab\] +ok ")

    def test_the_command_that_repairs_does(self):
        """Also where a shell would read more than a name."""
        for name in ("va", ODD, "-x", "it's"):
            self.ns.ip("link", "add", "name", name, "type", "veth", "peer", "name", "peer")
            self.ns.ip("link", "set", "dev", "peer", "up")
            self.write("  - name: %s\n" % json.dumps(name, ensure_ascii=False))
            _, rows, _ = self.check(0)
            self.assertEqual(rows[name]["result"], "waits", name)
            self.ns.run("bash", "-c", rows[name]["repair"])
            _, rows, _ = self.check(0)
            self.assertEqual(rows[name]["result"], "ok", name)
            self.ns.ip("link", "del", "dev", "peer")

    def test_names_of_15_bytes_with_dots_and_odd_bytes(self):
        names = ["enx00e04c688f88", "eth0.100", "lacp20.84", ODD, "\x01\x02"]
        for i, name in enumerate(names):
            self.ns.ip("link", "add", "name", name, "type", "veth", "peer", "name",
                       "peer%d" % i)
            for end in (name, "peer%d" % i):
                self.ns.ip("link", "set", "dev", end, "up")
        self.write("".join("  - name: %s\n" % json.dumps(name, ensure_ascii=False)
                           for name in names))
        _, rows, _ = self.check(0)
        self.assertEqual({name: row["result"] for name, row in rows.items()},
                         {shown(name): "ok" for name in names})
        self.write("  - name: any-up\n    not: 'peer*'\n")
        _, rows, _ = self.check(0)
        self.assertEqual(set(rows), {shown(name) for name in names})
        self.assertNotIn("\x01", self.weirctl("check", self.file).stdout)

    def test_a_device_that_cannot_be_opened(self):
        """One that is called like pcap's pseudo-device is never captured."""
        self.ns.veth("any", "vb")
        self.write("  - name: 'an[y]'\n")
        _, rows, _ = self.check(1)
        self.assertEqual((rows["any"]["result"], rows["any"]["reason"]),
                         ("fails", "open_failed"))
        self.assertIn("cannot be opened: ", rows["any"]["why"])

    def test_nothing_is_changed(self):
        self.ns.veth("va", "vb")
        self.write("  - name: va\n    promiscuous: true\n  - name: vb\n")
        before = self.ns.ip("-d", "link", "show").stdout
        self.check(0)
        self.assertEqual(self.ns.ip("-d", "link", "show").stdout, before)
        self.assertIn("promiscuity 0", before)
        self.assertEqual(os.listdir(self.dir), ["weir.yaml"])

    def test_promiscuous_mode_is_not_turned_on_for_a_moment(self):
        self.ns.veth("va", "vb")
        self.write("  - name: va\n    promiscuous: true\n")
        monitor = subprocess.Popen(["ip", "-n", self.ns.name, "-d", "monitor", "link"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(0.3)
            self.check(0)
            self.ns.ip("link", "set", "vb", "alias", "checked")
            with self.ns.packet_socket("va") as sock:
                mode = struct.pack("iHH8s", int(self.ns.run(
                    "cat", "/sys/class/net/va/ifindex").stdout), 1, 0, b"")
                sock.setsockopt(263, 1, mode)  # SOL_PACKET, PACKET_ADD_MEMBERSHIP
            time.sleep(0.3)
        finally:
            monitor.terminate()
            said = monitor.communicate()[0]
        during, after = said.split("alias checked", 1)
        self.assertNotIn("promiscuity 1", during)
        self.assertIn("promiscuity 1", after)  # else nothing was proven

    def test_a_daemon_that_runs_is_not_disturbed(self):
        self.ns.veth("va", "vb")
        daemon = Daemon(["va", "vb"], self.ns)
        try:
            before = {name: (i["pid"], i["restarts"], i["state"])
                      for name, i in daemon.status()["ifaces"].items()}
            self.file = daemon.config
            _, rows, _ = self.check(0)
            self.assertEqual(rows["va"]["result"], "ok")
            after = {name: (i["pid"], i["restarts"], i["state"])
                     for name, i in daemon.status()["ifaces"].items()}
            self.assertEqual(after, before)
        finally:
            daemon.close()


class Rights(Check):
    def test_who_is_not_root_is_told_to_be(self):
        self.ns.veth("va", "vb")
        self.write("  - name: va\n  - name: nothere\n")
        # Where anybody can pass: the tree may be in a closed directory.
        self.bin = shutil.copytree(BIN, os.path.join(self.dir, "bin"))
        _, rows, _ = self.check(1, "setpriv", "--reuid", "61009", "--regid", "61009",
                                "--clear-groups")
        self.assertEqual((rows["va"]["result"], rows["va"]["reason"], rows["va"]["repair"]),
                         ("fails", "permission", "sudo weirctl check " + self.file))
        self.assertEqual(rows["nothere"]["result"], "waits")

    def test_root_without_its_rights_is_told_which(self):
        self.ns.veth("va", "vb")
        self.write("  - name: va\n")
        for right in ("net_raw", "setuid"):
            document, rows, stderr = self.check(1, "setpriv", "--bounding-set", "-" + right)
            name = "CAP_" + right.upper()
            self.assertEqual(rows["va"]["result"], "fails")
            self.assertIn("root lacks %s here" % name, rows["va"]["why"])
            self.assertIn(name, rows["va"]["repair"])
            self.assertIn("root lacks %s here" % name, stderr)
            self.assertIn(name, document["host"][-1]["fault"])
        # one that workers do not need, but the supervisor does
        _, rows, stderr = self.check(1, "setpriv", "--bounding-set", "-chown")
        self.assertEqual(rows["va"]["result"], "ok")
        self.assertIn("root lacks CAP_CHOWN here", stderr)


class File(Check):
    def test_faults_of_the_file_are_the_daemons_own(self):
        """CHECKS 6.10: line and column, all at once, and nothing else."""
        self.write("  - name: eth0\n    timeout: 0ms\n  - name: eth0\n"
                   "  - name: 'eth['\n  - name: any\n", more="log: nowhere\nrotation: 7s\n")
        done = self.weirctl("check", self.file)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        lines = done.stderr.splitlines()
        self.assertEqual([line[len(self.file):].split(": ")[0] for line in lines],
                         [":8:14", ":9:11", ":10:11", ":11:11", ":12:6", ":13:11"])
        own = run(os.path.join(BIN, "weir-supervisor"), "--check", "-c", self.file,
                  check=False)
        self.assertEqual(done.stderr, own.stderr)

    def test_a_file_that_is_not_there(self):
        done = self.weirctl("check", "/nonexistent/weir.yaml")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/nonexistent/weir.yaml: cannot be read: No such file", done.stderr)

    def test_what_it_means_on_the_host_is_looked_at_as_well(self):
        self.ns.veth("va", "vb")
        self.write("  - name: va\n", worker_user="weir-nobody")
        document, rows, stderr = self.check(1)
        self.assertIn("useradd", stderr)
        self.assertIn("weir-nobody", document["host"][0]["fault"])
        self.assertEqual(rows["va"]["result"], "ok")
        missing = os.path.join(self.dir, "missing")
        self.write("  - name: va\n", store=missing + "/store")
        document, rows, stderr = self.check(1)
        self.assertIn("store: the directory %s does not exist" % missing, stderr)
        self.assertEqual(rows["va"]["result"], "ok")
        subprocess.check_call(["sh", "-c", stderr.split("create it: ")[1]])
        self.check(0)

    def test_every_directory_that_a_start_makes_has_its_command(self):
        self.ns.veth("va", "vb")
        for key in ("errors", "runtime"):
            # above /tmp/weirt-..., which everybody may pass through
            missing = os.path.join(self.dir, key, "it's missing")
            self.write("  - name: va\n", **{key: json.dumps(missing + "/last")})
            document, rows, stderr = self.check(1)
            self.assertIn("%s: the directory %s does not exist; create it: mkdir -p "
                          % (key, missing), stderr)
            self.assertEqual(rows["va"]["result"], "ok")
            line = [line for line in stderr.splitlines() if "create it: " in line][0]
            subprocess.check_call(["sh", "-c", line.split("create it: ")[1]])
            self.check(0)

    def test_what_the_supervisor_refuses_is_refused_here(self):
        self.ns.veth("va", "vb")
        for group in ("root", "0"):
            self.write("  - name: va\n", group=group)
            _, _, stderr = self.check(1)
            self.assertIn("client_group: '%s' is root's group" % group, stderr)
        self.write("  - name: va\n", more="records: %s/records\n" % self.dir)
        on_tmpfs = run("stat", "-f", "-c", "%T", self.dir).stdout.strip() == "tmpfs"
        _, _, stderr = self.check(0 if on_tmpfs else 1)
        if not on_tmpfs:
            self.assertIn("records: %s/records does not lie on a tmpfs" % self.dir, stderr)

    def test_standard_input_is_a_file_like_any_other(self):
        self.ns.veth("va", "vb")
        self.write('  - name: va\n  - name: vb\n    filter: no such word\n')
        with open(self.file) as f:
            text = f.read()
        done = self.weirctl("-o", "json", "check", "-", input=text)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        document = json.loads(done.stdout)
        self.assertEqual(document["file"], "standard input")
        rows = {row["iface"]: row for row in document["ifaces"]}
        self.assertEqual(rows["va"]["result"], "ok")
        self.assertEqual(rows["vb"]["repair"],
                         "correct the key filter in standard input:9")
        done = self.weirctl("check", "-", input=text.replace("no such word", "udp"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("standard input: no faults; 2 interfaces\n", done.stdout)
        # what it means on the host, and faults of the text
        done = self.weirctl("check", "-", input=text.replace(str(CLIENT_GROUP), "root"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("client_group: 'root' is root's group", done.stderr)
        self.assertIn("(in standard input)", done.stderr)
        done = self.weirctl("check", "-", input="interfaces: 5\n")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^standard input:1:1: interfaces: ")

    def test_wrong_usage_and_programs_that_are_missing(self):
        self.write("  - name: lo\n")
        self.assertEqual(self.weirctl("check", self.file, "more").returncode, 2)
        self.assertEqual(self.weirctl("check", "--nonsense").returncode, 2)
        done = self.weirctl("check", self.file, env={"WEIR_LIBEXECDIR": self.dir})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(self.dir + "/weir-worker: no such program", done.stderr)


if __name__ == "__main__":
    main()
