/* The serving side of a child (worker or store): it dials its own socket in the
 * supervisor, a REP socket, and answers one request after the other on the calling
 * thread until the supervisor closes the pipe. */
#ifndef WEIR_PROTO_SERVE_H
#define WEIR_PROTO_SERVE_H

#include "proto/pack.h"

/* Handles one request. The pack is empty: the handler makes it a whole answer with
 * pack_answer() ... or pack_error(), without pack_finish(). */
typedef void serve_handler(void *ctx, const struct msg *request, struct pack *answer);

/* Called once, when the process has dialled and all of nng's threads exist, before the
 * first request is served: the moment to give up what that took. Negative errno ends. */
typedef int serve_ready(void *ctx);

/* Serves until the supervisor closes the pipe (0) or nng fails (negative errno).
 * `role` is the child's own: types it does not serve are refused before the table,
 * `table` has MSG_TYPE_MAX entries; NULL entries are refused as unknown; ping needs no
 * entry. `ready` may be NULL. The first nng call of the process happens in here (its
 * threads start then). */
int serve_child(const char *socket_path, enum msg_role role,
    serve_handler *const table[MSG_TYPE_MAX], serve_ready *ready, void *ctx);

/* Parses and dispatches one request and makes the finished answer: what serve_child
 * does between receive and send. For tests and fuzzers, and for the control socket. */
void serve_request(const void *data, size_t len, enum msg_role role,
    serve_handler *const table[MSG_TYPE_MAX], void *ctx, struct pack *answer);

#endif
