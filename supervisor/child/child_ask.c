/* Requests to a child. One that nobody waits for any more, since its owner gave up or the
 * child is closed, goes on until it is answered or its time is up (child_socket.c says why
 * the pipe cannot be closed before). */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "supervisor/child/child_private.h"

static void
child_on_pong(void *arg, int rc, struct reply *reply)
{
	struct child *child = arg;

	child->ping = NULL;
	if (rc == -ETIMEDOUT)
		child_kill(child, "it missed a deadline and does not answer a ping");
	reply_free(reply);
}

static void
child_ping(struct child *child)
{
	struct pack request;

	if (child->ping || child->closed)
		return;
	pack_init(&request);
	pack_request(&request, MSG_PING);
	if (pack_finish(&request) == 0)
		child_ask(&child->ping, child, MSG_PING, &request, CHILD_PING_MS,
		    child_on_pong, child);
	pack_fini(&request);
}

static void
child_missed_deadline(struct child *child, const struct child_ask *missed)
{
	const struct child_ask *other;

	if (missed->type == MSG_PING)
		return;
	LIST_FOREACH(other, &child->asks, entry) {
		if (other->allowance_ms > missed->allowance_ms)
			return;
	}
	log_iface_warn("child", child->iface, "%s: no answer to %s within %lld ms",
	    child->program, msg_policy(missed->type)->name,
	    (long long)missed->allowance_ms);
	if (child->silent_since.ns == 0)
		child->silent_since = mono_now();
	else if (mono_ms_between(child->silent_since, mono_now()) >= CHILD_SILENT_MS)
		child_kill(child, "it answers pings and nothing else");
	child_ping(child);
}

static void
child_on_answer(void *arg, int rc, struct reply *reply)
{
	struct child_ask *ask = arg;
	struct child *child = ask->child;
	ask_done *done = ask->done;
	void *done_arg = ask->arg;

	LIST_REMOVE(ask, entry);
	if (child->closed)
		child_settle(child);
	else if (rc == -ETIMEDOUT)
		child_missed_deadline(child, ask);
	else if (rc == -EPROTO)
		child_kill(child, "its answer breaks the protocol");
	else if (rc == 0 && ask->type != MSG_PING)
		child->silent_since = (struct mono){0};
	free(ask);
	if (done)
		done(done_arg, rc, reply);
	else
		reply_free(reply);
}

int
child_ask(struct child_ask **out, struct child *child, enum msg_type type,
    const struct pack *request, int64_t allowance_ms, ask_done *done, void *arg)
{
	struct child_ask *ask;
	int rc;

	if (child->closed)
		return -ECONNRESET;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct child_ask){.child = child,
	    .type = type,
	    .allowance_ms = allowance_ms,
	    .done = done,
	    .arg = arg};
	rc = ask_send(&ask->ask, child->children->loop, child->socket, type, request,
	    allowance_ms, child_on_answer, ask);
	if (rc != 0) {
		free(ask);
		return rc;
	}
	child->asked++;
	LIST_INSERT_HEAD(&child->asks, ask, entry);
	if (out)
		*out = ask;
	return 0;
}

void
child_ask_cancel(struct child_ask *ask)
{
	/* The answer will come, and the pipe must not be closed while it does. */
	if (ask)
		ask->done = NULL;
}

void
child_close_for_owner(struct child *child)
{
	struct child_ask *ask = LIST_FIRST(&child->asks);

	if (child->closed)
		return;
	child->closed = true;
	child->connected = false;
	while (ask) {
		ask_done *done = ask->done;

		ask->done = NULL;
		if (done)
			done(ask->arg, -ECONNRESET, NULL);
		/* Nothing is added to a closed child, and answers only come from the
		 * loop, so the list is as it was. */
		ask = LIST_NEXT(ask, entry);
	}
	child_settle(child);
}

void
child_drop_asks(struct child *child)
{
	while (!LIST_EMPTY(&child->asks)) {
		struct child_ask *ask = LIST_FIRST(&child->asks);

		ask_cancel(ask->ask);
		LIST_REMOVE(ask, entry);
		free(ask);
	}
}
