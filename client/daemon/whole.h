/* Questions about any number of interfaces, whose answer need not fit into one message. */
#ifndef WEIR_CLIENT_DAEMON_WHOLE_H
#define WEIR_CLIENT_DAEMON_WHOLE_H

#include "client/daemon/daemon.h"

/* Writes further keys of a request. */
typedef void daemon_keys(struct pack *request, const void *arg);

struct daemon_question {
	enum msg_type type;
	int default_ms; /* as for daemon_ask(), of each request */
	bool quiet;
	daemon_keys *keys; /* or NULL */
	const void *arg;
};

/* The answer as one message would have it: "ifaces" has all of them, in the daemon's order,
 * and there is no "left_out". Everything else is of the first message. */
struct whole_answer {
	const msgpack_object *body;

	/* private */
	struct answer **answers; /* each on its own: a message points into itself */
	size_t count;
	msgpack_object merged;
};

/* Asks about the operands' interfaces (all when there are none), and again for what an
 * answer leaves out until nothing is. EXIT_DONE and an answer to be given back; or another
 * exit code after the fault has been told on stderr. */
int daemon_ask_whole(const struct client *client,
    const struct daemon_question *question, struct whole_answer *whole);
void whole_answer_fini(struct whole_answer *whole);

#endif
