/* The calls that the lists of all processes have in common. Names ending in 64 are those
 * of 32-bit architectures. What is missing says as much as what is there: nothing starts
 * a process or, after the start, a thread (clone, execve), nothing touches another process
 * (kill, ptrace, process_vm_readv), no memory becomes executable, no signal handler is
 * changed (rt_sigaction) or returns (rt_sigreturn), no descriptor is copied to another
 * number (dup). */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/sandbox/sandbox_rows.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* What makes a thread of ours and nothing else: as glibc asks for it. */
#define THREAD_FLAGS \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
	    CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#ifdef __s390x__
#define THREAD_FLAGS_ARGUMENT 1
#else
#define THREAD_FLAGS_ARGUMENT 0
#endif

/* libc's own, by which setuid() and its like reach all threads: taken with the first
 * thread. No header names it. */
#define SIGNAL_SETXID 33

#define LATER_FILTERS (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

static const struct sandbox_call process_calls[] = {
    /* Memory. */
    {"brk", "malloc", 0, {{0}}},
#ifdef __s390x__
    /* Its arguments lie in memory, where they cannot be looked at. */
    {"mmap", "malloc", 0, {{0}}},
#else
    {"mmap", "malloc", 0, {WITHOUT(2, PROT_EXEC)}},
#endif
    {"mmap2", "malloc", 0, {WITHOUT(2, PROT_EXEC)}},
    {"munmap", "malloc, the end of a ring", 0, {{0}}},
    {"mremap", "realloc of large buffers", 0, {{0}}},
    {"mprotect", "malloc: a thread's heap grows", 0, {WITHOUT(2, PROT_EXEC)}},
    {"madvise", "malloc, the stack of a thread that ends", 0, {{0}}},

    /* Threads that exist, also those that have only just begun. */
    {"futex", "locks", 0, {{0}}},
    {"futex_time64", "locks", 0, {{0}}},
    {"set_robust_list", "a thread begins", 0, {{0}}},
    {"rseq", "a thread begins", 0, {{0}}},
    {"rt_sigprocmask", "a thread begins; abort", 0, {{0}}},
    {"prctl", "a thread takes its name", 0, {IS(0, PR_SET_NAME)}},
    {"sched_getaffinity", "malloc: how many heaps", 0, {{0}}},
    {"sched_yield", "locks that spin", 0, {{0}}},
    {"gettid", "abort", 0, {{0}}},
    {"getpid", "the log, abort", 0, {{0}}},

    /* Time, where the kernel's page of clocks does not serve. */
    {"clock_gettime", "clocks", 0, {{0}}},
    {"clock_gettime64", "clocks", 0, {{0}}},
    {"gettimeofday", "clocks", 0, {{0}}},
    {"time", "clocks", 0, {{0}}},
    {"clock_nanosleep", "pauses", 0, {{0}}},
    {"clock_nanosleep_time64", "pauses", 0, {{0}}},
    {"nanosleep", "pauses", 0, {{0}}},
    {"restart_syscall", "goes on with a wait after SIGCONT", 0, {{0}}},

    /* Descriptors that are open. Packet sockets are no outlets: whoever takes this
     * process over can read from the wire, but not write to it. Nor are files, where
     * each has a call of its own with bounds, if it is written to at all. */
    {"read", "wake-ups, the lifeline, a capture file", 0, {{0}}},
    {"write", "the log, wake-ups", 0, {OUTLET(0)}},
    {"writev", "what libc says before it aborts", 0, {OUTLET(0)}},
    {"poll", "waiting", 0, {{0}}},
    {"ppoll", "waiting", 0, {{0}}},
    {"ppoll_time64", "waiting", 0, {{0}}},
    {"close", "the end of a capture, of a socket", 0, {{0}}},
    {"fstat", "the size of a file", 0, {{0}}},
    {"fstat64", "the size of a file", 0, {{0}}},
    {"getrandom", "seeds, message numbers", 0, {{0}}},
    {"sysinfo", "qsort: how much memory there is", 0, {{0}}},

    /* The end. */
    {"exit", "a thread ends", 0, {{0}}},
    {"exit_group", "the process ends", 0, {{0}}},
    {"tgkill", "abort", 0, {OWN_PID(0)}},
};

static const struct sandbox_call serving_calls[] = {
    {"epoll_wait", "the poller", 0, {{0}}},
    {"epoll_pwait", "the poller", 0, {{0}}},
    {"epoll_pwait2", "the poller", 0, {{0}}},
    {"epoll_ctl", "the poller", 0, {{0}}},
    {"sendmsg", "an answer", 0, {OUTLET(0)}},
    {"recvmsg", "a request", 0, {{0}}},
    {"readv", "a request", 0, {{0}}},
    {"getsockopt", "who is at the other end", 0,
	{IS(1, SOL_SOCKET), IS(2, SO_PEERCRED)}},
    {"getsockopt", "what went wrong", 0, {IS(1, SOL_SOCKET), IS(2, SO_ERROR)}},
    {"shutdown", "the end of the pipe", 0, {{0}}},
};

