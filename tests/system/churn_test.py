"""The set of interfaces is changed a hundred times under traffic, and status is asked a
thousand times meanwhile: the books of each interface close over the whole run."""

import threading
import time

from harness import SANITIZED, Sender, books_close, main, need_root, wait_for
from live import FRAME, Live
from requester import Requester

need_root()

ROUNDS = 3 if SANITIZED else 13  # of four changes of two interfaces each
BURST = 20


class Churn(Live):
    def setUp(self):
        super().setUp()
        self.ns.veth("vc", "vd")
        self.ns.veth("ve", "vf")

    def update(self, *entries):
        answer = self.daemon.ask("update", entries=[
            {"name": name, "config": dict(self.config, **keys)} for name, keys in entries])
        self.assertTrue(answer["ok"], answer)
        for name, part in answer["ifaces"].items():
            self.assertIn(part["result"], ("done", "unchanged"), (name, part))
        return {name: part["action"] for name, part in answer["ifaces"].items()}

    def test_added_changed_and_removed_a_hundred_times_under_traffic(self):
        self.start("va", "vb")
        self.config = self.daemon.now("va")["config"]
        pids = {name: self.daemon.now(name)["pid"] for name in ("va", "vb")}
        asking = threading.Event()
        asked = []

        def ask_status():
            requester = Requester(self.daemon.socket, timeout=60)
            while not asking.is_set() or len(asked) < (100 if SANITIZED else 1000):
                answer = requester.ask("status")
                asked.append(all(books_close(iface["worker"]["interval"]["books"])
                                 for iface in answer["ifaces"].values() if iface["worker"]))
                time.sleep(0.005)
            requester.close()
        asker = threading.Thread(target=ask_status)
        asker.start()
        sender = Sender(self.ns, flows=2000, pps=2000)
        sender.start()
        bursts = [self.ns.packet_socket(name) for name in ("vc", "ve")]
        sent = 0
        for i in range(ROUNDS):
            # va is never touched; the filter of vb is changed in place, and takes all.
            steady = [("va", {}), ("vb", {"filter": ("udp", "", "ip")[i % 3]})]
            self.update(*steady)
            for keys in ({}, {"snaplen": 96 + i}, {"snaplen": 96 + i, "filter": "udp"}):
                actions = self.update(*steady, ("vd", keys), ("vf", keys))
                action = "changed" if keys else "new"
                self.assertEqual((actions["va"], actions["vd"], actions["vf"]),
                                 ("kept", action, action))
                for burst in bursts:  # and the next change is made at once
                    for _ in range(BURST):
                        burst.send(FRAME)
                sent += BURST
            if i % 5 == 4:
                self.daemon.rotate()
        self.update(("va", {}), ("vb", {}))
        total = sender.stop()
        for burst in bursts:
            burst.close()
        asking.set()
        asker.join()
        self.assertEqual(asked.count(False), 0)
        print("%d packets, %d changes, %d status" % (total, ROUNDS * 8, len(asked)))
        self.assertEqual({name: self.daemon.now(name)["pid"] for name in pids}, pids)
        for name in pids:
            # Nothing missing, nothing twice, and the kernel lost nothing either.
            self.assertEqual(self.daemon.now(name)["worker"]["interval"]["kernel"]["dropped"],
                             0)
        self.assertEqual(self.daemon.stop(), 0)
        for name, packets in (("va", total), ("vb", total), ("vd", sent), ("vf", sent)):
            books = self.daemon.query("iface", "-n", "0", "-i", name)["total"]
            self.assertEqual(books["packets"], packets, name)

    def test_a_new_interface_of_the_same_name_during_a_change(self):
        """The configuration changes while the interface is replaced, again and again."""
        self.start("va", "vd")
        self.config = self.daemon.now("va")["config"]
        sent = 0
        for i in range(ROUNDS // 2 + 1):
            self.ns.send("vc", FRAME, BURST)
            sent += BURST
            deleter = threading.Thread(target=self.replace)
            deleter.start()
            self.update(("va", {}), ("vd", {"snaplen": 96 + i}))
            deleter.join()
            wait_for(lambda: self.counting("vd") and
                     self.counting("vd")["link"]["index"] == self.index("vd") and
                     self.counting("vd")["worker"]["in_force"]["snaplen"] == 96 + i)
        self.send_and_count("vc", "vd", BURST)
        self.assertEqual(self.daemon.now("va")["restarts"], 0)
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.stored("vd"), sent + BURST)

    def replace(self):
        self.ns.ip("link", "del", "vc")
        self.ns.veth("vc", "vd")


if __name__ == "__main__":
    main()
