/* Lists of system calls. A worker that counts passes through three, each a part of the one
 * before: it opens its capture (libpcap compiles a filter that somebody wrote); it starts
 * (it adopts records that a predecessor may have forged); it serves. They were made from
 * what a worker really does (strace over the system tests), from the sources of libpcap
 * and nng where a path is seldom taken, and from what glibc does on machines with more
 * processors than ours. common/sandbox/sandbox_calls.c has the part that it shares with
 * the store. */
#include "worker/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/child.h"
#include "common/log.h"
#include "common/sandbox/sandbox_rows.h"
#include "worker/records.h"
#include "worker/refusals.h"

/* Until everything is open: the capture, and what a look-up of names has open at a time;
 * and what nng has. */
#define CONFINE_OPENING_DESCRIPTORS SANDBOX_LATER_MAX
#define CONFINE_STARTING_DESCRIPTORS 16

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
/* ---- serving ---- */

static const struct sandbox_call capture_calls[] = {
    {"getsockopt", "libpcap: the kernel's counters", 0, {IS(1, SOL_PACKET)}},
    {"setsockopt", "another filter; draining", 0,
	{IS(1, SOL_SOCKET), IS(2, SO_ATTACH_FILTER)}},
    {"setsockopt", "libpcap: another filter on a cooked link", 0,
	{IS(1, SOL_SOCKET), IS(2, SO_DETACH_FILTER)}},
    {"setsockopt", "libpcap takes the ring back, which its end does anyway", EPERM,
	{IS(1, SOL_PACKET), IS(2, PACKET_RX_RING)}},
    {"getsockname", "libpcap: is the interface there", 0, {{0}}},
    {"ioctl", "libpcap: is the interface up", 0, {IS(1, SIOCGIFFLAGS)}},
    {"ioctl", "libpcap: is the interface there", 0, {IS(1, SIOCGIFNAME)}},
    {"recvfrom", "libpcap: empties a cooked link under another filter", 0, {{0}}},
    {"fcntl", "libpcap: without waiting, meanwhile", 0, {IS(1, F_GETFL)}},
    {"fcntl", "libpcap: without waiting, meanwhile", 0, {PACKETS(0), IS(1, F_SETFL)}},
    {"fcntl64", "libpcap: without waiting, meanwhile", 0, {IS(1, F_GETFL)}},
    {"fcntl64", "libpcap: without waiting, meanwhile", 0, {PACKETS(0), IS(1, F_SETFL)}},
};

static const struct sandbox_call records_calls[] = {
    {"fallocate", "the record file grows", 0, {IS(0, CHILD_FD_DATA)}},
    {"pread64", "the head of the file of refused packets", 0, {IS(0, CHILD_FD_ERRORS)}},
    {"pwrite64", "a refused packet", 0,
	{IS(0, CHILD_FD_ERRORS), BELOW(2, REFUSALS_FILE_RECORD_MAX + 1),
	    BELOW(3, REFUSALS_FILE_MAX)}},
    {"lseek", "how large it is", 0, {IS(0, CHILD_FD_DATA), IS(2, SEEK_END)}},
    {"lseek", "how large it is", 0, {IS(0, CHILD_FD_ERRORS), IS(2, SEEK_END)}},
    {"_llseek", "how large it is", 0, {IS(0, CHILD_FD_DATA)}},
    {"_llseek", "how large it is", 0, {IS(0, CHILD_FD_ERRORS)}},
};

static const struct sandbox_group capture_group =
    SANDBOX_GROUP("a capture that is open", capture_calls);
static const struct sandbox_group records_group =
    SANDBOX_GROUP("files that are open", records_calls);

static const struct sandbox_group *const serving[] = {&sandbox_process,
    &sandbox_serving, &sandbox_attempts, &sandbox_attempts_files,
    &sandbox_attempts_sockets, &capture_group, &records_group};

/* ---- starting ---- */

static const struct sandbox_call naming_calls[] = {
    {"openat", "nng names its threads", EACCES,
	{KIND(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDWR)}},
};

static const struct sandbox_group naming_group =
    SANDBOX_GROUP("names of other threads", naming_calls);

static const struct sandbox_group *const starting[] = {&sandbox_process,
    &sandbox_serving, &sandbox_starting, &sandbox_attempts, &sandbox_attempts_files,
    &naming_group, &capture_group, &records_group};

/* ---- file mode ---- */

static const struct sandbox_call reading_calls[] = {
    {"dup", "the file gets an owner of its own", 0, {IS(0, CHILD_FD_INPUT)}},
    {"lseek", "zlib: where the file begins", 0, {{0}}},
    {"_llseek", "zlib: where the file begins", 0, {{0}}},
    {"memfd_create", "the records", 0, {{0}}},
    {"fallocate", "the records grow", 0, {{0}}},
    {"write", "frames", 0, {IS(0, CHILD_FD_OUTPUT)}},
};

static const struct sandbox_group reading_group =
    SANDBOX_GROUP("a capture file", reading_calls);

