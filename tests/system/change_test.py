"""enable, disable, update and reload: each interface gets its own answer, what is asked
for happens to it alone, and nothing that was counted is lost over it."""

import json
import os
import signal
import threading
import time

from harness import BIN, main, need_root, run, wait_for
from link_test import Tun
from live import FRAME, Live, WITHIN
from requester import Requester

need_root()


class Change(Live):
    def setUp(self):
        super().setUp()
        self.ns.veth("vc", "vd")

    def change(self, *command, code=0):
        """The answer per interface."""
        done = self.daemon.ctl("-o", "json", *command, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)["ifaces"]

    def configure(self, *ifaces, **kwargs):
        self.daemon.write_config(ifaces, **kwargs)

    def results(self, answer):
        return {name: (part["action"], part["result"]) for name, part in answer.items()}

    def pids(self):
        return {name: iface["pid"]
                for name, iface in self.daemon.ask("status")["ifaces"].items()}

    def test_disable_and_enable_say_what_happened_to_each(self):
        self.start("vb", "vd")
        self.assertEqual(self.results(self.change("disable", "vb")),
                         {"vb": ("disable", "done")})
        status = self.daemon.now("vb")
        self.assertEqual((status["wanted"], status["state"]), ("disabled", "uninitialized"))
        self.assertEqual(self.results(self.change("disable")),
                         {"vb": ("disable", "unchanged"), "vd": ("disable", "done")})
        answer = self.change("enable", "vb")
        self.assertEqual(answer["vb"], {"action": "enable", "result": "done", "keys": [],
                                        "state": "active", "error": "", "text": ""})
        self.assertEqual(self.results(self.change("enable")),
                         {"vb": ("enable", "unchanged"), "vd": ("enable", "done")})
        done = self.daemon.ctl("enable", "vd", "nosuch", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nosuch", done.stderr)
        self.assertEqual(set(self.pids()), {"vb", "vd"})

    def test_what_a_disabled_interface_counted_stays_until_it_is_rotated(self):
        self.start("vb", "vd")
        self.ns.send("va", FRAME, 30)  # the drain finds them in the ring
        self.change("disable", "vb")
        self.assertEqual(self.daemon.packets("vb"), 30)
        self.ns.send("va", FRAME, 10)
        # Who was disabled stays so, whatever becomes of the process.
        pid = self.daemon.now("vb")["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.daemon.now("vb")["pid"] not in (0, pid) and
                 self.daemon.packets("vb") == 30)
        status = self.daemon.now("vb")
        self.assertEqual((status["wanted"], status["state"]), ("disabled", "uninitialized"))
        self.assertEqual(status["link"]["promiscuity"], 0)
        self.assertEqual(self.stored("vb"), 0)
        self.assertTrue(self.daemon.rotate("vb")["vb"]["done"])
        self.assertEqual(self.stored("vb"), 30)
        self.change("enable", "vb")
        self.send_and_count("va", "vb", 5)

    def test_enable_opens_what_is_in_error_again(self):
        can = Tun(self.ns, "can0", link=280)  # ARPHRD_CAN
        self.start("vb", "can0", {"name": "vd", "filter": "no such"}, wait=False)
        wait_for(lambda: self.counting("vb") and all(
            self.daemon.now(name)["state"] == "error" for name in ("can0", "vd")))
        answer = self.change("enable", code=4)
        self.assertEqual(self.results(answer), {"vb": ("enable", "unchanged"), "can0":
                         ("enable", "failed"), "vd": ("enable", "failed")})
        self.assertEqual((answer["can0"]["error"], answer["vd"]["error"]),
                         ("link_type", "filter"))
        self.assertTrue(answer["vd"]["text"])
        can.close()
        can = Tun(self.ns, "can0")  # raw IP
        self.assertEqual(self.results(self.change("enable", "can0")),
                         {"can0": ("enable", "done")})
        self.assertEqual(self.daemon.now("can0")["state"], "active")
        can.close()

    def test_an_equal_configuration_changes_nothing(self):
        self.start("vb", {"name": "vd", "snaplen": 100})
        self.send_and_count("va", "vb", 20)
        before = self.daemon.ask("status")["ifaces"]
        for command in ("reload", "update"):
            arguments = [command] + ([self.daemon.config] if command == "update" else [])
            answer = self.change(*arguments)
            self.assertEqual(self.results(answer), {"vb": ("kept", "unchanged"),
                                                    "vd": ("kept", "unchanged")})
        after = self.daemon.ask("status")["ifaces"]
        for name in ("vb", "vd"):
            for key in ("pid", "config", "rotations", "restarts"):
                self.assertEqual(after[name][key], before[name][key])
            for key in ("file_id", "seq", "total", "in_force"):
                self.assertEqual(after[name]["worker"][key], before[name]["worker"][key])
            self.assertEqual(after[name]["worker"]["interval"]["books"],
                             before[name]["worker"]["interval"]["books"])

    def test_each_key_alone_restarts_exactly_that_worker(self):
        self.start("vb", "vd")
        entry = {"name": "vb"}
        sent = 0
        for key, text, value in (("buffer", "1MiB", 1 << 20), ("flows", "5000", 5000),
                                 ("error_threshold", "5", 5), ("snaplen", "100", 100),
                                 ("timeout", "50ms", 50), ("promiscuous", "false", False),
                                 ("filter", "udp", "udp")):
            with self.subTest(key):
                before = self.pids()
                entry[key] = text
                self.configure(entry, "vd")
                self.ns.send("va", FRAME, 25)  # in the ring, or not even there
                answer = self.change("reload")
                self.assertEqual(self.results(answer), {"vb": ("changed", "done"),
                                                        "vd": ("kept", "unchanged")})
                self.assertEqual(answer["vb"]["keys"], [key])
                self.assertEqual(answer["vb"]["state"], "active")
                after = self.pids()
                self.assertEqual(after["vd"], before["vd"])
                # A filter is changed in place.
                self.assertEqual(after["vb"] == before["vb"], key == "filter")
                self.ns.send("va", FRAME, 25)
                sent += 50
                wait_for(lambda: self.daemon.packets("vb") == sent)
                status = self.daemon.now("vb")
                name = "timeout_ms" if key == "timeout" else key
                self.assertEqual(status["config"][name], value)
                if name in status["worker"]["in_force"]:
                    self.assertEqual(status["worker"]["in_force"][name], value)
                self.assertEqual(status["restarts"], 0)
        self.assertEqual(self.daemon.now("vb")["worker"]["flow_limit"], 5000)
        self.daemon.rotate()
        self.assertEqual(self.stored("vb"), sent)

    def test_what_is_removed_is_stored_before_it_is_gone(self):
        self.start("vb", "vd")
        pid = self.daemon.now("vb")["pid"]
        for command in ("reload", "update"):
            before = self.stored("vd")
            self.ns.send("vc", FRAME, 20)
            self.configure("vb")
            arguments = [command] + ([self.daemon.config] if command == "update" else [])
            answers = []
            asker = threading.Thread(target=lambda: answers.append(self.change(*arguments)))
            asker.start()
            while "vd" in self.pids():
                time.sleep(0.002)
            self.assertEqual(self.stored("vd"), before + 20)
            asker.join()
            self.assertEqual(self.results(answers[0]), {"vb": ("kept", "unchanged"),
                                                        "vd": ("removed", "done")})
            self.assertEqual(os.listdir(self.daemon.records), ["vb.flows"])
            self.configure("vb", "vd")
            self.assertEqual(self.results(self.change("reload")),
                             {"vb": ("kept", "unchanged"), "vd": ("new", "done")})
        self.assertEqual(self.daemon.now("vb")["pid"], pid)

    def test_removed_while_the_store_is_away(self):
        self.programs("vb", "vd")
        store = self.daemon.status()["store"]["pid"]
        os.rename(self.store_program, self.store_program + ".away")
        os.kill(store, signal.SIGKILL)
        wait_for(lambda: not self.daemon.ask("status")["store"]["running"])
        self.ns.send("vc", FRAME, 20)
        self.configure("vb")
        start = time.monotonic()
        answer = self.change("reload")
        self.assertLess(time.monotonic() - start, 5)  # it waits for the drain alone
        self.assertEqual(answer["vd"]["result"], "done")
        self.assertIn("removed, waiting for the store", answer["vd"]["text"])
        status = self.daemon.now("vd")
        self.assertTrue(status["leaving"])
        self.assertTrue(status["waiting"]["why"])
        self.assertIn("vd", self.daemon.ctl("status").stdout)
        # Listed again before the store is back: nothing is forgotten or mixed up.
        self.configure("vb", "vd")
        self.change("reload")
        wait_for(lambda: self.counting("vd"), WITHIN)
        self.ns.send("vc", FRAME, 5)
        wait_for(lambda: self.daemon.packets("vd") == 5)
        self.configure("vb")
        self.change("reload")
        os.rename(self.store_program + ".away", self.store_program)
        wait_for(lambda: "vd" not in self.pids(), 15)
        self.assertEqual(self.stored("vd"), 25)

    def programs(self, *ifaces):
        """A daemon whose programs are copies in a directory of its own."""
        self.start(*ifaces)
        self.daemon.stop()
        directory = os.path.join(self.daemon.dir, "programs")
        os.mkdir(directory)
        for name in ("weir-worker", "weir-store"):
            run("install", "-m", "755", os.path.join(BIN, name), directory)
        self.store_program = os.path.join(directory, "weir-store")
        self.daemon.env["WEIR_LIBEXECDIR"] = directory
        self.daemon.start()

    def test_reload_does_exactly_what_its_dry_run_said(self):
        for i in range(2):
            self.ns.veth("w%da" % i, "w%db" % i)
        self.start("vb", "vd", "va", "w0a", {"name": "w0b", "filter": "udp"})
        self.change("disable", "w0a")
        for name in ("va", "vb"):  # the last thing that is said about a start
            wait_for(lambda: self.daemon.now(name)["warnings"])
        log, files = self.daemon.log_text(), os.listdir(self.daemon.records)
        before = self.daemon.ask("status")["ifaces"]
        self.configure("vb", {"name": "vd", "snaplen": 90, "promiscuous": "false"}, "w0a",
                       {"name": "w0b", "filter": "no such"}, "w1a", "w9a",
                       {"name": "w1b", "filter": "udp and"}, rotation="30m",
                       extra="keep: 3d")
        planned = json.loads(self.daemon.ctl("-o", "json", "reload", "--dry-run",
                                             check=False).stdout)
        self.assertTrue(planned["dry_run"])
        self.assertEqual(planned["settings"], {"rotation": "now", "keep": "restart"})
        plan = planned["ifaces"]
        self.assertEqual(self.results(plan), {
            "vb": ("kept", "unchanged"), "vd": ("changed", "planned"),
            "va": ("removed", "planned"), "w0a": ("enable", "planned"),
            "w0b": ("changed", "will_fail"), "w1a": ("new", "planned"),
            "w9a": ("new", "planned"), "w1b": ("new", "will_fail")})
        self.assertEqual(plan["vd"]["keys"], ["snaplen", "promiscuous"])
        self.assertEqual((plan["w0b"]["error"], plan["w1b"]["error"]), ("filter", "filter"))
        self.assertIn("not there", plan["w9a"]["text"])
        # That was all: nothing is different, and nobody wrote a line.
        after = self.daemon.ask("status")
        self.assertEqual(after["supervisor"]["rotation_ms"], 3600000)
        self.assertEqual(set(after["ifaces"]), set(before))
        for name, iface in after["ifaces"].items():
            for key in ("pid", "config", "link", "wanted", "entry"):
                self.assertEqual(iface[key], before[name][key], name)
        self.assertEqual(self.daemon.log_text(), log)
        self.assertEqual(os.listdir(self.daemon.records), files)
        self.assertEqual(promiscuity(self.ns, "w1a"), 0)
        # The text form says the same.
        text = self.daemon.ctl("reload", "--dry-run", check=False).stdout
        self.assertRegex(text, r"(?m)^w0b +changed +will_fail\b.*filter")
        self.assertIn("keep: needs a restart", text)

        done = self.change("reload", code=4)
        self.assertEqual({name: part["action"] for name, part in done.items()},
                         {name: part["action"] for name, part in plan.items()})
        became = {"unchanged": "unchanged", "planned": "done", "will_fail": "failed"}
        for name, part in plan.items():
            for key in ("keys", "error", "text"):
                self.assertEqual(done[name][key], part[key], name)
            self.assertEqual(done[name]["result"], became[part["result"]], name)
        self.assertEqual(self.daemon.ask("status")["supervisor"]["rotation_ms"], 1800000)

    def test_a_filter_alone_of_an_interface_that_is_down(self):
        """It is attached to the capture that is open: nothing waits."""
        self.start("vb", "vd")
        self.ns.ip("link", "set", "vb", "down")
        wait_for(lambda: self.presence("vb") == "down")
        pid = self.daemon.now("vb")["pid"]
        self.configure({"name": "vb", "filter": "udp"}, "vd")
        plan = self.change("reload", "--dry-run")["vb"]
        self.assertEqual((plan["action"], plan["keys"], plan["result"], plan["text"]),
                         ("changed", ["filter"], "planned", ""))
        done = self.change("reload")["vb"]
        self.assertEqual((done["action"], done["keys"], done["result"], done["text"]),
                         ("changed", ["filter"], "done", ""))
        self.assertEqual((self.daemon.now("vb")["pid"], self.daemon.now("vb")["worker"]
                          ["in_force"]["filter"]), (pid, "udp"))
        # Another key does open it again, and that waits.
        self.configure({"name": "vb", "filter": "udp", "snaplen": 100}, "vd")
        for command in (["reload", "--dry-run"], ["reload"]):
            self.assertIn("it is down", self.change(*command)["vb"]["text"])

    def busy_links(self, name):
        """Something about the link changes all the time; call what is returned to end it."""
        end = threading.Event()

        def change():
            mtu = 1400
            while not end.is_set():
                mtu = 2801 - mtu
                self.ns.ip("link", "set", name, "mtu", str(mtu))

        thread = threading.Thread(target=change)
        thread.start()

        def stop():
            end.set()
            thread.join()
        return stop

    def test_a_change_that_a_restart_brings_is_waited_for(self):
        self.start("vb", {"name": "vd", "filter": "no such"}, wait=False)
        wait_for(lambda: self.counting("vb") and self.daemon.now("vd")["state"] == "error")
        stop = self.busy_links("vd")
        try:
            for i in range(3):
                # Its process is so young that the next one comes half a second later.
                pid = self.daemon.now("vd")["pid"]
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: self.daemon.now("vd")["pid"] not in (0, pid) and
                         self.daemon.now("vd")["worker"])
                self.configure("vb", {"name": "vd", "filter": "udp"})
                answer = self.change("reload")
                self.assertEqual((answer["vd"]["result"], answer["vd"]["state"]),
                                 ("done", "active"), answer)
                self.configure("vb", {"name": "vd", "filter": "no such"})
                answer = self.change("reload", code=4)
                self.assertEqual(answer["vd"]["error"], "filter")
        finally:
            stop()

    def test_deaths_of_the_past_are_no_reason_to_fail(self):
        self.start("vb", "vd")
        for _ in range(5):  # one more, and the next start would be 1.6 s away
            pid = wait_for(lambda: self.daemon.now("vd")["pid"])
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.daemon.now("vd")["pid"] not in (0, pid))
        wait_for(lambda: self.counting("vd"))
        stop = self.busy_links("vd")
        try:
            self.configure("vb", {"name": "vd", "snaplen": 100})
            answer = self.change("reload")
            self.assertEqual((answer["vd"]["result"], answer["vd"]["state"]),
                             ("done", "active"), answer)
        finally:
            stop()
        # Without a process for longer: that is told, and how the last one ended.
        time.sleep(1.1)  # it has recovered
        self.back_off("vd")
        answer = self.change("disable", "vd", code=1)
        self.assertEqual((answer["vd"]["error"], answer["vd"]["text"]),
                         ("no_child", "signal 9 (Killed)"))

    def test_a_bad_file_changes_nothing_and_every_fault_is_told(self):
        self.start("vb", "vd")
        before = self.pids(), self.daemon.now("vd")["config"]
        bad = os.path.join(self.daemon.dir, "bad.yaml")
        for name in (self.daemon.config, bad):
            self.daemon.write_config([{"name": "vb", "promiscuous": "perhaps"},
                                      {"name": "vd", "timeout": "0ms"}, "vd"], path=name)
        for command in (["reload"], ["reload", "--dry-run"], ["update", bad],
                        ["update", "--dry-run", bad]):
            done = self.daemon.ctl(*command, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(done.stdout, "")
            path = bad if command[0] == "update" else self.daemon.config
            for fault in (":11:18: promiscuous: ", ":13:14: timeout: ", ":14:11: "):
                self.assertIn(path + fault, done.stderr)
            self.assertEqual(before, (self.pids(), self.daemon.now("vd")["config"]))
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "everything stays as it is" in self.daemon.log_text())
        self.assertEqual(before, (self.pids(), self.daemon.now("vd")["config"]))

    def test_update_with_a_file_of_ones_own(self):
        self.start("vb", "vd")
        pids = self.pids()
        other = os.path.join(self.daemon.dir, "other.yaml")
        self.daemon.write_config(["vb", "va"], path=other)
        plan = self.change("update", "--dry-run", other)
        self.assertEqual(self.results(plan), {
            "va": ("new", "planned"), "vb": ("kept", "unchanged"),
            "vd": ("removed", "planned")})
        self.assertEqual(self.pids(), pids)
        done = self.change("update", other)
        self.assertEqual({name: part["action"] for name, part in done.items()},
                         {name: part["action"] for name, part in plan.items()})
        self.assertEqual(set(self.pids()), {"va", "vb"})
        # Its own file is as it was.
        self.assertEqual(self.results(self.change("reload")), {
            "va": ("removed", "done"), "vb": ("kept", "unchanged"), "vd": ("new", "done")})
        self.assertEqual(self.pids()["vb"], pids["vb"])
        with open(other) as f:
            text = f.read()
        done = self.daemon.ctl("-o", "json", "update", "-", input=text)
        self.assertEqual(set(json.loads(done.stdout)["ifaces"]), {"va", "vb", "vd"})
        self.assertEqual(set(self.pids()), {"va", "vb"})

    def test_a_hung_worker_delays_nobody_else(self):
        self.start("vb", "vd")
        hung = self.daemon.now("vb")["pid"]
        os.kill(hung, signal.SIGSTOP)
        answers = []
        both = threading.Thread(target=lambda: answers.append(self.change("disable")))
        both.start()
        # Its neighbour, in the same request, has long done what it should
        # (only then may the next request want something else of it).
        wait_for(lambda: self.daemon.now("vd")["state"] == "uninitialized")
        for command in ("enable", "disable", "enable"):
            start = time.monotonic()
            self.assertEqual(self.change(command, "vd")["vd"]["result"], "done")
            self.assertLess(time.monotonic() - start, 2 * WITHIN)
        start = time.monotonic()
        self.assertTrue(self.daemon.rotate("vd")["vd"]["done"])
        self.assertLess(time.monotonic() - start, 2 * WITHIN)
        # What the others count is shown, and who does not answer is named.
        start = time.monotonic()
        flows = self.daemon.ctl("-o", "json", "flows", check=False)
        self.assertLess(time.monotonic() - start, 9)
        self.assertIn(flows.returncode, (0, 4), flows.stderr)
        self.assertIn("vd", json.loads(flows.stdout)["ifaces"])
        both.join()
        self.assertEqual(answers[0]["vb"]["result"], "done")
        status = self.daemon.now("vb")
        self.assertEqual((status["wanted"], status["restarts"]), ("disabled", 1))
        self.assertNotEqual(status["pid"], hung)

    def test_eight_clients_at_the_same_time(self):
        self.start("vb", "vd")
        self.ns.send("va", FRAME, 40)
        wait_for(lambda: self.daemon.packets("vb") == 40)
        config = self.daemon.now("vd")["config"]
        entries = [{"name": name, "config": dict(config, snaplen=size)}
                   for name, size in (("vb", 128), ("vd", 100))]
        wrong = []

        def client(number):
            requester = Requester(self.daemon.socket, timeout=60)
            requests = [("disable", {"ifaces": ["vd"]}), ("enable", {"ifaces": ["vd"]}),
                        ("update", {"entries": entries}), ("reload", {}), ("rotate", {}),
                        ("reload", {"dry_run": True}), ("status", {}),
                        ("update", {"entries": entries[:1]})]
            for i in range(8):
                kind, keys = requests[(i + number) % len(requests)]
                answer = requester.ask(kind, **keys)
                # Another may just have removed it.
                if not answer["ok"] and answer["error"] != "unknown_interface":
                    wrong.append((kind, answer))
                for part in answer.get("ifaces", {}).values():
                    if part.get("result") == "failed" and part["error"] != "busy":
                        wrong.append((kind, part))
            requester.close()
        clients = [threading.Thread(target=client, args=(i,)) for i in range(8)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertEqual(wrong, [])
        self.change("reload")
        self.change("enable")
        self.assertEqual({name: iface["state"] for name, iface in
                          self.daemon.ask("status")["ifaces"].items()},
                         {"vb": "active", "vd": "active"})
        self.send_and_count("va", "vb", 3)
        self.daemon.rotate()
        self.assertEqual(self.stored("vb"), 43)
        self.assertEqual(self.daemon.now("vb")["restarts"], 0)


def promiscuity(ns, name):
    """As the kernel tells it."""
    return json.loads(ns.ip("-d", "-j", "link", "show", "dev", name).stdout)[0]["promiscuity"]


if __name__ == "__main__":
    main()
