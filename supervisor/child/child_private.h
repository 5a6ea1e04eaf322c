/* What the files of a child share: child.c (the process), child_socket.c (the socket, its
 * pipe, their end), child_ask.c (requests and missed deadlines), child_count.c (answers that
 * were not asked for). */
#ifndef WEIR_SUPERVISOR_CHILD_PRIVATE_H
#define WEIR_SUPERVISOR_CHILD_PRIVATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "common/iface.h"
#include "supervisor/child/child.h"
#include "supervisor/child/listen.h"

#define CHILD_PROGRAM_SIZE 32

struct log_pipe;

struct child_ask {
	struct child *child;
	struct ask *ask;
	enum msg_type type;
	int64_t allowance_ms;
	ask_done *done;
	void *arg;
	LIST_ENTRY(child_ask) entry;
};

struct child {
	struct children *children;
	LIST_ENTRY(child) entry;
	char program[CHILD_PROGRAM_SIZE];
	char iface[IFACE_NAME_SIZE]; /* "": of none */
	struct log_pipe *log; /* its descriptor 2 */
	const struct child_events *events; /* NULL: disowned */
	void *arg;
	struct mono started;
	bool connected;
	bool had_pipe;
	bool pipe_gone;
	bool closed; /* for its owner: nothing is asked any more */
	bool dead;
	bool reaped;
	const char *killed; /* why; NULL: it was not */
	struct mono silent_since; /* 0: its last answer came in time */
	uint64_t asked; /* requests that were given to nng, pings included */
	bool has_socket;
	bool closing_socket; /* the closer runs */
	nng_socket socket;
	struct loop_post closed_socket;
	struct loop_post disconnection;
	struct loop_timer socket_timer; /* a dead child's pipe; or the closer */
	char path[LISTEN_PATH_SIZE];
	int alive_fd; /* read end: its end is the child's */
	int parent_fd; /* write end: its end is ours */
	struct loop_watch *alive;
	struct loop_post connection;
	struct loop_timer close_timer;
	LIST_HEAD(, child_ask) asks;
	struct child_ask *ping;
	pid_t pid;
	pthread_mutex_t lock; /* of what follows, against the pipe callbacks */
	pid_t peer; /* who may dial; 0: nobody yet, or its number may be another's */
	int pipe; /* the one that it has dialled; 0: not yet */
};

struct children {
	struct loop *loop;
	int program_dir;
	struct loop_timer count_timer;
	LIST_HEAD(, child) all;
	void (*gone)(void *arg);
	void *arg;
};

/* child.c */

/* Frees a child that is reaped and has no socket any more. */
void child_maybe_gone(struct child *child);

/* child_socket.c */

/* What never changes: posts, timers, the lock. */
void child_socket_init(struct child *child);
/* Takes posts and timers back. */
void child_socket_fini(struct child *child);

/* Makes the socket of this process and listens. 0 or negative errno, logged. */
int child_listen(struct child *child, const struct child_options *options);

/* Closes the socket of a child that was never started: nothing has used it. */
void child_drop_socket(struct child *child);

/* Closes the socket if nothing can be on the way; to be called again when that may have
 * changed. */
void child_settle(struct child *child);

/* child_ask.c */

/* Ends all asks for their owners, with -ECONNRESET; they go on by themselves. Nothing is
 * asked any more. */
void child_close_for_owner(struct child *child);

/* Ends them in truth: there is no pipe any more. */
void child_drop_asks(struct child *child);

/* child_count.c */

/* Looks from time to time, until the children are freed. */
void child_count_start(struct children *children);
void child_count_stop(struct children *children);

#endif