static const struct sandbox_group *const reading[] = {&sandbox_process,
    &sandbox_attempts, &sandbox_attempts_files, &sandbox_attempts_sockets,
    &reading_group};

/* ---- opening, and a check ---- */

/* Opening is libpcap's and, where a filter has names, the name service's business: both
 * read files, load libraries, and talk to the kernel and to name servers. None of them
 * writes to a file, or has signals sent (by the owner of a descriptor: FIOSETOWN). */
static const struct sandbox_call opening_calls[] = {
    {"socket", "the capture", 0, {IS(0, AF_PACKET)}},
    {"socket", "interfaces, names", 0, {IS(0, AF_NETLINK)}},
    {"socket", "interfaces, names", 0, {IS(0, AF_UNIX)}},
    {"socket", "interfaces, names", 0, {IS(0, AF_INET)}},
    {"socket", "names", 0, {IS(0, AF_INET6)}},
    {"bind", "the capture; interfaces", 0, {{0}}},
    {"connect", "names", 0, {{0}}},
    {"sendto", "names, interfaces", 0, {{0}}},
    {"sendmsg", "names", 0, {{0}}},
    {"sendmmsg", "names", 0, {{0}}},
    {"recvfrom", "names; the capture", 0, {{0}}},
    {"recvmsg", "names, interfaces", 0, {{0}}},
    {"getsockname", "names, interfaces", 0, {{0}}},
    {"getpeername", "names", 0, {{0}}},
    {"getsockopt", "the capture", 0, {{0}}},
    {"setsockopt", "the capture", 0, {{0}}},
    {"ioctl", "what the interface is", 0, {KIND(1, ~0xfU, 0x8910)}}, /* SIOCGIF... */
    {"ioctl", "what the interface is", 0, {KIND(1, ~0xfU, 0x8920)}},
    {"ioctl", "what the interface is", 0, {KIND(1, ~0xfU, 0x8930)}},
    {"ioctl", "what the interface is", 0, {KIND(1, ~0xfU, 0x8940)}}, /* SIOCETHTOOL */
    {"ioctl", "what the interface is", 0, {KIND(1, ~0xfU, 0x89b0)}}, /* time stamps */
    {"ioctl", "what the interface is", 0, {KIND(1, ~0xffU, 0x8b00)}}, /* wireless */
    {"ioctl", "names", 0, {IS(1, FIONREAD)}},
    {"ioctl", "names", 0, {IS(1, FIONBIO)}},
    {"ioctl", "first use of a FILE", ENOTTY, {IS(1, TCGETS)}},
    {"open", "libpcap, names", 0, {WITHOUT(1, O_ACCMODE | O_CREAT | O_TRUNC)}},
    {"openat", "libpcap, names", 0, {WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)}},
    {"stat", "libpcap, names", 0, {{0}}},
    {"lstat", "libpcap, names", 0, {{0}}},
    {"newfstatat", "libpcap, names", 0, {{0}}},
    {"fstatat64", "libpcap, names", 0, {{0}}},
    {"statx", "libpcap, names", 0, {{0}}},
    {"statfs", "names", 0, {{0}}},
    {"access", "libpcap, names", 0, {{0}}},
    {"faccessat", "libpcap, names", 0, {{0}}},
    {"faccessat2", "libpcap, names", 0, {{0}}},
    {"readlink", "libpcap", 0, {{0}}},
    {"readlinkat", "libpcap", 0, {{0}}},
    {"getdents64", "libpcap", 0, {{0}}},
    {"pread64", "libraries of the name service", 0, {{0}}},
    {"mmap", "libraries of the name service", 0, {{0}}},
    {"mmap2", "libraries of the name service", 0, {{0}}},
    {"mprotect", "libraries of the name service", 0, {{0}}},
    {"lseek", "names", 0, {{0}}},
    {"_llseek", "names", 0, {{0}}},
    {"uname", "names", 0, {{0}}},
    {"geteuid", "names", 0, {{0}}},
    {"getuid", "names", 0, {{0}}},
    {"getegid", "names", 0, {{0}}},
    {"getgid", "names", 0, {{0}}},
    {"prlimit64", "names", 0, {IS(0, 0)}},
    {"sysinfo", "names", 0, {{0}}},
    {"epoll_create1", "libraries of the name service", 0, {{0}}},
    {"epoll_ctl", "libraries of the name service", 0, {{0}}},
    {"epoll_wait", "libraries of the name service", 0, {{0}}},
    {"epoll_pwait", "libraries of the name service", 0, {{0}}},
    {"eventfd2", "the capture", 0, {{0}}},
    {"fcntl", "the capture, names", 0, {IS(1, F_GETFD)}},
    {"fcntl", "the capture, names", 0, {IS(1, F_SETFD)}},
    {"fcntl", "the capture, names", 0, {IS(1, F_GETFL)}},
    {"fcntl", "the capture, names", 0, {IS(1, F_SETFL)}},
    {"fcntl64", "the capture, names", 0, {IS(1, F_GETFD)}},
    {"fcntl64", "the capture, names", 0, {IS(1, F_SETFD)}},
    {"fcntl64", "the capture, names", 0, {IS(1, F_GETFL)}},
    {"fcntl64", "the capture, names", 0, {IS(1, F_SETFL)}},
};

