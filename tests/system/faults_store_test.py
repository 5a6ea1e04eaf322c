"""The store dies between any two steps of a hand-over: no interval is missing, none is
there twice."""

from faults import DEATHS, DIE_AT, Faults, STEPS, flood, flooded, frame_from
from harness import SANITIZED, main, need_root, wait_for
from requester import Requester

need_root()

MANY = 40000
RESTARTS = 5  # of the store, before the time between them gets long


class StoreDies(Faults):
    def setUp(self):
        super().setUp()
        self.ns.veth("vc", "vd")
        if SANITIZED:
            self.skipTest("a sanitizer must be the first library")
        self.sent = {"vb": [], "vd": []}
        self.next_flow = 0

    def count_some(self):
        """Other flows in each interval, so that none can stand for another."""
        for peer, name, flows in (("va", "vb", 7), ("vc", "vd", 3)):
            sock = self.ns.packet_socket(peer)
            packets = 0
            for i in range(flows):
                self.next_flow += 1
                for _ in range(1 + (self.next_flow + i) % 3):
                    sock.send(frame_from(self.next_flow, 100))
                    packets += 1
            sock.close()
            wait_for(lambda: self.running(name) == packets)
            self.sent[name].append((packets, packets * 100, flows))

    def count_many(self):
        """So many that they are handed over in several chunks."""
        sent, _ = flooded(flood(self.ns, self.daemon.dir, "va", MANY, 100, 50000, MANY))
        wait_for(lambda: self.running("vb") == sent, 20)
        self.sent["vb"].append((sent, sent * 100, MANY))

    def rotate(self):
        requester = Requester(self.daemon.socket, timeout=90)
        requester.ask("rotate")
        requester.close()

    def check_the_store(self):
        for name, expected in self.sent.items():
            self.assertEqual(self.rows(name), expected, name)

    def hand_over(self, die_at, count):
        """One hand-over of what is counted now; whether the store died in it, and the
        number of its steps."""
        count()
        deaths = self.control[DEATHS]
        self.control[STEPS] = 0
        self.control[DIE_AT] = die_at
        self.rotate()
        wait_for(lambda: self.all_handed_over("vb", "vd"), 30)
        self.control[DIE_AT] = 0
        steps = self.control[STEPS]
        self.check_the_store()
        return self.control[DEATHS] > deaths, steps

    def test_killed_between_any_two_steps_of_a_hand_over(self):
        self.start_with_faults("vb", "vd")
        self.hand_over(0, self.count_some)
        _, steps = self.hand_over(0, self.count_some)
        self.assertGreater(steps, 20)  # the library is in there, and counts
        self.kill_at(range(1, steps + 3), self.count_some)
        print("%d steps, killed at %d of them" % (steps, self.control[DEATHS]))
        self.assertGreaterEqual(self.control[DEATHS], steps - 2)

    def test_killed_while_chunks_of_a_large_map_arrive_and_are_written(self):
        self.start_with_faults("vb", "vd")
        _, steps = self.hand_over(0, self.count_many)
        self.kill_at(range(1, steps, steps // 8 + 1), self.count_many)
        print("%d steps, killed at %d of them" % (steps, self.control[DEATHS]))
        self.assertGreaterEqual(self.control[DEATHS], 6)

    def kill_at(self, steps, count):
        for step in steps:
            died, _ = self.hand_over(step, count)
            if died and self.control[DEATHS] % RESTARTS == 0:
                self.assertEqual(self.daemon.stop(), 0)
                self.check_the_store()
                self.daemon.start()
        self.assertEqual(self.daemon.stop(), 0)
        self.check_the_store()


if __name__ == "__main__":
    main()