/* A thread needs no clone3, whose arguments lie in memory, where they cannot be looked at:
 * libc takes clone where the kernel has no other. What is made new may be used, by the
 * numbers that are free so far. */
static const struct sandbox_call starting_calls[] = {
    {"clone3", "a thread: see clone", ENOSYS, {{0}}},
    {"clone", "a thread", 0, {IS(THREAD_FLAGS_ARGUMENT, THREAD_FLAGS)}},
    {"rt_sigaction", "the first thread", 0, {IS(0, SIGNAL_SETXID)}},

    /* nng. */
    {"epoll_create1", "the poller", 0, {{0}}},
    {"eventfd2", "wakes the poller", 0, {{0}}},
    {"pipe2", "wakes the poller, where there are no events", 0, {{0}}},
    {"socket", "dials", 0, {IS(0, AF_UNIX), KIND(1, 0xf, SOCK_STREAM)}},
    {"connect", "dials", 0, {LATER(0)}},
    {"fcntl", "its descriptors", 0, {LATER(0), IS(1, F_SETFD)}},
    {"fcntl", "its descriptors", 0, {LATER(0), IS(1, F_SETFL)}},
    {"fcntl64", "its descriptors", 0, {LATER(0), IS(1, F_SETFD)}},
    {"fcntl64", "its descriptors", 0, {LATER(0), IS(1, F_SETFL)}},
    {"write", "wakes the poller", 0, {LATER(0)}},
    {"writev", "an answer", 0, {LATER(0)}},
    {"sendmsg", "an answer", 0, {LATER(0)}},

    /* The next list: what is open, and what it is. */
    {"fcntl", "the next list", 0, {IS(1, F_GETFD)}},
    {"fcntl64", "the next list", 0, {IS(1, F_GETFD)}},
    {"fstatfs", "the next list", 0, {{0}}},
    {"fstatfs64", "the next list", 0, {{0}}},
    {"getsockopt", "the next list", 0, {IS(1, SOL_SOCKET), IS(2, SO_DOMAIN)}},
    {"prlimit64", "the next limits", 0, {IS(0, 0)}},
    {"setrlimit", "the next limits", 0, {{0}}},
    {"getrlimit", "the next limits", 0, {{0}}},
    {"ugetrlimit", "the next limits", 0, {{0}}},
    {"prctl", "the next list", 0, {IS(0, PR_SET_NO_NEW_PRIVS), IS(1, 1)}},
    {"seccomp", "the next list", 0,
	{IS(0, SECCOMP_SET_MODE_FILTER), WITHOUT(1, ~(uint64_t)LATER_FILTERS)}},
};

/* An attempt to write, to another kind of socket and so on is on no list. */
static const struct sandbox_call attempt_calls[] = {
    {"socket", "names in filters", EACCES, {IS(0, AF_INET), KIND(1, 0xf, SOCK_DGRAM)}},
    {"socket", "names in filters", EACCES, {IS(0, AF_INET6), KIND(1, 0xf, SOCK_DGRAM)}},
    {"socket", "names in filters", EACCES, {IS(0, AF_NETLINK), IS(2, 0)}},
    {"uname", "names in filters", EPERM, {{0}}},
    {"ioctl", "first use of a FILE", ENOTTY, {IS(1, TCGETS)}},
    {"prctl", "newer malloc names its heaps", EINVAL, {IS(0, PR_SET_VMA)}},
};

/* Also fstat() of libc, which is a call that takes any path. */
static const struct sandbox_call attempt_files_calls[] = {
    {"open", "see openat", EACCES, {WITHOUT(1, O_ACCMODE | O_CREAT | O_TRUNC)}},
    {"openat", "time zone; names in filters; libpcap's counters below /sys", EACCES,
	{WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)}},
    {"newfstatat", "names in filters", EACCES, {IS(3, 0)}},
    {"newfstatat", "first use of a FILE", EACCES, {IS(3, AT_EMPTY_PATH)}},
    {"fstatat64", "names in filters", EACCES, {IS(3, 0)}},
    {"statx", "first use of a FILE", EACCES, {KIND(2, AT_EMPTY_PATH, AT_EMPTY_PATH)}},
};

static const struct sandbox_call attempt_sockets_calls[] = {
    {"socket", "nng dials again; names in filters", EACCES, {IS(0, AF_UNIX)}},
};

const struct sandbox_group sandbox_process =
    SANDBOX_GROUP("what every process does", process_calls);
const struct sandbox_group sandbox_serving =
    SANDBOX_GROUP("nng, once it has dialled", serving_calls);
const struct sandbox_group sandbox_starting =
    SANDBOX_GROUP("threads, nng until it has dialled, the next list", starting_calls);
const struct sandbox_group sandbox_attempts =
    SANDBOX_GROUP("tried without need, and refused", attempt_calls);
const struct sandbox_group sandbox_attempts_files =
    SANDBOX_GROUP("files, tried without need, and refused", attempt_files_calls);
const struct sandbox_group sandbox_attempts_sockets =
    SANDBOX_GROUP("another local socket, refused", attempt_sockets_calls);
