"""Who may do what: read from the kernel, of every thread of every process, and tried from
inside of running ones, by a debugger that makes them do it."""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys

from harness import (BIN, CLIENT_GROUP, SANITIZED, STORE_USER, WORKER_USER, Daemon, main,
                     need_root, pcap, wait_for)
from live import FRAME, Live

need_root()
if SANITIZED:
    print("skipped: builds with a sanitizer have no sandbox, it needs what is refused")
    sys.exit(77)

CAPABILITIES = {"chown": 0, "kill": 5, "setgid": 6, "setuid": 7, "setpcap": 8,
                "net_raw": 13}
OWN = 1 << CAPABILITIES["chown"] | 1 << CAPABILITIES["kill"]
BOUNDING = sum(1 << number for number in CAPABILITIES.values())
NOTHING = 0


def facts(pid, task=None):
    """/proc/PID/status, by name."""
    path = "/proc/%d/task/%d/status" % (pid, task) if task else "/proc/%d/status" % pid
    with open(path) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def tasks(pid):
    return [int(os.path.basename(path)) for path in glob.glob("/proc/%d/task/*" % pid)]


def capabilities(status):
    return {name: int(status["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd",
                                                             "Amb")}


def limits(pid):
    with open("/proc/%d/limits" % pid) as f:
        rows = [re.split(r"\s{2,}", line.strip()) for line in f][1:]
    return {row[0]: (row[1], row[2]) for row in rows}


class WithCapabilities(Daemon):
    """Started with exactly these capabilities, and no way to any other."""

    def __init__(self, *args, capabilities, **kwargs):
        self.capabilities = capabilities
        super().__init__(*args, start=False, **kwargs)

    def command(self):
        command = super().command()
        names = ",".join("+" + name for name in self.capabilities)
        return (command[:-3] + ["setpriv", "--bounding-set", "-all," + names,
                                "--inh-caps", "-all", "--"] + command[-3:])


class Sandbox(Live):
    def pids(self):
        status = self.daemon.status()
        return (self.daemon.process.pid, status["ifaces"]["vb"]["pid"],
                status["store"]["pid"])

    def count(self, packets):
        self.send_and_count("va", "vb", packets)

    # What the kernel says.

    def check_child(self, pid, uid, gid):
        self.assertGreater(len(tasks(pid)), 5)
        for task in tasks(pid):
            status = facts(pid, task)
            self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
            self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
            self.assertEqual(status["Groups"].split(), [])
            self.assertEqual(set(capabilities(status).values()), {NOTHING}, status)
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertEqual(status["Seccomp"], "2", status)
            # A refused call can name itself, in any thread.
            refused = 1 << (signal.SIGSYS - 1)
            self.assertFalse(int(status["SigBlk"], 16) & refused, status)
            self.assertEqual(int(status["SigCgt"], 16) & 0xffffffff, refused)
        for limit in ("Max core file size", "Max processes", "Max locked memory",
                      "Max msgqueue size"):
            self.assertEqual(limits(pid)[limit], ("0", "0"), limit)

    def test_what_the_kernel_says_of_each_process(self):
        self.start("vb")
        supervisor, worker, store = self.pids()
        for task in tasks(supervisor):
            self.assertEqual(capabilities(facts(supervisor, task)), {
                "Inh": NOTHING, "Prm": OWN, "Eff": OWN, "Bnd": BOUNDING, "Amb": NOTHING})
        self.check_child(worker, WORKER_USER, WORKER_USER)
        self.check_child(store, STORE_USER, CLIENT_GROUP)
        self.assertNotEqual(limits(worker)["Max file size"][1], "unlimited")
        self.assertLessEqual(int(limits(worker)["Max open files"][1]), 64)
        self.assertLessEqual(int(limits(store)["Max open files"][1]), 64)
        self.count(7)
        self.daemon.rotate()
        self.assertEqual(self.daemon.total(), (7, 7 * len(FRAME)))
        self.check_child(store, STORE_USER, CLIENT_GROUP)

    def test_the_documented_capabilities_are_enough_for_every_start(self):
        self.daemon = WithCapabilities(["vb"], self.ns, capabilities=list(CAPABILITIES))
        for start in (1, 2):
            self.daemon.start()
            self.assertEqual(capabilities(facts(self.daemon.process.pid))["Bnd"], BOUNDING)
            self.count(5)
            # A process of another user that hangs can be ended.
            worker = self.pids()[1]
            os.kill(worker, signal.SIGSTOP)
            wait_for(lambda: self.daemon.now("vb")["pid"] not in (0, worker), 20)
            self.daemon.wait_active()
            self.assertEqual(self.daemon.packets("vb"), 5)
            self.assertEqual(self.daemon.stop(), 0)
            self.daemon.start()
            self.assertEqual(self.daemon.total()[0], 5 * start)
            self.assertEqual(self.daemon.stop(), 0)

    def test_none_of_the_documented_capabilities_can_be_left_out(self):
        for left_out in CAPABILITIES:
            self.daemon = WithCapabilities(
                ["vb"], self.ns, capabilities=[c for c in CAPABILITIES if c != left_out])
            self.daemon.start(wait=False)
            log = self.daemon.log_text

            def refused():
                return ("Operation not permitted" in log() or
                        "with CAP_NET_RAW alone" in log())
            wait_for(refused, 10)
            self.assertNotIn("counting, process", log(), left_out)
            self.daemon.kill()
            self.daemon.close()

    def test_file_mode_is_shut_in_too(self):
        reader = subprocess.Popen([os.path.join(BIN, "weirctl"), "read", "-"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def worker():
            path = "/proc/%d/task/%d/children" % (reader.pid, reader.pid)
            with open(path) as f:
                children = f.read().split()
            return (children and facts(int(children[0]))["Seccomp"] == "2" and
                    int(children[0]))
        pid = wait_for(worker)
        status = facts(pid)
        self.assertEqual(set(capabilities(status).values()), {NOTHING}, status)
        self.assertNotEqual(status["Uid"].split()[0], "0")
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(limits(pid)["Max processes"], ("0", "0"))
        for descriptor in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, descriptor))
            self.assertNotIn("socket:", target)
        out, _ = reader.communicate(pcap([(1, FRAME)]))
        self.assertEqual(reader.returncode, 0)
        self.assertIn(b"10.0.0.7", out)

    def test_children_end_with_a_supervisor_that_was_killed_whatever_they_do(self):
        self.start("vb")
        self.count(3)
        _, worker, store = self.pids()
        # A process that was taken over would not listen to its lifeline either.
        os.kill(worker, signal.SIGSTOP)
        os.kill(store, signal.SIGSTOP)
        self.daemon.kill()
        for pid in (worker, store):
            wait_for(lambda: not os.path.exists("/proc/%d" % pid), 5)
        # And nothing that was counted is lost.
        self.daemon.start()
        self.daemon.rotate()
        self.assertEqual(self.daemon.total()[0], 3)

    def test_no_process_of_the_same_user_can_look_into_a_child(self):
        self.start("vb")
        _, worker, store = self.pids()
        for pid, uid, gid in ((worker, WORKER_USER, WORKER_USER),
                              (store, STORE_USER, CLIENT_GROUP)):
            done = subprocess.run(
                ["setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups",
                 "--", "cat", "/proc/%d/maps" % pid], capture_output=True, text=True)
            self.assertIn("Permission denied", done.stderr)
            self.assertEqual(done.stdout, "")

    # What is tried from inside.

    def inside(self, pid, *calls):
        """What the process gets when it makes these calls; shorter when it has ended."""
        if not shutil.which("gdb"):
            self.skipTest("gdb is not installed: nothing can be tried from inside")
        arguments = ["gdb", "-nx", "-batch", "-p", str(pid),
                     "-ex", "set debuginfod enabled off",
                     "-ex", "handle SIGSYS nostop noprint pass"]
        for call in calls:
            arguments += ["-ex", 'printf "answer %%ld %%d\\n", (long)%s, '
                          "*(int *)((void *(*)(void))__errno_location)()" % call]
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=60)
        answers = [(int(a), int(b)) for a, b in
                   re.findall(r"^answer (-?\d+) (\d+)$", done.stdout, re.M)]
        self.output = done.stdout
        return answers

    def refused(self, pid, program, name, call):
        """Makes the call: it ends the process, and the log names it."""
        line = "%s: sandbox: the system call %s (number " % (program, name)
        before = self.daemon.log_text().count(line)
        self.assertEqual(self.inside(pid, call), [], self.output)
        wait_for(lambda: not os.path.exists("/proc/%d" % pid))
        wait_for(lambda: self.daemon.log_text().count(line) == before + 1)

    def packet_socket_of(self, pid):
        with open("/proc/%d/net/packet" % pid) as f:
            inodes = [line.split()[8] for line in f.readlines()[1:]]
        for descriptor in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, descriptor))
            if target.startswith("socket:[") and target[8:-1] in inodes:
                return int(descriptor)
        raise AssertionError("no packet socket")

    EPERM = 1
    EACCES = 13

    def test_a_store_makes_nothing_that_others_could_run(self):
        self.start("vb")
        store = self.pids()[2]
        open_ = '((int (*)(const char *, int, int))open)("made", %d, %d)'
        made = os.path.join(self.daemon.store, "made")
        mode = os.stat(self.daemon.store).st_mode
        new = os.O_RDWR | os.O_CREAT
        answers = self.inside(
            store, open_ % (new, 0o2755), open_ % (new, 0o6711), open_ % (new, 0o755),
            '((int (*)(const char *, int))open)(".", 0)')
        self.assertEqual(answers[:3], [(-1, self.EPERM)] * 3, self.output)
        directory = answers[3][0]
        self.assertGreater(directory, 2, self.output)
        fchmod = "((int (*)(int, int))fchmod)(%d, %d)"
        answers = self.inside(store, fchmod % (directory, 0o2755),
                              fchmod % (directory, 0o777), open_ % (new, 0o666))
        self.assertEqual(answers[:2], [(-1, self.EPERM)] * 2, self.output)
        file = answers[2][0]
        self.assertGreater(file, 2, self.output)
        answers = self.inside(
            store, *[fchmod % (file, m) for m in (0o4755, 0o2755, 0o2640, 0o755, 0o644)])
        self.assertEqual(answers, [(-1, self.EPERM)] * 5, self.output)
        self.assertEqual(os.stat(made).st_mode & 0o7777, 0o640)
        self.assertEqual(os.stat(self.daemon.store).st_mode, mode)
        self.assertEqual(self.pids()[2], store)
        # Others can pass through the directory, but that gets them nothing.
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534",
                               "--clear-groups", "--", made], capture_output=True)
        self.assertNotEqual(done.returncode, 0)
        self.refused(store, "weir-store", "fchmodat",
                     '((int (*)(int, const char *, int, int))fchmodat)'
                     '(-100, "made", 1517, 0)')

    def test_a_worker_fills_neither_files_nor_the_log_of_others(self):
        self.start("vb")
        pwrite = '((long (*)(int, const char *, long, long))pwrite64)(5, "x", 1, %d)'
        for name, call in (
                ("write", '((long (*)(int, const char *, long))write)(5, "x", 1)'),
                ("write", '((long (*)(int, const char *, long))write)(4, "x", 1)'),
                ("write", '((long (*)(int, const char *, long))write)(1, "x", 1)'),
                ("pwrite64", pwrite % (256 * 1024)),
                ("pwrite64", pwrite % (1 << 31)),
                ("fcntl", "((int (*)(int, int, int))fcntl)(2, 4, 2048)")):
            pid = wait_for(lambda: self.daemon.now("vb")["state"] == "active" and
                           self.daemon.now("vb")["pid"], 20)
            self.refused(pid, "weir-worker[vb]", name, call)
        pid = wait_for(lambda: self.daemon.now("vb")["state"] == "active" and
                       self.daemon.now("vb")["pid"], 20)
        answers = self.inside(
            pid, pwrite % (256 * 1024 - 1),
            "((int (*)(int, const char *, void *, int))fstatat)"
            '(-100, "/etc/shadow", $sp - 4096, 4096)',
            "((int (*)(int, const char *, void *, int))fstatat)"
            '(4, "/etc/shadow", $sp - 4096, 4096)')
        self.assertEqual(answers, [(1, answers[0][1]), (-1, self.EACCES),
                                   (-1, self.EACCES)], self.output)

    def test_a_worker_can_do_nothing_else(self):
        self.start("vb")
        worker = self.pids()[1]
        self.count(11)
        answers = self.inside(
            worker, '((int (*)(const char *, int))open)("/etc/passwd", 0)',
            '((int (*)(const char *, int))open)("/proc/self/status", 0)',
            "((int (*)(int, int, int))socket)(1, 1, 0)",
            "((int (*)(int, int, int))socket)(2, 2, 0)")
        self.assertEqual(answers, [(-1, self.EACCES)] * 4, self.output)
        self.count(2)  # by the same process
        self.assertEqual(self.pids()[1], worker)
        for name, call in (
                ("openat", '((int (*)(const char *, int))open)("/proc/self/mem", 1)'),
                ("socket", "((int (*)(int, int, int))socket)(17, 3, 0)"),
                ("ptrace", "((long (*)(int, int, int, int))ptrace)(16, 1, 0, 0)"),
                ("execve", '((int (*)(const char *, int, int))execve)("/bin/sh", 0, 0)'),
                ("kill", "((int (*)(int, int))kill)(1, 0)"),
                ("write", '((long (*)(int, const char *, long))write)'
                 '(%d, "0123456789abcdef", 16)')):
            pid = wait_for(lambda: self.daemon.now("vb")["state"] == "active" and
                           self.daemon.now("vb")["pid"], 20)
            if "%d" in call:
                call = call % self.packet_socket_of(pid)
            self.refused(pid, "weir-worker[vb]", name, call)
            wait_for(lambda: "signal 31 (Bad system call): its sandbox refused a system "
                     "call" in self.daemon.now("vb")["last_exit"])
        # And nothing that was counted is lost.
        self.daemon.wait_active()
        self.assertEqual(self.daemon.packets("vb"), 13)
        self.daemon.rotate()
        self.assertEqual(self.daemon.total()[0], 13)

    def test_a_store_can_do_nothing_else(self):
        self.start("vb")
        self.count(3)
        self.daemon.rotate()
        store = self.pids()[2]
        answers = self.inside(
            store, '((int (*)(const char *, int))open)("/etc/passwd", 0)',
            '((int (*)(const char *, int))open)("/proc/self/mem", 2)',
            '((int (*)(const char *, int, int))open)("../beside", 65, 420)')
        if answers and answers[0][0] >= 0:
            self.skipTest("this kernel has no Landlock")
        self.assertEqual(answers, [(-1, self.EACCES)] * 3, self.output)
        for name, call in (
                ("socket", "((int (*)(int, int, int))socket)(2, 1, 0)"),
                ("execve", '((int (*)(const char *, int, int))execve)("/bin/sh", 0, 0)'),
                ("ptrace", "((long (*)(int, int, int, int))ptrace)(16, 1, 0, 0)")):
            def running():
                status = self.daemon.status()["store"]
                return status["running"] and status["pid"]
            self.refused(wait_for(running, 20), "weir-store", name, call)
        self.count(4)
        self.daemon.wait_active()
        self.daemon.rotate()
        self.assertEqual(self.daemon.total()[0], 7)

    def test_filters_with_names_are_compiled_by_a_successor(self):
        self.start("vb")
        for text in ("port domain", "host localhost", "ip proto ospf", "udp port 53",
                     "host no-such-name.invalid"):
            self.daemon.write_config([{"name": "vb", "filter": '"%s"' % text}])
            self.daemon.ctl("reload", check=False)
            state = "error" if "invalid" in text else "active"
            wait_for(lambda: self.daemon.now("vb")["state"] == state, 20)
        self.assertNotIn("sandbox:", self.daemon.log_text())
        self.assertEqual(self.daemon.now("vb")["restarts"], 0)


if __name__ == "__main__":
    main()
