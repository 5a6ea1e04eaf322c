"""What operators ask for: warnings, the interface's own counts, the values in force, the
flows of the running interval; and that asking changes nothing."""

import glob
import json
import os
import signal
import sqlite3

from harness import ethernet, ipv4, main, need_root, tcp, udp, wait_for
from live import FRAME, Live

need_root()

KEYS = {"buffer": ("2MiB", 2 << 20), "flows": ("4000", 4000), "snaplen": ("200", 200),
        "error_threshold": ("77", 77), "timeout": ("30ms", 30),
        "promiscuous": ("false", False), "filter": ("udp", "udp")}


class Facts(Live):
    def warnings(self, name):
        return self.daemon.now(name)["warnings"]

    def test_both_ends_of_a_veth_pair_see_the_same_packets(self):
        self.ns.veth("vc", "vd")
        self.start("va", "vb", "vc")
        wait_for(lambda: self.warnings("va") and self.warnings("vb"))
        self.assertIn("vb", self.warnings("va")[0])
        self.assertIn("va", self.warnings("vb")[0])
        self.assertEqual(self.warnings("vc"), [])
        self.assertRegex(self.daemon.ctl("status").stdout, r"va: warning: .*\bvb\b")
        self.assertEqual(len([line for line in self.lines("va") if "twice" in line]), 1)
        self.daemon.ask("disable", ifaces=["vb"])
        wait_for(lambda: not self.warnings("va") and not self.warnings("vb"))
        self.daemon.ask("enable", ifaces=["vb"])
        wait_for(lambda: self.warnings("va") and self.warnings("vb"))
        self.ns.ip("link", "del", "va")
        wait_for(lambda: not self.warnings("va") and not self.warnings("vb"))

    def test_a_bridge_and_its_port(self):
        if self.ns.run("ip", "link", "add", "br0", "type", "bridge", check=False).returncode:
            self.skipTest("this kernel has no bridges")
        self.ns.ip("link", "set", "br0", "up")
        self.start("br0", "vb")
        self.assertEqual(self.warnings("br0"), [])
        self.ns.ip("link", "set", "vb", "master", "br0")
        wait_for(lambda: self.warnings("br0") and self.warnings("vb"))
        self.assertIn("br0", self.warnings("vb")[0])
        self.ns.ip("link", "set", "vb", "nomaster")
        wait_for(lambda: not self.warnings("br0") and not self.warnings("vb"))
        # What they have in common may be something that nobody counts.
        self.ns.ip("link", "set", "va", "master", "br0")
        wait_for(lambda: self.warnings("br0") and self.warnings("vb"))
        self.ns.ip("link", "set", "va", "nomaster")
        wait_for(lambda: not self.warnings("br0") and not self.warnings("vb"))

    def test_overlaps_of_captures_that_change_nothing_about_their_links(self):
        quiet = {"promiscuous": "false"}
        self.start(*[dict(quiet, name=name) for name in ("va", "vb")])
        wait_for(lambda: self.warnings("va") and self.warnings("vb"))
        self.daemon.write_config([dict(quiet, name="va")])
        self.daemon.ask("reload")
        wait_for(lambda: not self.warnings("va"))
        self.daemon.write_config([dict(quiet, name=name) for name in ("va", "vb")])
        self.daemon.ask("reload")
        wait_for(lambda: self.warnings("va") and self.warnings("vb"))
        for command, count in (("disable", 0), ("enable", 1)):
            self.daemon.ask(command, ifaces=["vb"])
            wait_for(lambda: len(self.warnings("va")) == len(self.warnings("vb")) == count)

    def test_a_filter_is_not_judged_while_nothing_is_captured(self):
        self.start({"name": "vb", "filter": "tcp port 9"})
        self.ns.send("va", FRAME, 10)
        self.daemon.rotate()
        self.daemon.ask("disable", ifaces=["vb"])
        for _ in range(3):
            self.ns.send("va", FRAME, 10)
            self.assertTrue(self.daemon.rotate("vb")["vb"]["done"])
            self.assertEqual(self.warnings("vb"), [])
        self.daemon.ask("enable", ifaces=["vb"])
        # The interval in which it was opened tells nothing yet, two others do.
        for warnings in (0, 0, 1):
            self.ns.send("va", FRAME, 10)
            self.daemon.rotate()
            self.assertEqual(len(self.warnings("vb")), warnings)
        self.daemon.ask("disable", ifaces=["vb"])
        self.assertEqual(self.warnings("vb"), [])

    def test_a_worker_that_does_not_answer_for_its_flows(self):
        self.start("va", "vb")
        pid = self.daemon.now("vb")["pid"]
        os.kill(pid, signal.SIGSTOP)
        answer = self.daemon.ask("flows")["ifaces"]
        self.assertEqual(answer["vb"]["error"], "timeout")
        self.assertEqual(answer["va"]["flows"], 0)

    def test_a_filter_that_matches_nothing_for_two_intervals(self):
        self.start({"name": "vb", "filter": "tcp port 9"})
        for rotations in (1, 2):
            self.assertEqual(self.warnings("vb"), [])
            self.ns.send("va", FRAME, 10)
            self.daemon.rotate()
        self.assertEqual(len(self.warnings("vb")), 1)
        self.assertIn("filter", self.warnings("vb")[0])
        self.assertIn("vb: warning: the filter", self.daemon.ctl("status").stdout)
        # Nothing passes at all: that says nothing about the filter.
        self.daemon.write_config([{"name": "vb", "filter": "udp"}])
        self.daemon.ask("reload")
        self.assertEqual(self.warnings("vb"), [])
        for _ in range(3):
            self.daemon.rotate()
        self.assertEqual(self.warnings("vb"), [])
        self.assertEqual(len([line for line in self.lines("vb") if "matched" in line]), 1)

    def test_counts_of_the_interface_known_and_not_known(self):
        self.start("vb")
        self.assertEqual(self.daemon.now("vb")["link_counts"],
                         {"packets": 0, "dropped": 0, "missed": 0})
        self.send_and_count("va", "vb", 30)
        self.assertEqual(self.daemon.now("vb")["link_counts"]["packets"], 30)
        self.assertEqual(self.daemon.now("vb")["worker"]["interval"]["kernel"],
                         {"received": 30, "dropped": 0})
        self.daemon.rotate()
        self.assertEqual(self.daemon.now("vb")["link_counts"]["packets"], 0)
        self.send_and_count("va", "vb", 4)
        self.daemon.rotate()
        self.send_and_count("va", "vb", 5)
        pid = self.daemon.now("vb")["pid"]
        self.ns.ip("link", "del", "vb")
        wait_for(lambda: self.presence("vb") == "gone" and self.stored("vb") == 39)
        self.assertIsNone(self.daemon.now("vb")["link_counts"])
        row = self.daemon.ctl("-o", "csv", "status").stdout.splitlines()
        values = dict(zip(row[0].split(","), row[1].split(",")))
        self.assertEqual((values["link_packets"], values["link_dropped"]), ("", ""))
        self.ns.veth("va", "vb")
        wait_for(lambda: self.counting("vb", pid))
        self.assertEqual(self.daemon.now("vb")["link_counts"]["packets"], 0)
        self.assertEqual(self.daemon.stop(), 0)
        # An interval whose interface vanished: nobody can say what that counted.
        [path] = glob.glob(os.path.join(self.daemon.store, "*.db"))
        db = sqlite3.connect(path)
        rows = db.execute("SELECT packets, link_packets, link_dropped, link_missed "
                          "FROM interval WHERE packets > 0 ORDER BY begin_ms").fetchall()
        db.close()
        self.assertEqual(rows, [(30, 30, 0, 0), (4, 4, 0, 0), (5, None, None, None)])

    def test_each_key_by_interface_by_defaults_and_by_pattern(self):
        self.ns.veth("weir0", "peer0")
        own = {key: text for key, (text, _) in KEYS.items()}
        defaults = "defaults:\n" + "".join("  %s: %s\n" % item for item in own.items())
        ways = {"by interface": ([dict(own, name="weir0")], ""),
                "by defaults": (["weir0"], defaults.rstrip()),
                "by pattern": ([dict(own, name="weir*")], ""),
                "by pattern and defaults": (["weir*"], defaults.rstrip())}
        self.start("weir0")
        plain = self.daemon.now("weir0")["worker"]
        for key, (text, value) in KEYS.items():
            if key not in ("flows", "error_threshold", "timeout"):
                self.assertNotEqual(plain["in_force"][key], value)
        for way, (entries, extra) in ways.items():
            with self.subTest(way):
                self.daemon.write_config(["vb"])
                self.assertTrue(self.daemon.ask("reload")["ok"])
                self.daemon.write_config(entries, extra=extra)
                self.assertTrue(self.daemon.ask("reload")["ok"])
                status = self.daemon.now("weir0")
                for key, (text, value) in KEYS.items():
                    name = "timeout_ms" if key == "timeout" else key
                    self.assertEqual(status["config"][name], value)
                    if name in status["worker"]["in_force"]:
                        self.assertEqual(status["worker"]["in_force"][name], value)
                self.assertEqual(status["worker"]["flow_limit"], 4000)
                text = self.daemon.ctl("status", "-v", "weir0").stdout
                for line in (r"buffer +2.00 MiB +2.00 MiB", r"flows +4.00 k +4.00 k",
                             r"snaplen +200 B +200 B", r"timeout +30ms +30ms",
                             r"promiscuous +no +no", r"filter:? +udp"):
                    self.assertRegex(text, line)
                self.assertEqual(self.daemon.now("weir0")["link"]["promiscuity"], 0)

    def test_flows_of_the_running_interval(self):
        self.start("vb", "va")
        sock = self.ns.packet_socket("va")
        for i in range(20):
            frame = ethernet(ipv4("10.0.%d.7" % i, "10.9.0.1", 17,
                                  udp(40000 + i, 53, b"x" * (100 - i))))
            for _ in range(i + 1):
                sock.send(frame)
        for _ in range(3):
            sock.send(ethernet(ipv4("10.0.1.7", "10.9.0.2", 6, tcp(50000, 443, 2))))
        sock.close()
        total = sum(range(1, 21)) + 3
        for name in ("va", "vb"):
            wait_for(lambda: self.daemon.packets(name) == total)
        books = self.daemon.now("vb")["worker"]["interval"]["books"]

        def flows(*options):
            answer = self.daemon.json("flows", "vb", *options)
            for flow in answer["flows"]:
                self.assertEqual(flow["iface"], "vb")
            return answer["flows"], answer["ifaces"]["vb"]
        rows, told = flows()
        self.assertEqual(told, {"flows": 21, "matched": 21})
        self.assertEqual(sum(row["packets"] for row in rows), books["packets"])
        self.assertEqual(sum(row["bytes"] for row in rows), books["bytes"])
        sizes = [row["bytes"] for row in rows]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        rows, told = flows("-n", "5", "-s", "packets")
        self.assertEqual([row["packets"] for row in rows], [20, 19, 18, 17, 16])
        self.assertEqual(told["matched"], 21)
        rows, told = flows("-n", "1", "-s", "last")
        self.assertEqual((rows[0]["dport"], rows[0]["packets"]), (443, 3))
        for options, ports in ((["--address", "10.0.1.7"], [53, 443]),
                               (["--address", "10.0.1.7", "--port", "443"], [443]),
                               (["--address", "10.0.0.0/23"], [53, 53, 443]),
                               (["--address", "10.9.0.2"], [443]), (["--port", "50000"], [443]),
                               (["--proto", "tcp"], [443]), (["--port", "54"], []),
                               (["--address", "fe80::/10"], [])):
            rows, told = flows(*options)
            self.assertEqual(sorted(row["dport"] for row in rows), ports, options)
            self.assertEqual(told, {"flows": 21, "matched": len(ports)})
        both = self.daemon.json("flows", "--port", "443")
        self.assertEqual(sorted((row["iface"], row["sent_fwd"]["packets"],
                                 row["received_fwd"]["packets"]) for row in both["flows"]),
                         [("va", 3, 0), ("vb", 0, 3)])
        table = self.daemon.ctl("flows", "-n", "3").stdout
        self.assertIn("10.9.0.1", table)
        self.assertEqual(self.daemon.now("vb")["worker"]["interval"]["books"], books)
        self.assertEqual(self.daemon.rotate()["vb"]["books"], books)
        self.assertEqual(flows()[0], [])

    def promiscuity(self, name):
        return json.loads(self.ns.ip("-d", "-j", "link", "show", "dev", name)
                          .stdout)[0]["promiscuity"]

    def test_promiscuous_mode_is_given_back_however_it_ends(self):
        self.ns.veth("vc", "vd")
        self.ns.ip("link", "set", "vb", "promisc", "on")  # somebody else's
        self.start("vb", {"name": "vd", "promiscuous": "false"})
        asked = self.promiscuity("vb") - 1
        self.assertGreaterEqual(asked, 1)
        self.assertEqual(self.promiscuity("vd"), 0)
        self.assertEqual(self.daemon.now("vb")["link"]["promiscuity"], asked + 1)
        os.kill(self.daemon.now("vb")["pid"], signal.SIGKILL)
        wait_for(lambda: self.daemon.now("vb")["last_exit"] and self.counting("vb"))
        self.assertEqual(self.promiscuity("vb"), asked + 1)
        self.daemon.ask("disable", ifaces=["vb"])
        self.assertEqual(self.promiscuity("vb"), 1)
        self.daemon.ask("enable", ifaces=["vb"])
        self.assertEqual(self.promiscuity("vb"), asked + 1)
        # A setting that changes: up, and down again.
        self.daemon.write_config(["vd", {"name": "vb", "promiscuous": "false"}])
        self.assertTrue(self.daemon.ask("reload")["ok"])
        self.assertEqual((self.promiscuity("vb"), self.promiscuity("vd")), (1, asked))
        workers = [self.daemon.now(name)["pid"] for name in ("vb", "vd")]
        self.daemon.kill()
        wait_for(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in workers))
        self.assertEqual((self.promiscuity("vb"), self.promiscuity("vd")), (1, 0))
        self.daemon.start()
        self.assertEqual((self.promiscuity("vb"), self.promiscuity("vd")), (1, asked))
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual((self.promiscuity("vb"), self.promiscuity("vd")), (1, 0))


if __name__ == "__main__":
    main()
