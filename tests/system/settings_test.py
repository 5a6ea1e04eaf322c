"""Settings that have more than one source: which one goes before which. One table per
setting; sources stand in their order, the strongest first. Those of a capture (interface,
`defaults`, built in) are in common/config_test.c."""

import os
import re
import shutil
import tempfile
import unittest

from harness import (BIN, CLIENT_GROUP, Daemon, Namespace, STORE_USER, WORKER_USER, main,
                     need_root, run)

need_root()

OWN = ("WEIR_SOCKET", "WEIR_STORE", "WEIR_LIBEXECDIR")


def program(name, *args, **env):
    """Runs it with these of weir's variables and no others."""
    environment = {key: value for key, value in os.environ.items() if key not in OWN}
    environment.update(env)
    return run(os.path.join(BIN, name), *args, check=False, env=environment, timeout=60)


class Precedence(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="weirt-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def test_the_socket_of_weirctl(self):
        """-s, WEIR_SOCKET, built in."""
        built_in = re.search(r"WEIR_SOCKET; default ([^ )]+)\)",
                             program("weirctl", "--help").stdout).group(1)
        option, other, variable = "/nowhere/o", "/nowhere/p", "/nowhere/v"
        table = [
            ((), {}, built_in),
            ((), {"WEIR_SOCKET": ""}, built_in),
            ((), {"WEIR_SOCKET": variable}, variable),
            (("-s", option), {}, option),
            (("-s", option), {"WEIR_SOCKET": variable}, option),
            (("--socket=" + option,), {"WEIR_SOCKET": variable}, option),
            (("-s", option, "-s", other), {}, other),
        ]
        for options, env, expected in table:
            if expected == built_in and os.path.exists(built_in):
                continue  # a daemon of this machine would answer
            for command in (["status"], ["rotate"]):
                for words in ([*options, *command], [*command, *options]):
                    done = program("weirctl", *words, **env)
                    self.assertEqual(done.returncode, 3, words)
                    self.assertIn("no daemon at %s " % expected, done.stderr)

    def test_the_store_of_weirctl_query(self):
        """-d, WEIR_STORE, the daemon's, built in."""
        nowhere = ("-s", "/nowhere/s")
        built_in = re.search(r"daemon's, else ([^)]+)\)",
                             program("weirctl", "query", "--help").stdout).group(1)
        option, variable = "/nowhere/o", "/nowhere/v"
        table = [
            ((), {}, built_in),
            ((), {"WEIR_STORE": ""}, built_in),
            ((), {"WEIR_STORE": variable}, variable),
            (("-d", option), {}, option),
            (("-d", option), {"WEIR_STORE": variable}, option),
        ]
        for options, env, expected in table:
            if expected == built_in and os.path.exists(built_in):
                continue
            done = program("weirctl", *nowhere, "query", *options, "src", **env)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(expected, done.stderr)

        ns = Namespace()
        self.addCleanup(ns.close)
        ns.veth("va", "vb")
        daemon = Daemon(["va"], ns)
        self.addCleanup(daemon.close)
        daemon.rotate()
        asked = ("-s", daemon.socket, "query")
        done = program("weirctl", *asked, "iface")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = program("weirctl", *asked, "iface", WEIR_STORE=variable)
        self.assertEqual(done.returncode, 1)
        self.assertIn(variable, done.stderr)
        done = program("weirctl", *asked, "-d", daemon.store, "iface", WEIR_STORE=variable)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_configuration_of_the_daemon_and_of_check(self):
        """What is named, built in; no variable changes it."""
        built_in = re.search(r"configuration \(([^)]+)\)",
                             program("weir-supervisor", "--help").stdout).group(1)
        self.assertIn("default: %s)" % built_in,
                      program("weirctl", "check", "--help").stdout)
        named = os.path.join(self.dir, "named.yaml")
        table = [
            ("weir-supervisor", ("--check",), built_in),
            ("weir-supervisor", (), built_in),
            ("weir-supervisor", ("--check", "-c", named), named),
            ("weir-supervisor", ("--config=" + named,), named),
            ("weir-supervisor", ("-c", "/nowhere/first", "-c", named), named),
            ("weirctl", ("check",), built_in),
            ("weirctl", ("check", named), named),
        ]
        for name, options, expected in table:
            if os.path.exists(expected):
                continue
            done = program(name, *options, WEIR_CONFIG="/nowhere/variable")
            self.assertEqual(done.returncode, 1 if name == "weirctl" else 2)
            self.assertEqual(done.stderr, "%s: cannot be read: No such file or directory\n"
                             % expected)

    def test_the_directory_of_the_other_programs(self):
        """WEIR_LIBEXECDIR, beside the program, built in."""
        beside = os.path.join(self.dir, "beside")
        elsewhere = os.path.join(self.dir, "elsewhere")
        alone = os.path.join(self.dir, "alone")
        capture = os.path.join(self.dir, "empty.pcap")
        with open(capture, "wb") as f:
            f.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        for directory, names in ((beside, ("weirctl",)), (alone, ("weirctl",)),
                                 (elsewhere, ())):
            os.mkdir(directory)
            for name in names:
                shutil.copy2(os.path.join(BIN, name), directory)
        for directory, code in ((beside, 41), (elsewhere, 42)):
            with open(os.path.join(directory, "weir-worker"), "w") as f:
                f.write("#!/bin/sh\nexit %d\n" % code)
            os.chmod(f.name, 0o755)
        table = [
            (beside, {}, "exit code 41"),
            (beside, {"WEIR_LIBEXECDIR": ""}, "exit code 41"),
            (beside, {"WEIR_LIBEXECDIR": elsewhere}, "exit code 42"),
            # it is told to be there, so no other will do
            (beside, {"WEIR_LIBEXECDIR": alone}, alone + "/weir-worker: no such program"),
            (alone, {"WEIR_LIBEXECDIR": elsewhere}, "exit code 42"),
            (alone, {}, "/libexec/weir/weir-worker: no such program"),
        ]
        for directory, env, expected in table:
            if "/libexec/" in expected and os.path.exists("/usr/local/libexec/weir"):
                continue
            environment = {k: v for k, v in os.environ.items() if k not in OWN}
            done = run(os.path.join(directory, "weirctl"), "read", capture, check=False,
                       env=dict(environment, **env))
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stderr)


