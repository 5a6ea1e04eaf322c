"""Which interfaces are taken: patterns and exclusions, any-up, names with any byte that the
kernel allows, and a thousand links that nobody asked for."""

import json
import os
import subprocess
import time

from harness import BIN, SANITIZED, Sender, main, need_root, shown, wait_for
from live import Live, WITHIN, cpu_ticks

need_root()

ODD = 'a@b"c;é$('
NAMES = ["eth0.100", "lacp20.84", ODD, "enx00e04c688f88", "...", "-s'`\\x"]


class Patterns(Live):
    def taken(self):
        return set(self.daemon.ask("status")["ifaces"])

    def test_a_pattern_takes_what_matches_as_it_appears(self):
        self.ns.veth("weir0", "peer0")
        self.ns.veth("weirx0", "peerx0")
        self.start({"name": "weir*", "not": '["weirx*"]'})
        self.assertEqual(self.taken(), {"weir0"})
        self.assertEqual(self.daemon.now("weir0")["entry"], "weir*")
        self.ns.veth("weir1", "peer1")
        wait_for(lambda: self.counting("weir1"), WITHIN)
        self.ns.veth("weirx1", "peerx1")
        self.send_and_count("peer1", "weir1", 20)
        self.assertEqual(self.taken(), {"weir0", "weir1"})
        # One that vanishes is gone from status when its flows are stored, not before.
        self.ns.ip("link", "del", "weir1")
        while "weir1" in self.taken():
            time.sleep(0.002)
        self.assertEqual(self.stored("weir1"), 20)
        self.assertEqual(self.daemon.now("weir0")["restarts"], 0)
        # ... and begins anew when it is there again.
        self.ns.veth("weir1", "peer1")
        wait_for(lambda: self.counting("weir1"), WITHIN)
        self.send_and_count("peer1", "weir1", 5)
        self.daemon.rotate()
        self.assertEqual(self.stored("weir1"), 25)

    def test_a_pattern_whose_interface_is_renamed_follows_the_names(self):
        self.ns.veth("weir0", "peer0")
        self.start({"name": "weir*"})
        self.send_and_count("peer0", "weir0", 8)
        said = len(self.daemon.log_text())
        for name in ("peer9", "weir7"):
            old = "weir0" if name == "peer9" else "peer9"
            self.ns.ip("link", "set", old, "down")
            self.ns.ip("link", "set", old, "name", name)
            self.ns.ip("link", "set", name, "up")
            if name == "peer9":
                wait_for(lambda: self.taken() == set())
                self.assertEqual(self.stored("weir0"), 8)
        wait_for(lambda: self.counting("weir7"), WITHIN)
        self.assertEqual(self.taken(), {"weir7"})
        # Nobody waits for the old name.
        [line] = [line for line in self.lines("weir0", said) if "now called peer9" in line]
        self.assertNotIn("waited for", line)

    def remake(self, name, peer):
        self.ns.ip("link", "del", name)
        wait_for(lambda: name not in self.taken(), 5)
        self.ns.veth(name, peer)
        wait_for(lambda: self.daemon.now(name).get("worker"), 5)
        return self.daemon.now(name)["wanted"]

    def test_what_was_disabled_stays_so_when_it_is_made_again(self):
        self.ns.veth("weir0", "peer0")
        self.ns.veth("weir1", "peer1")
        self.start({"name": "weir*"})
        self.assertEqual(self.remake("weir1", "peer1"), "enabled")
        self.daemon.ask("disable", ifaces=["weir0"])
        for _ in range(2):
            self.assertEqual(self.remake("weir0", "peer0"), "disabled")
            self.assertEqual(self.daemon.now("weir0")["state"], "uninitialized")
        self.assertEqual(self.daemon.now("weir1")["wanted"], "enabled")
        # Until somebody says otherwise, also while it is not there.
        self.daemon.ask("enable", ifaces=["weir0"])
        wait_for(lambda: self.counting("weir0"))
        self.assertEqual(self.remake("weir0", "peer0"), "enabled")
        for command in ({"kind": "enable"}, {"kind": "reload"}):
            self.daemon.ask("disable", ifaces=["weir0"])
            self.ns.ip("link", "del", "weir0")
            wait_for(lambda: "weir0" not in self.taken(), 5)
            self.assertTrue(self.daemon.ask(**command)["ok"])
            self.ns.veth("weir0", "peer0")
            wait_for(lambda: self.counting("weir0"), 5)

    def test_any_up_takes_what_comes_up_and_no_loopback(self):
        self.ns.ip("link", "set", "vb", "down")
        self.start("any-up")
        self.assertEqual(self.taken(), {"va"})
        self.assertEqual(self.daemon.now("va")["entry"], "any-up")
        self.ns.ip("link", "set", "vb", "up")
        wait_for(lambda: self.counting("vb"), WITHIN)
        # Taken once, it stays, also while it is down.
        self.ns.ip("link", "set", "vb", "down")
        wait_for(lambda: self.presence("vb") == "down", WITHIN)
        self.ns.ip("link", "set", "vb", "up")
        self.wait_carrier("va", "vb")
        self.send_and_count("va", "vb", 4)
        self.assertEqual(self.taken(), {"va", "vb"})

    def test_a_name_goes_before_a_pattern_and_the_first_pattern_before_the_next(self):
        for i in range(3):
            self.ns.veth("weir%d" % i, "peer%d" % i)
        self.start({"name": "weir*", "not": '"weir2"', "snaplen": 100},
                   {"name": "weir1", "snaplen": 200}, {"name": "w*", "snaplen": 300})
        self.assertEqual({name: (iface["entry"], iface["config"]["snaplen"]) for name, iface
                          in self.daemon.ask("status")["ifaces"].items()},
                         {"weir0": ("weir*", 100), "weir1": ("weir1", 200),
                          "weir2": ("w*", 300)})


