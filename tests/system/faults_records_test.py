"""What becomes of record files when a process, or the supervisor, dies: they are taken over,
handed over, or set aside where everybody can see it."""

import os
import signal
import threading
import time

from faults import ADOPTERS_DIE, Faults, flood, flooded, frame_from
from harness import main, need_root, wait_for
from requester import Requester

need_root()

SIZE = 100


class Records(Faults):
    def setUp(self):
        super().setUp()
        self.ns.veth("vc", "vd")

    def send_flows(self, peer, name, flows):
        """One packet of each; until they are counted."""
        before = self.running(name)
        sent, _ = flooded(flood(self.ns, self.daemon.dir, peer, flows, SIZE, 50000, flows))
        wait_for(lambda: self.running(name) == before + sent)

    def kill_worker(self, name):
        pid = self.daemon.now(name)["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def set_aside(self, name):
        """The path in status, which is that in the log."""
        warnings = self.daemon.now(name)["warnings"]
        self.assertEqual(len(warnings), 1, warnings)
        path = [word for word in warnings[0].split() if word.startswith("/")][0]
        self.assertEqual(os.path.dirname(path), self.daemon.records)
        self.assertRegex(os.path.basename(path), r"^%s\.flows\.damaged-\d{8}T" % name)
        self.assertTrue(os.path.exists(path))
        self.assertIn("kept as " + path, self.daemon.log_text())
        self.assertIn(path, self.daemon.ctl("status").stdout)
        return path

    def test_one_adopter_that_crashes_is_followed_by_one_that_adopts(self):
        self.start_with_faults("vb", "vd", store_shim=False)
        self.send_flows("va", "vb", 300)
        self.control[ADOPTERS_DIE] = 1
        pid = self.kill_worker("vb")
        wait_for(lambda: self.counting("vb", pid))
        self.assertEqual(self.control[ADOPTERS_DIE], 0)
        wait_for(lambda: "ended with signal 9" in self.daemon.log_text())
        status = self.daemon.now("vb")
        self.assertEqual(status["restarts"], 2)
        self.assertIn("signal 6", status["last_exit"])  # of the last that died
        self.assertEqual(status["warnings"], [])
        self.assertEqual(self.running("vb"), 300)

        # Two in a row: the file is set aside, and counting begins anew.
        self.control[ADOPTERS_DIE] = 2
        pid = self.kill_worker("vb")
        wait_for(lambda: self.counting("vb", pid))
        self.assertEqual(self.control[ADOPTERS_DIE], 0)
        self.assertEqual(self.running("vb"), 0)
        path = self.set_aside("vb")
        self.send_flows("va", "vb", 20)
        self.assertTrue(self.daemon.rotate("vb")["vb"]["done"])
        self.assertEqual(self.rows("vb"), [(20, 20 * SIZE, 20)])
        self.assertEqual(self.daemon.now("vd")["restarts"], 0)
        # It is whole: put back, it is handed over.
        self.assertEqual(self.daemon.stop(), 0)
        os.rename(path, os.path.join(self.daemon.records, "vb.flows"))
        self.daemon.start()
        self.assertEqual(self.running("vb"), 300)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.rows("vb"), [(20, 20 * SIZE, 20), (300, 300 * SIZE, 300)])
        self.assertEqual(os.listdir(self.daemon.records), [])

    def test_a_damaged_file_is_set_aside_and_the_others_are_taken_over(self):
        self.start("vb", "vd")
        damage = {
            "version": (8, b"\xff"), "interface": (40, b"x"),
            "number of flows": (72, b"\xff" * 8)}
        for number, (what, (at, value)) in enumerate(damage.items()):
            with self.subTest(what):
                self.send_flows("va", "vb", 50)
                self.send_flows("vc", "vd", 40)
                pid = self.daemon.now("vb")["pid"]
                os.kill(pid, signal.SIGSTOP)  # or it would count in it
                with open(os.path.join(self.daemon.records, "vb.flows"), "r+b") as f:
                    f.seek(at)
                    f.write(value)
                self.kill_worker("vb")
                wait_for(lambda: self.counting("vb", pid))
                self.assertIn("exit code", self.daemon.now("vb")["last_exit"])
                self.assertEqual(self.running("vb"), 0)
                self.assertEqual(self.running("vd"), 40 * (number + 1))
                self.set_aside("vb")
                time.sleep(1.1)  # one that dies young is backed off from
        # The same at the start of a supervisor; a file that is cut off.
        self.send_flows("va", "vb", 50)
        self.daemon.kill()
        time.sleep(0.3)
        os.truncate(os.path.join(self.daemon.records, "vb.flows"), 100000)
        self.daemon.start()
        self.set_aside("vb")
        self.assertEqual(self.running("vd"), 40 * len(damage))
        self.send_flows("va", "vb", 50)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.in_store("vb"), 50)
        self.assertEqual(self.in_store("vd"), 40 * len(damage))

    def test_the_next_supervisor_hands_over_the_records_of_all_interfaces(self):
        """Killed while one rotation waits for the store and more was counted after it; in
        the next configuration one of four interfaces is left, and another is deleted."""
        self.ns.veth("ve", "vf")
        odd = "v+x"
        self.ns.veth("vg", odd)
        names = {"va": "vb", "vc": "vd", "ve": "vf", "vg": odd}
        self.start(*names.values())
        for peer, name in names.items():
            self.send_flows(peer, name, 60)
        # What the store was told and did not answer for, and what came after that.
        store = self.daemon.status()["store"]["pid"]
        os.kill(store, signal.SIGSTOP)

        def ask():
            requester = Requester(self.daemon.socket, timeout=60)
            try:
                requester.ask("rotate")
            except (OSError, RuntimeError):
                pass  # the supervisor is killed while it waits
            requester.close()
        thread = threading.Thread(target=ask)
        thread.start()
        wait_for(lambda: all(i["waiting"] for i in
                             self.daemon.ask("status")["ifaces"].values()))
        for peer in names:
            flooded(flood(self.ns, self.daemon.dir, peer, 25, SIZE, 50000, 25))

        def counted():  # each takes 2 s: status asks the store, too
            ifaces = self.daemon.ask("status")["ifaces"].values()
            return all(i["waiting"] and i["worker"] and
                       i["worker"]["interval"]["books"]["packets"] == 25 for i in ifaces)
        wait_for(counted)
        os.kill(self.daemon.process.pid, signal.SIGSTOP)
        os.kill(store, signal.SIGCONT)
        self.daemon.kill()
        thread.join()
        self.ns.ip("link", "del", "dev", "vf")
        wait_for(lambda: not os.path.exists("/proc/%d" % store))
        files = sorted(os.listdir(self.daemon.records))
        self.assertEqual(files, ["v%2Bx.flows", "vb.flows", "vd.flows", "vf.flows"])
        # Not ours, set aside, or never written to: none of them is in the way.
        for name in ("vb.flows.damaged-20260131T235959.123Z", "x%2.flows", "new0.flows"):
            open(os.path.join(self.daemon.records, name), "w").close()
        # Of an interface that is gone as well, but damaged; and what is no file.
        with open(os.path.join(self.daemon.records, "bad0.flows"), "wb") as f:
            f.write(bytes(range(256)) * 100)
        os.symlink("/etc/passwd", os.path.join(self.daemon.records, "link0.flows"))
        self.daemon.write_config(["vb"])
        self.daemon.start(wait=False)
        self.daemon.wait_answers()
        wait_for(lambda: list(self.daemon.ask("status")["ifaces"]) == ["vb"], 20)
        expected = [(60, 60 * SIZE, 60), (25, 25 * SIZE, 25)]
        for name in names.values():
            if name != "vb":
                self.assertEqual(self.rows(name), expected, name)
        files = sorted(os.listdir(self.daemon.records))
        self.assertRegex(files.pop(0), r"^bad0\.flows\.damaged-")
        self.assertEqual(files, ["link0.flows", "vb.flows",
                                 "vb.flows.damaged-20260131T235959.123Z", "x%2.flows"])
        self.assertNotIn("bad0", [row["iface"] for row in self.daemon.query("iface")["rows"]])
        wait_for(lambda: self.counting("vb"))
        self.assertEqual(self.daemon.now("vb")["worker"]["interval"]["cuts"], 1)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.rows("vb"), expected)

    def test_an_interface_that_is_listed_again_meanwhile_goes_on(self):
        self.start("vb", "vd")
        self.send_flows("vc", "vd", 30)
        self.daemon.kill()
        self.daemon.write_config(["vb"])
        self.daemon.start(wait=False)
        self.daemon.wait_answers()
        self.daemon.write_config(["vb", "vd"])
        self.daemon.ctl("reload")
        wait_for(lambda: self.counting("vd"))
        self.ns.send("vc", frame_from(1, SIZE), 10)
        wait_for(lambda: self.in_store("vd") + self.running("vd") == 40)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.in_store("vd"), 40)


if __name__ == "__main__":
    main()