class Refused(unittest.TestCase):
    """A path that will not do is told at the start, not when the first flows are due."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="weirt-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        os.chmod(self.dir, 0o755)
        self.records = os.path.join("/dev/shm", os.path.basename(self.dir))
        self.addCleanup(shutil.rmtree, self.records, True)

    def start(self, **paths):
        keys = {"runtime": self.dir + "/run", "records": self.records,
                "store": self.dir + "/store", "errors": self.dir + "/errors"}
        keys.update(paths)
        name = os.path.join(self.dir, "weir.yaml")
        with open(name, "w") as f:
            for key, value in keys.items():
                f.write("%s: %s\n" % (key, value))
            f.write('worker_user: "%d"\nstore_user: "%d"\nclient_group: "%d"\n'
                    "interfaces:\n  - name: not-here\n"
                    % (WORKER_USER, STORE_USER, CLIENT_GROUP))
        # It ends by itself, or the time that it takes is a failure.
        return program("weir-supervisor", "-c", name)

    def test_a_directory_that_cannot_be_made(self):
        for key in ("store", "records"):
            path = self.dir + "/missing/" + key
            done = self.start(**{key: path})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("%s: %s cannot be made: No such file or directory" % (key, path),
                          done.stderr)
        done = self.start(runtime=self.dir + "/missing/run")
        self.assertEqual(done.returncode, 2)
        self.assertIn("runtime: the directory %s/missing does not exist" % self.dir,
                      done.stderr)

    def test_a_store_that_is_a_file_or_has_something_else_in_it(self):
        path = os.path.join(self.dir, "file")
        with open(path, "w"):
            pass
        done = self.start(store=path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("store: %s cannot be opened as a directory" % path, done.stderr)
        foreign = os.path.join(self.dir, "foreign")
        os.mkdir(foreign)
        with open(os.path.join(foreign, "letters"), "w"):
            pass
        done = self.start(store=foreign)
        self.assertEqual(done.returncode, 1)
        self.assertIn("store: %s exists with something else in it" % foreign, done.stderr)
        self.assertEqual(os.listdir(foreign), ["letters"])


if __name__ == "__main__":
    main()
