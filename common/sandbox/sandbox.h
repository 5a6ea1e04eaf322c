/* What a process gives up beside capabilities (common/privilege.h): files, limits, and
 * every system call that is not on its list. All of it is for good. Nothing in here logs;
 * what is to be said is returned. */
#ifndef WEIR_COMMON_SANDBOX_H
#define WEIR_COMMON_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/* How a list of system calls is meant. Programs take the one they were built for,
 * WEIR_SANDBOX_MODE (CMake: WEIR_SECCOMP_MODE). */
enum sandbox_mode {
	SANDBOX_OFF, /* nothing is installed */
	SANDBOX_TRAP, /* as below, but SIGTRAP first, for a debugger */
	SANDBOX_ENFORCE /* one that is not on the list is not made; SIGSYS ends it */
};

/* ---- the list ---- */

/* What must hold for an argument. The kernel looks at numbers only, never at what they
 * point to. */
enum sandbox_test {
	SANDBOX_ANY, /* nothing; also the end of the tests of a call */
	SANDBOX_IS, /* is `value` */
	SANDBOX_WITHOUT, /* has none of the bits of `value` */
	SANDBOX_WITH, /* has one of the bits of `value`, or more of them */
	SANDBOX_BELOW, /* is less than `value` */
	SANDBOX_KIND, /* is `value` in the bits of `mask` */
	SANDBOX_OWN_PID, /* is this process */
	SANDBOX_OUTLET, /* is open by now: descriptor 2; a pipe, a socket that is no
			 * packet socket, or an event, but not as descriptor 0 or 1 */
	SANDBOX_PACKETS, /* is a packet socket that is open by now */
	SANDBOX_LATER /* is the number of no descriptor by now, below the limit of
		       * descriptors and SANDBOX_LATER_MAX */
};

struct sandbox_argument {
	unsigned number; /* from 0 */
	enum sandbox_test test;
	uint64_t value;
	uint64_t mask;
};

#define SANDBOX_ARGUMENTS_MAX 3
#define SANDBOX_LATER_MAX 64

/* Names that this architecture does not have are left out, so a list names what any of
 * them may use. The same name may stand in several rows: one that fits is enough. */
struct sandbox_call {
	const char *name;
	const char *why; /* who makes it, when */
	int answer; /* 0: it is made; else this errno is answered and it is not made */
	struct sandbox_argument arguments[SANDBOX_ARGUMENTS_MAX];
};

struct sandbox_group {
	const char *purpose;
	const struct sandbox_call *calls;
	size_t count;
};

#define SANDBOX_GROUP(text, table) \
	{ \
		.purpose = (text), .calls = (table), \
		.count = sizeof(table) / sizeof((table)[0]) \
	}

/* What any process of ours does: memory, threads, clocks, its log, its end. */
extern const struct sandbox_group sandbox_process;
/* What nng does once it has dialled. */
extern const struct sandbox_group sandbox_serving;
/* What a start takes beside both: threads, one local socket, what nng has for itself,
 * and the next, shorter list. */
extern const struct sandbox_group sandbox_starting;
/* What libraries try without need, and take a refusal of: at any time; where no file may
 * be had; where no socket may be had any more. */
extern const struct sandbox_group sandbox_attempts;
extern const struct sandbox_group sandbox_attempts_files;
extern const struct sandbox_group sandbox_attempts_sockets;

/* From here on every thread of the process, also those that exist already, makes the
 * calls of these groups alone. Lists stack: a later one takes away, and gives nothing that
 * an earlier one has not, so an earlier one contains sandbox_starting. The last one comes
 * when all threads, sockets and files are there. The first other call is named in one line
 * on stderr, behind `line_head` of the first list (log_head() of common/log.h; at most 127
 * bytes are used), is not made, and ends the process with SIGSYS; the line is left out
 * rather than waited for. Needs no_new_privs. 0 or negative errno; after a failure the
 * process must exit. */
int sandbox_filter(const struct sandbox_group *const groups[], size_t count,
    enum sandbox_mode mode, const char *line_head);

/* ---- files ---- */

/* Landlock, for the calling thread and those that it starts later: of the file system
 * what is below `directory` alone (-1: nothing), to read, write, make and remove plain
 * files there; no TCP; abstract sockets and signals inside of the process alone; as far as
 * the kernel knows these. Descriptors that are open stay as they are, and sockets with a
 * path can still be connected to. *abi becomes the version in use, 0 when the kernel has
 * no Landlock (which is no failure). 0 or negative errno. */
int sandbox_files(int directory, int *abi);

/* ---- limits ---- */

#define SANDBOX_NO_LIMIT UINT64_MAX

struct sandbox_limits {
	uint64_t file_size; /* bytes that a file may grow to; SANDBOX_NO_LIMIT */
	uint64_t descriptors; /* numbers below this may be given to new ones */
	uint64_t
	    threads; /* processes and threads of the user; 0 after the last is there */
};

/* Beside these: no core file, no locked memory, no message queue. 0 or negative errno. */
int sandbox_limit(const struct sandbox_limits *limits);

/* Both, as the program was built (WEIR_SANDBOX_MODE): first the limits (NULL: none), then the
 * list. 0 or negative errno, and *failed says in words which of them it was. */
int sandbox_confine(const struct sandbox_limits *limits,
    const struct sandbox_group *const groups[], size_t count, const char *line_head,
    const char **failed);

/* The lowest number for sandbox_limits.descriptors of a process that opens nothing any
 * more. */
uint64_t sandbox_no_more_descriptors(void);

#endif