class Names(Live):
    def test_any_name_that_the_kernel_allows(self):
        for i, name in enumerate(NAMES):
            self.ns.veth("p%d" % i, name)
        self.start(*NAMES)
        for i, name in enumerate(NAMES):
            self.send_and_count("p%d" % i, name, 10 + i)
        self.assertEqual(set(json.loads(self.daemon.ctl("-o", "json", "status").stdout)
                             ["ifaces"]), {shown(name) for name in NAMES})
        records = os.listdir(self.daemon.records)
        self.assertEqual(len(records), len(NAMES), records)
        for file in records + os.listdir(self.daemon.errors):
            self.assertRegex(file, r"^[A-Za-z0-9_%-][A-Za-z0-9._%-]*$")
        self.daemon.rotate()
        for i, name in enumerate(NAMES):
            rows = self.daemon.query("iface", "-i", name)["rows"]
            self.assertEqual([(row["iface"], row["packets"]) for row in rows],
                             [(shown(name), 10 + i)])
            # Every command takes it, in every form of output.
            for command in ("status", "errors", "flows", "rotate", "disable", "enable"):
                done = self.daemon.ctl("-o", "json", command, "--", name)
                self.assertEqual(list(json.loads(done.stdout)["ifaces"]), [shown(name)])
        for form in ("table", "csv"):
            out = self.daemon.ctl("-o", form, "status").stdout
            for name in NAMES:
                self.assertIn(shown(name) if form == "csv" and '"' not in name else name[:3],
                              out)
        self.assertIn("[eth0.100]", self.daemon.log_text())
        self.assertEqual(self.daemon.stop(), 0)
        for i, name in enumerate(NAMES):
            self.assertEqual(self.stored(name), 10 + i)

    def test_names_that_are_none(self):
        done = self.ns.run("ip", "link", "add", "a b", "type", "veth", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.start("vb")
        for name in ("a b", "..", ".", "a/b", "a:b", "sixteen-bytes-xx"):
            with self.subTest(name):
                answer = self.daemon.ask("status", ifaces=[name])
                self.assertFalse(answer["ok"])
                answer = self.daemon.ask("update", entries=[
                    {"name": name, "config": self.daemon.now("vb")["config"]}])
                self.assertEqual((answer["ok"], answer["error"]), (False, "bad_message"))
                self.daemon.write_config(["vb", name])
                done = subprocess.run([os.path.join(BIN, "weir-supervisor"), "--check", "-c",
                                       self.daemon.config], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(self.daemon.config + ":11:", done.stderr)
        self.assertEqual(set(self.daemon.ask("status")["ifaces"]), {"vb"})

    def test_two_entries_of_one_name_are_refused_by_the_daemon(self):
        self.start("vb")
        before = self.daemon.now("vb")
        self.daemon.write_config(["vb", {"name": "vb", "snaplen": 100}])
        done = self.daemon.ctl("reload", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r":11:[0-9]+: .*\b10\b")  # where, and where the first
        config = before["config"]
        answer = self.daemon.ask("update", entries=[{"name": "vb", "config": config},
                                                    {"name": "vb", "config": config}])
        self.assertEqual((answer["ok"], answer["error"]), (False, "bad_message"))
        self.assertIn("vb", answer["text"])
        after = self.daemon.now("vb")
        self.assertEqual((after["pid"], after["config"]), (before["pid"], before["config"]))


class Thousand(Live):
    def test_a_thousand_links_that_nobody_asked_for(self):
        """They cost nothing while they are there, and nobody anything when they come
        and go."""
        self.start("vb", {"name": "weir*"})
        before = self.daemon.now("vb")
        batch = os.path.join(self.daemon.dir, "links")
        with open(batch, "w") as f:
            for i in range(500):
                f.write("link add x%d group 7 type veth peer name y%d group 7\n" % (i, i))
        sender = Sender(self.ns, flows=500, pps=2000)
        sender.start()
        self.ns.ip("-batch", batch)
        with open(batch, "w") as f:
            for i in range(20):  # one by one ...
                f.write("link del x%d\n" % i)
                f.write("link add x%d group 7 type veth peer name y%d group 7\n" % (i, i))
        self.ns.ip("-batch", batch)
        sent = sender.stop()
        wait_for(lambda: self.daemon.packets("vb") == sent, 5)
        self.daemon.hang_up()
        # A bound on the time used, not on how long something takes.
        time.sleep(0.5)
        ticks = cpu_ticks(self.daemon.process.pid)
        time.sleep(10)
        used = cpu_ticks(self.daemon.process.pid) - ticks
        print("1000 idle links: %d ms of a processor in 10 s" % (used * 10))
        if not SANITIZED:
            self.assertLess(used, 10)
        sender = Sender(self.ns, flows=500, pps=2000)
        sender.start()
        self.ns.ip("link", "del", "group", "7")  # ... and all at once
        self.ns.veth("weir0", "peer0")
        wait_for(lambda: self.counting("weir0"), WITHIN)
        sent += sender.stop()
        wait_for(lambda: self.daemon.packets("vb") == sent, 5)
        after = self.daemon.now("vb")
        self.assertEqual((after["pid"], after["restarts"], after["state"]),
                         (before["pid"], 0, "active"))
        self.assertEqual(after["worker"]["interval"]["kernel"]["dropped"], 0)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.stored("vb"), sent)


if __name__ == "__main__":
    main()
