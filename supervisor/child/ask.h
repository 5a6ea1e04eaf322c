/* Asynchronous requests over a REQ socket: each has its own nng context, so that any
 * number can be under way to one child. The receive is posted in the completion of the
 * send, since nng throws an answer away that arrived but was not received when the pipe
 * closes. proto/ask.h is the synchronous one of clients.
 *
 * Threads: the loop's; the callbacks of nng never leave ask.c. */
#ifndef WEIR_SUPERVISOR_ASK_H
#define WEIR_SUPERVISOR_ASK_H

#include <nng/nng.h>

#include "proto/pack.h"
#include "supervisor/loop/loop.h"

/* An answer that arrived. `msg` points into `data`; free with reply_free(). */
struct reply {
	struct msg msg;
	nng_msg *data;
};
void reply_free(struct reply *reply);

/* Called once on the loop's thread. rc 0: an answer of the right type came, whatever it
 * says (reply->msg.error); the reply is the callee's. Else reply is NULL and rc is
 * -ETIMEDOUT (deadline), -ECONNRESET (the pipe closed), -EPROTO (the answer breaks the
 * protocol) or another negative errno. */
typedef void ask_done(void *arg, int rc, struct reply *reply);

struct ask;

/* Sends the finished pack, a request of `type`. A request waits within its allowance
 * for the child to dial. 0, or negative errno and `done` is never called. */
int ask_send(struct ask **out, struct loop *loop, nng_socket socket, enum msg_type type,
    const struct pack *request, int64_t allowance_ms, ask_done *done, void *arg);

/* Gives up waiting; `done` is not called. Not from within `done` of the same ask. */
void ask_cancel(struct ask *ask);

#endif
