"""More interfaces, and more flows, than one message has room for: nobody notices."""

import csv
import io
import json
import os
import unittest

from harness import (Daemon, Namespace, SANITIZED, ethernet, ipv4, main, need_root, udp,
                     wait_for)

need_root()

SOME = 1000


@unittest.skipIf(SANITIZED, "a thousand sanitized processes are too many")
class Interfaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ns = Namespace()
        cls.addClassCleanup(cls.ns.close)
        cls.names = ["none%03d" % i for i in range(SOME)]
        cls.daemon = Daemon(cls.names, cls.ns, start=False)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start(wait=False)
        cls.daemon.wait_answers(120)
        wait_for(lambda: all(i["worker"] for i in cls.status(cls).values()), 120)

    def status(self):
        return self.daemon.json("status")["ifaces"]

    def test_status_has_all_of_them_in_order(self):
        done = self.daemon.ctl("-o", "json", "status", check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        document = json.loads(done.stdout)
        self.assertEqual(list(document), ["supervisor", "store", "ifaces"])
        self.assertEqual(list(document["ifaces"]), self.names)
        self.assertEqual({i["link"]["presence"] for i in document["ifaces"].values()},
                         {"waiting"})

    def test_status_is_the_same_in_every_format(self):
        done = self.daemon.ctl("-o", "csv", "status", check=False)
        self.assertEqual(done.returncode, 0)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual([row["iface"] for row in rows], self.names)
        done = self.daemon.ctl("status", check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()
                          if line.startswith("none")][:SOME], self.names)
        done = self.daemon.ctl("status", "-v", check=False)
        self.assertEqual(done.returncode, 0)
        done = self.daemon.ctl("status", "--watch", "0.5", "--count", "2", "-o", "csv",
                               check=False)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout.splitlines()), 1 + 2 * SOME)

    def test_errors_and_flows_name_each(self):
        for command in ("errors", "flows"):
            done = self.daemon.ctl("-o", "json", command, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(list(json.loads(done.stdout)["ifaces"]), self.names)

    def test_an_answer_says_what_it_leaves_out(self):
        first = self.daemon.ask("status")
        told, left = list(first["ifaces"]), first["left_out"]
        self.assertEqual(told + left, self.names)
        self.assertGreater(len(told), 100)
        # What has gone meanwhile is passed over, but only then.
        again = self.daemon.ask("status", ifaces=["gone"] + left[:3], again=True)
        self.assertEqual(list(again["ifaces"]), left[:3])
        self.assertNotIn("left_out", again)
        refused = self.daemon.ask("status", ifaces=["gone"] + left[:3])
        self.assertEqual((refused["ok"], refused["error"]), (False, "unknown_interface"))


class Entries(unittest.TestCase):
    """Filters of nearly 4 KiB, a hundred times: more than a request may have."""

    SOME = 100

    def setUp(self):
        self.ns = Namespace()
        self.addCleanup(self.ns.close)
        self.names = ["none%02d" % i for i in range(self.SOME)]
        self.daemon = Daemon(self.names, self.ns, start=False)
        self.addCleanup(self.daemon.close)
        self.daemon.start(wait=False)
        self.daemon.wait_answers(60)
        self.path = self.daemon.config + ".2"

    def update(self):
        return self.daemon.ctl("update", "-o", "json", self.path, check=False)

    def test_what_all_have_from_the_defaults_is_sent_once(self):
        long = " or ".join("host 10.0.0.%d" % i for i in range(200))
        self.assertGreater(self.SOME * len(long), 256 * 1024)
        self.daemon.write_config(
            self.names, extra="defaults:\n  filter: " + long, path=self.path,
            keys={name: {"snaplen": 200 + i} for i, name in enumerate(self.names)})
        done = self.update()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        ifaces = json.loads(done.stdout)["ifaces"]
        self.assertEqual(sorted(ifaces), self.names)
        self.assertEqual({(i["action"], tuple(i["keys"])) for i in ifaces.values()},
                         {("changed", ("snaplen", "filter"))})
        status = self.daemon.json("status")["ifaces"]
        self.assertEqual({i["config"]["filter"] for i in status.values()}, {long})
        self.assertEqual([status[name]["config"]["snaplen"] for name in self.names],
                         [200 + i for i in range(self.SOME)])

    def test_what_is_too_long_all_the_same_is_told_with_a_way_out(self):
        self.daemon.write_config(
            self.names, path=self.path,
            keys={name: {"filter": " or ".join("host 10.0.%d.%d" % (i, j)
                                               for j in range(200))}
                  for i, name in enumerate(self.names)})
        done = self.update()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"%s: its entries take \d{6} bytes of a request, "
                         r"which may have 262144: shorten .*weirctl reload" % self.path)
        # and that way is one
        os.rename(self.path, self.daemon.config)
        done = self.daemon.ctl("reload", "-o", "json", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({i["action"] for i in json.loads(done.stdout)["ifaces"].values()},
                         {"changed"})


class Flows(unittest.TestCase):
    PAIRS = 24
    FLOWS = 1000

    def test_more_flows_than_a_message_holds(self):
        ns = Namespace()
        self.addCleanup(ns.close)
        names = sorted(end for i in range(self.PAIRS)
                       for end in ns.veth("l%d" % i, "r%d" % i))
        daemon = Daemon(names, ns, keys={name: {"buffer": "4MiB", "promiscuous": "false"}
                                         for name in names})
        self.addCleanup(daemon.close)
        for i in range(self.PAIRS):
            sock = ns.packet_socket("l%d" % i)
            for j in range(self.FLOWS):
                sock.send(ethernet(ipv4("10.%d.%d.%d" % (i, j >> 8, j & 255), "192.0.2.1", 17,
                                        udp(40000 + j, 53, b"x" * (j % 50)))))
            sock.close()
        wait_for(lambda: all(i["worker"] and i["worker"]["flows"] == self.FLOWS
                             for i in daemon.status()["ifaces"].values()), 60)
        first = daemon.ask("flows", limit=self.FLOWS)
        self.assertGreater(len(first["left_out"]), 0)  # else nothing is proven
        self.assertEqual(list(first["ifaces"]) + first["left_out"], names)

        done = daemon.ctl("-o", "json", "flows", check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        document = json.loads(done.stdout)
        self.assertEqual(document["ifaces"], {name: {"flows": self.FLOWS,
                                                     "matched": self.FLOWS}
                                              for name in names})
        seen = {(flow["iface"], flow["src"], flow["sport"]) for flow in document["flows"]}
        self.assertEqual(len(document["flows"]), len(names) * self.FLOWS)
        self.assertEqual(len(seen), len(names) * self.FLOWS)
        sizes = [flow["bytes"] for flow in document["flows"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        done = daemon.ctl("flows", check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn("\n50 of %d flows are shown (-n shows more)\n"
                      % (len(names) * self.FLOWS), done.stdout)


if __name__ == "__main__":
    main()