/* The last capability and the file system go after the capture is open. */
static const struct sandbox_call leaving_calls[] = {
    {"capget", "no capability", 0, {{0}}},
    {"capset", "no capability", 0, {{0}}},
    {"prctl", "no capability", 0, {IS(0, PR_CAPBSET_READ)}},
    {"prctl", "no capability", 0, {IS(0, PR_CAP_AMBIENT)}},
    {"prctl", "no capability", 0, {IS(0, PR_GET_NO_NEW_PRIVS)}},
    {"prctl", "no capability", 0, {IS(0, PR_GET_DUMPABLE)}},
    {"getresuid", "no capability", 0, {{0}}},
    {"getresuid32", "no capability", 0, {{0}}},
    {"getresgid", "no capability", 0, {{0}}},
    {"getresgid32", "no capability", 0, {{0}}},
    {"landlock_create_ruleset", "no files", 0, {{0}}},
    {"landlock_add_rule", "no files", 0, {{0}}},
    {"landlock_restrict_self", "no files", 0, {{0}}},
};

static const struct sandbox_call checking_calls[] = {
    {"dup2", "no lines meanwhile", 0, {{0}}},
    {"dup3", "no lines meanwhile", 0, {{0}}},
    {"fcntl", "no lines meanwhile", 0, {IS(1, F_DUPFD_CLOEXEC)}},
    {"fcntl64", "no lines meanwhile", 0, {IS(1, F_DUPFD_CLOEXEC)}},
    {"write", "the answer", 0, {IS(0, CHILD_FD_OUTPUT)}},
};

static const struct sandbox_group opening_group =
    SANDBOX_GROUP("a capture that is being opened", opening_calls);
static const struct sandbox_group leaving_group =
    SANDBOX_GROUP("rights that are given up", leaving_calls);
static const struct sandbox_group checking_group =
    SANDBOX_GROUP("an answer about it", checking_calls);

static const struct sandbox_group *const opening[] = {&sandbox_process,
    &sandbox_serving, &sandbox_starting, &opening_group, &leaving_group, &naming_group,
    &capture_group, &records_group};
static const struct sandbox_group *const checking[] = {
    &sandbox_process, &opening_group, &checking_group};

/* ---- ---- */

static int
confine(const struct sandbox_limits *limits, const struct sandbox_group *const groups[],
    size_t count)
{
	const char *failed;
	char head[128];
	int rc;

	log_head(LOG_LEVEL_ERR, "sandbox", head, sizeof(head));
	rc = sandbox_confine(limits, groups, count, head, &failed);
	if (rc != 0)
		log_err("sandbox", "%s: %s", failed, strerror(-rc));
	return rc;
}

int
confine_files(void)
{
	int abi = 0;
	int rc;

	if (WEIR_SANDBOX_MODE == SANDBOX_OFF) {
#ifndef WEIR_SANITIZED
		log_warn("sandbox", "built without: WEIR_SECCOMP_MODE is off");
#endif
		return 0;
	}
	rc = sandbox_files(-1, &abi);
	if (rc != 0)
		log_err("sandbox", "no files: %s", strerror(-rc));
	else if (abi == 0)
		log_warn("sandbox",
		    "this kernel has no Landlock: only the list of system calls keeps "
		    "the process from files");
	return rc;
}

int
confine_opening(uint64_t flow_limit)
{
	const struct sandbox_limits limits = {
	    .file_size = records_size_max(flow_limit),
	    .descriptors = CONFINE_OPENING_DESCRIPTORS,
	    .threads = SANDBOX_NO_LIMIT,
	};

	return confine(&limits, opening, COUNT(opening));
}

int
confine_starting(void)
{
	const struct sandbox_limits limits = {
	    .file_size = SANDBOX_NO_LIMIT, /* as it is */
	    .descriptors = sandbox_no_more_descriptors() + CONFINE_STARTING_DESCRIPTORS,
	    .threads = SANDBOX_NO_LIMIT,
	};

	return confine(&limits, starting, COUNT(starting));
}

int
confine_serving(void)
{
	const struct sandbox_limits limits = {
	    .file_size = SANDBOX_NO_LIMIT, /* as it is */
	    .descriptors = sandbox_no_more_descriptors(),
	    .threads = 0,
	};

	return confine(&limits, serving, COUNT(serving));
}

int
confine_reading(uint64_t flow_limit)
{
	const struct sandbox_limits limits = {
	    .file_size = records_size_max(flow_limit),
	    .descriptors = CHILD_FD_OUTPUT + 8,
	    .threads = 0,
	};
	int rc = confine_files();

	return rc != 0 ? rc : confine(&limits, reading, COUNT(reading));
}

int
confine_check(void)
{
	return confine(NULL, checking, COUNT(checking));
}
