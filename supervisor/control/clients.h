/* The clients at the control socket: who is connected, whose request is next. On the wire
 * it is the REP side of nng's ipc transport, spoken here rather than by nng 1.5.2, which
 * accepts and greets without a limit, falls silent for good when a client hangs up before
 * it is greeted, and may stand still when it closes a socket.
 *
 * The number of clients is limited, so that descriptors and memory are left for the
 * measuring whatever they do. Whoever comes when all places are taken gets that of another
 * one: of the user who has the most, first of those who have not said what they want, then
 * of those who have been idle longest. Requests are served in turns by user. So a member of
 * the client group can disturb himself, not others.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_CLIENTS_H
#define WEIR_SUPERVISOR_CLIENTS_H

#include <stddef.h>
#include <sys/types.h>

#include "supervisor/loop/loop.h"

#define CLIENTS_MAX 256
#define CLIENTS_ASKS_MAX 64 /* requests that are worked on at the same time */
#define CLIENTS_USER_ASKS_MAX 48 /* ... the others are for users who have none yet */
#define CLIENTS_UNSENT_MAX (32U << 20) /* answers that are not taken, bytes in all */
#define CLIENTS_PATIENCE_MS 10000 /* for a greeting, a message, an answer to be taken */

struct clients;
struct client;

struct clients_options {
	struct loop *loop;
	const char *path; /* of the socket; an old one is removed */
	gid_t gid; /* who may connect, beside root */
	size_t message_max; /* longer ones are told, and not kept */
	size_t message_end; /* longer ones cost their sender the connection */
	/* A request: `message` of `len` bytes lives until client_answer(), which must be
	 * called once, now or later. NULL when it is longer than message_max. */
	void (*arrived)(
	    void *arg, struct client *client, const void *message, size_t len);
	void *arg;
};

/* Listens. 0 or negative errno; -EPERM when the socket's owner, group or mode came out
 * otherwise. */
int clients_new(struct clients **out, const struct clients_options *options);

/* Hangs up on all. No request may be under way. Accepts NULL. */
void clients_free(struct clients *clients);

/* How many are connected. */
size_t clients_count(const struct clients *clients);

/* Requests that take long, of which one user may have so many under way: the handlers count
 * them. */
enum client_held {
	HELD_ROTATES,
	HELD_CHANGES,
	HELD_MAX
};

/* The counts of the client's user, which are there as long as the request is. */
size_t *client_held(struct client *client);

/* Answers the request of the client, who may be gone; NULL for `data` hangs up on him. */
void client_answer(struct client *client, const void *data, size_t len);

#endif
