/* Asking the daemon, and what a status answer says of one interface. */
#ifndef WEIR_CLIENT_DAEMON_H
#define WEIR_CLIENT_DAEMON_H

#include "client/client.h"
#include "common/interval.h"
#include "proto/ask.h"

/* One request about the operands' interfaces (all when there are none), one answer that
 * went well. EXIT_DONE and an answer that the caller gives back with answer_fini(); or
 * another exit code after the fault has been told on stderr. `default_ms` is how long to
 * wait when --timeout does not say; with `quiet` a daemon that cannot be reached is not
 * told (it was before). */
int daemon_ask(const struct client *client, enum msg_type type, int default_ms,
    bool quiet, struct answer *answer);

/* Writes the rows of one interface of an answer (`out` is NULL where the whole answer is
 * written as it is) and tells in *good whether it went well there. 0, or -EPROTO. */
typedef int daemon_row(struct output *out, const msgpack_object_kv *iface, bool *good);

/* Shows an answer with "ifaces", interface by interface, and gives it back. An exit code:
 * EXIT_DONE when it went well everywhere, EXIT_INCOMPLETE when only at some, `none` when
 * nowhere, EXIT_FAILED (told on stderr) when it does not have its form. */
int daemon_show(const struct client *client, struct answer *answer,
    const struct column *columns, size_t count, daemon_row *show, int none);

/* The key of an entry in one of the answer's maps, e.g. an interface's name. 0, or
 * -EPROTO (out untouched) when it is no text, empty, does not fit or has a NUL in it. */
int daemon_key(const msgpack_object *key, char *out, size_t size);

#define DAEMON_TEXT_SIZE 256

/* What "status" says of an interface. Parts that the answer does not have are empty. */
struct iface_status {
	char name[IFACE_NAME_SIZE];
	char wanted[16];
	char state[16];
	char reason[DAEMON_TEXT_SIZE]; /* with pcap's own words behind it */
	uint64_t pid; /* 0: no worker runs */
	uint64_t uptime_ms;
	uint64_t restarts;
	uint64_t rotations;
	char last_exit[64];
	int64_t last_exit_ms;
	bool waiting; /* frozen flows are not in the store yet */
	int64_t waiting_since_ms;
	char waiting_why[DAEMON_TEXT_SIZE];
	bool answered; /* the worker did; what follows is its */
	char worker_error[DAEMON_TEXT_SIZE];
	struct interval interval;
	uint64_t flows;
	uint64_t flow_limit;
	struct counter total;
};

/* Reads every interface of an answer. *out is malloc'ed. 0, -ENOMEM, or -EPROTO when the
 * answer does not have the form that PROTOCOL.md gives it. */
int daemon_ifaces(const msgpack_object *body, struct iface_status **out, size_t *count);

#endif
