/* A child process (worker or store) and the pipe to it: started with fork + exec on fixed
 * descriptors (common/child.h), known by its pid to its own socket, asked with deadlines,
 * its death noticed by the end of a lifeline.
 *
 * A child that misses a deadline is asked once more with a ping; when that is not
 * answered either, or when an answer breaks the protocol, it is killed. While a request
 * with a longer allowance is under way, that one's deadline is what counts: a child
 * answers one request after the other. It is killed, too, when it answers pings and nothing
 * else for CHILD_SILENT_MS, when it answers more than it was asked, and when it lives on
 * without its pipe.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_CHILD_H
#define WEIR_SUPERVISOR_CHILD_H

#include <sys/types.h>

#include "supervisor/child/ask.h"

#define CHILD_PING_MS 2000
#define CHILD_CLOSE_MS 5000 /* from the closed pipe to the kill */
#define CHILD_SILENT_MS 10000
#define CHILD_HANG_UP_MS 500 /* from the pipe that it has closed to the kill */
#define CHILD_COUNT_MS 2000 /* between two looks at who answers too much */
#define CHILD_EXIT_TEXT 160

struct children; /* all processes that were started and are not gone */
struct child;
struct child_ask;

/* `program_dir` is a descriptor of the directory with the executables: it still leads to
 * them when the supervisor has no right any more to walk the path. Kept, not owned. */
int children_new(struct children **out, struct loop *loop, int program_dir);
/* `gone` is called whenever a child object has ended: process reaped, socket closed. */
void children_on_gone(struct children *children, void (*gone)(void *arg), void *arg);
/* Kills what is left and turns the loop until all is gone. 0; or negative errno when that
 * takes too long, and then the memory stays in use. */
int children_free(struct children *children);
/* After SIGCHLD. */
void children_reap(struct children *children);
size_t children_count(const struct children *children);

/* What a child writes to its descriptor 2 becomes lines of the log
 * (supervisor/log/log_pipe.h). */
struct child_options {
	const char *program; /* file name in program_dir */
	const char *label; /* for the log: "weir-worker eth0", or the program alone */
	bool log_flows; /* it may log as many lines of the topic `flow` as it likes */
	const char *const *args; /* after "--socket PATH"; ends with NULL */
	const char *socket_dir; /* where its socket is made */
	uid_t socket_uid; /* who may dial it: the child's user */
	const struct pack *first; /* finished; framed on CHILD_FD_START, or NULL */
	int data_fd; /* for CHILD_FD_DATA, or -1; stays the caller's */
	int errors_fd; /* for CHILD_FD_ERRORS, or -1; stays the caller's */
};

struct child_events {
	/* It has dialled. */
	void (*connected)(void *arg, struct child *child);
	/* It lives no more, which is known before its exit status; its asks have ended. */
	void (*died)(void *arg, struct child *child);
	/* waitpid's status. The caller may not use the child any more afterwards. */
	void (*reaped)(void *arg, struct child *child, int status);
};

/* 0 or negative errno. The object is the caller's until `reaped` was called. */
int child_start(struct child **out, struct children *children,
    const struct child_options *options, const struct child_events *events, void *arg);

/* No more events, and no answers to what is under way. Closes the pipe. */
void child_disown(struct child *child);
/* The same for all that were started with this `arg` and are not reaped. */
void children_disown(struct children *children, const void *arg);

/* Asks; `done` as in supervisor/ask.h. *out is valid until `done` is called and may be
 * NULL. 0, or negative errno and `done` is never called; -ECONNRESET when closed. */
int child_ask(struct child_ask **out, struct child *child, enum msg_type type,
    const struct pack *request, int64_t allowance_ms, ask_done *done, void *arg);
/* Gives up waiting: `done` is not called. Accepts NULL. The request goes on. */
void child_ask_cancel(struct child_ask *ask);

/* Closes the pipe, upon which the child ends; asks under way end with -ECONNRESET. */
void child_close(struct child *child);

/* `why` is a constant; the first one counts. */
void child_kill(struct child *child, const char *why);

pid_t child_pid(const struct child *child);
int64_t child_uptime_ms(const struct child *child);
bool child_connected(const struct child *child);
bool child_was_killed(const struct child *child); /* by child_kill */

/* "signal 9 (Killed)", "exit code 1" */
char *child_exit_text(int status, char buf[static CHILD_EXIT_TEXT]);
/* The same of a child that was reaped, and why it was killed: "signal 9 (Killed): its answer
 * breaks the protocol". */
char *child_end_text(
    const struct child *child, int status, char buf[static CHILD_EXIT_TEXT]);

#endif
