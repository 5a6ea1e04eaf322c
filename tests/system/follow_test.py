"""Interfaces that go down, vanish, come back, are renamed or come late: what was counted
is in the store, and counting goes on within a second."""

import os
import signal
import time

from harness import Namespace, Sender, main, need_root, wait_for
from live import FRAME, Live, WITHIN, cpu_ticks

need_root()


class Follow(Live):
    def test_down_for_three_seconds_and_up_again(self):
        self.start("vb")
        self.send_and_count("va", "vb", 10)
        before = self.daemon.now("vb")
        said = len(self.daemon.log_text())
        self.ns.ip("link", "set", "vb", "down")
        wait_for(lambda: self.presence("vb") == "down", WITHIN)
        ticks = cpu_ticks(before["pid"])
        time.sleep(3)
        self.assertIn("down", self.daemon.ctl("status").stdout)
        # It waits; it does not turn.
        self.assertLess(cpu_ticks(before["pid"]) - ticks, 30)
        self.ns.ip("link", "set", "vb", "up")
        start = time.monotonic()
        wait_for(lambda: self.presence("vb") == "up", WITHIN)
        self.assertLess(time.monotonic() - start, WITHIN)
        self.wait_carrier("va", "vb")
        start = time.monotonic()
        self.send_and_count("va", "vb", 20)
        self.assertLess(time.monotonic() - start, WITHIN)
        after = self.daemon.now("vb")
        for key in ("pid", "restarts", "last_exit"):
            self.assertEqual(after[key], before[key], key)
        self.assertEqual(after["state"], "active")
        self.assertEqual(after["worker"]["interval"]["cuts"], 0)
        lines = self.lines("vb", said)
        self.assertEqual(len(lines), 2, lines)
        self.assertIn("down", lines[0])
        self.assertIn("up", lines[1])
        self.daemon.rotate()
        self.assertEqual(self.stored("vb"), 30)

    def test_a_device_that_is_deleted_is_gone_and_its_interval_is_stored(self):
        self.start("vb")
        os.kill(self.daemon.now("vb")["pid"], signal.SIGKILL)
        wait_for(lambda: self.daemon.now("vb")["last_exit"] and self.counting("vb"))
        self.ns.send("va", FRAME, 50)  # maybe still in the ring
        self.ns.ip("link", "del", "vb")
        wait_for(lambda: self.presence("vb") == "gone", WITHIN)
        status = self.daemon.now("vb")
        self.assertEqual((status["state"], status["reason"]), ("error", "gone"))
        self.assertEqual(status["link"]["index"], 0)
        self.assertIsNone(status["link"]["promiscuity"])
        self.assertIsNone(status["link_counts"])
        self.assertIn("gone", self.daemon.ctl("status").stdout)
        wait_for(lambda: self.stored("vb") == 50, 5)
        # The interval that was cut, by its own labels.
        rows = self.daemon.query("time,iface")["rows"]
        self.assertEqual([row["packets"] for row in rows if row["packets"]], [50])
        # How the last worker ended is still told; the present one did not die.
        status = self.daemon.now("vb")
        self.assertEqual((status["last_exit"], status["restarts"]), ("signal 9 (Killed)", 1))
        self.assertEqual(self.daemon.stop(), 0)

    def test_the_same_name_twenty_times_is_twenty_interfaces(self):
        self.start("vb")
        sent = 0
        slowest = 0
        for i in range(20):
            self.ns.send("va", FRAME, 30 + i)
            sent += 30 + i
            before = self.daemon.now("vb")
            self.ns.ip("link", "del", "vb")
            self.ns.veth("va", "vb")
            start = time.monotonic()
            after = wait_for(lambda: self.counting("vb", before["pid"]), WITHIN)
            slowest = max(slowest, time.monotonic() - start)
            self.assertEqual(after["link"]["index"], self.index("vb"))
            self.assertNotEqual(after["link"]["index"], before["link"]["index"])
            self.assertEqual(after["restarts"], 0)
        print("from there again to counting, slowest of 20: %.0f ms" % (slowest * 1000))
        self.send_and_count("va", "vb", 7)
        self.daemon.rotate()
        self.assertEqual(self.stored("vb"), sent + 7)
        self.assertEqual(self.daemon.stop(), 0)

    def test_with_a_store_that_stands_still_it_is_counted_all_the_same(self):
        self.start("vb")
        store = self.daemon.status()["store"]["pid"]
        sent = 0

        def counting(times):
            # Status would wait for the store.
            said = [line for line in self.lines("vb") if "counting, process" in line]
            return len(said) == times
        self.send_and_count("va", "vb", 40)
        os.kill(store, signal.SIGSTOP)
        try:
            for times in (2, 3):
                self.ns.send("va", FRAME, 10)
                sent += 10
                self.ns.ip("link", "del", "vb")
                self.ns.veth("va", "vb")
                wait_for(lambda: counting(times), WITHIN)
                self.ns.send("va", FRAME, 25)
                sent += 25
        finally:
            os.kill(store, signal.SIGCONT)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.stored("vb"), 40 + sent)

    def test_away_to_another_namespace_and_back(self):
        self.start("vb")
        other = Namespace()
        try:
            for pause in (0.5, 0):  # seen to be away, and back before anybody looked
                self.send_and_count("va", "vb", 10)
                before = self.daemon.now("vb")
                self.ns.ip("link", "set", "vb", "netns", other.name)
                if pause:
                    wait_for(lambda: self.presence("vb") == "gone", WITHIN)
                other.ip("link", "set", "vb", "netns", self.ns.name)
                self.ns.ip("link", "set", "vb", "up")
                wait_for(lambda: self.counting("vb", before["pid"]), WITHIN)
            self.send_and_count("va", "vb", 10)
            self.daemon.rotate()
            self.assertEqual(self.stored("vb"), 30)
        finally:
            other.close()

    def test_replaced_while_no_worker_runs(self):
        """What the successor counts belongs to the new interface: the interval of the old
        one ends before."""
        self.start({"name": "vb", "timeout": "1ms"})
        self.send_and_count("va", "vb", 30)
        time.sleep(1.1)
        self.back_off("vb")
        self.ns.ip("link", "del", "vb")
        self.ns.veth("va", "vb")
        sender = Sender(self.ns, flows=10, pps=2000)
        sender.start()
        status = wait_for(lambda: self.counting("vb"), 10)
        self.assertEqual(status["link"]["index"], self.index("vb"))
        wait_for(lambda: self.daemon.packets("vb") > 0)
        sender.stop()
        time.sleep(0.2)
        counted = self.daemon.packets("vb")
        self.assertTrue(self.daemon.rotate("vb")["vb"]["done"])
        rows = self.daemon.query("time,iface")["rows"]
        self.assertEqual(sorted(row["packets"] for row in rows if row["packets"]),
                         sorted([30, counted]))

    def test_a_disabled_interface_that_is_made_again_is_no_error(self):
        self.start("vb")
        self.send_and_count("va", "vb", 10)
        self.daemon.ask("disable", ifaces=["vb"])

        def shown():
            status = self.daemon.now("vb")
            return (status["wanted"], status["state"], status["reason"],
                    status["link"]["presence"])
        for times in (1, 2):  # the second one is another removal like the first
            said = len(self.daemon.log_text())
            self.ns.ip("link", "del", "vb")
            wait_for(lambda: self.presence("vb") == "gone", WITHIN)
            self.assertEqual(shown(), ("disabled", "uninitialized", "", "gone"))
            wait_for(lambda: self.daemon.now("vb")["rotations"] == times, 5)
            self.assertIn("is gone", "".join(self.lines("vb", said)))
            self.ns.veth("va", "vb")
            wait_for(lambda: self.presence("vb") == "up", WITHIN)
            self.assertEqual(shown(), ("disabled", "uninitialized", "", "up"))
        self.assertEqual(self.stored("vb"), 10)
        self.assertEqual(self.daemon.ask("enable", ifaces=["vb"])["ifaces"]["vb"]["result"],
                         "done")
        self.send_and_count("va", "vb", 5)
        self.daemon.rotate()
        self.assertEqual(self.stored("vb"), 15)

    def rename(self, old, new):
        self.ns.ip("link", "set", old, "down")
        self.ns.ip("link", "set", old, "name", new)
        self.ns.ip("link", "set", new, "up")

    def test_a_name_that_is_taken_away_and_given_back(self):
        self.start("vb")
        self.send_and_count("va", "vb", 10)
        pid = self.daemon.now("vb")["pid"]
        self.rename("vb", "vother")
        wait_for(lambda: self.daemon.now("vb")["link"]["renamed"] == "vother", WITHIN)
        self.assertEqual(self.presence("vb"), "gone")
        self.assertIn("vother", self.daemon.ctl("status").stdout)
        wait_for(lambda: self.stored("vb") == 10, 5)
        # Nothing is counted under a name that it does not have.
        self.ns.send("va", FRAME, 100)
        self.rename("vother", "vb")
        status = wait_for(lambda: self.counting("vb", pid), WITHIN)
        self.assertEqual(status["link"]["renamed"], "")
        self.send_and_count("va", "vb", 15)
        # Another interface gets the name.
        pid = self.daemon.now("vb")["pid"]
        self.rename("vb", "vother")
        self.ns.veth("vc", "vb")
        status = wait_for(lambda: self.counting("vb", pid), WITHIN)
        self.assertEqual(status["link"]["index"], self.index("vb"))
        self.assertEqual((status["link"]["presence"], status["link"]["renamed"]), ("up", ""))
        self.send_and_count("vc", "vb", 5)
        self.daemon.rotate()
        self.assertEqual(self.stored("vb"), 30)

    def test_started_before_the_interface(self):
        name = "enx00e04c688f88"
        self.start("vb", name, wait=False)
        wait_for(lambda: self.daemon.now(name)["worker"])
        status = self.daemon.now(name)
        self.assertEqual(status["link"]["presence"], "waiting")
        self.assertEqual((status["state"], status["reason"]), ("error", "no_such_device"))
        self.assertIn("waiting", self.daemon.ctl("status").stdout)
        wait_for(lambda: self.counting("vb"))
        self.ns.veth("later0", name)
        wait_for(lambda: self.counting(name), WITHIN)
        self.send_and_count("later0", name, 12)
        self.daemon.rotate()
        self.assertEqual(self.stored(name), 12)

    def test_an_interface_that_is_down_at_the_start_is_counted_when_it_is_up(self):
        self.ns.ip("link", "set", "vb", "down")
        self.start("vb", wait=False)
        wait_for(lambda: self.presence("vb") == "down" and self.daemon.now("vb")["pid"])
        time.sleep(0.3)
        self.ns.ip("link", "set", "vb", "up")
        wait_for(lambda: self.counting("vb"), WITHIN)
        self.wait_carrier("va", "vb")
        self.send_and_count("va", "vb", 12)


if __name__ == "__main__":
    main()
