/* An ask goes through two operations on one aio, send and receive, both ended by nng on
 * its own threads. The second end is posted to the loop, where the answer is parsed and
 * delivered. Until then the fields below "nng" belong to nng's side, afterwards to the
 * loop's; the lock of the loop's queue orders the two. */
#include "supervisor/child/ask.h"

#include <errno.h>
#include <stdlib.h>

struct ask {
	struct loop *loop;
	struct loop_post delivery;
	enum msg_type type;
	ask_done *done;
	void *arg;
	struct mono deadline;
	nng_aio *aio;
	nng_ctx ctx;
	/* nng */
	bool receiving;
	int result;
	nng_msg *answer;
};

void
reply_free(struct reply *reply)
{
	if (!reply)
		return;
	msg_fini(&reply->msg);
	nng_msg_free(reply->data);
	free(reply);
}

static int
ask_errno(int result)
{
	switch (result) {
	case 0:
		return 0;
	case NNG_ETIMEDOUT:
		return -ETIMEDOUT;
	case NNG_ECLOSED:
	case NNG_ECONNRESET:
	case NNG_ECANCELED:
		return -ECONNRESET;
	case NNG_ENOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* On a thread of nng. */
static void
ask_advance(void *arg)
{
	struct ask *ask = arg;
	int result = nng_aio_result(ask->aio);

	if (result == 0 && !ask->receiving) {
		int64_t left = mono_ms_between(mono_now(), ask->deadline);

		ask->receiving = true;
		nng_aio_set_timeout(ask->aio, left > 0 ? (nng_duration)left : 1);
		nng_ctx_recv(ask->ctx, ask->aio);
		return;
	}
	if (result == 0) {
		ask->answer = nng_aio_get_msg(ask->aio);
	} else if (!ask->receiving) {
		nng_msg_free(nng_aio_get_msg(ask->aio));
		nng_aio_set_msg(ask->aio, NULL);
	}
	ask->result = result;
	loop_post(ask->loop, &ask->delivery);
}

/* After nng is done with it: nng_aio_free waits for a callback that is still returning. */
static void
ask_free(struct ask *ask)
{
	if (!ask)
		return;
	if (ask->aio)
		nng_aio_free(ask->aio);
	nng_ctx_close(ask->ctx);
	if (ask->answer)
		nng_msg_free(ask->answer);
	free(ask);
}

static struct reply *
ask_parse(struct ask *ask, int *rc)
{
	struct reply *reply = calloc(1, sizeof(*reply));

	if (!reply) {
		*rc = -ENOMEM;
		return NULL;
	}
	*rc =
	    msg_parse(&reply->msg, nng_msg_body(ask->answer), nng_msg_len(ask->answer));
	if (*rc != 0) {
		*rc = -EPROTO;
		free(reply);
		return NULL;
	}
	reply->data = ask->answer;
	ask->answer = NULL;
	if (!reply->msg.is_answer || reply->msg.type != ask->type) {
		reply_free(reply);
		*rc = -EPROTO;
		return NULL;
	}
	return reply;
}

static void
ask_deliver(void *arg)
{
	struct ask *ask = arg;
	ask_done *done = ask->done;
	void *done_arg = ask->arg;
	struct reply *reply = NULL;
	int rc = ask_errno(ask->result);

	if (rc == 0)
		reply = ask_parse(ask, &rc);
	ask_free(ask);
	done(done_arg, rc, reply);
}

int
ask_send(struct ask **out, struct loop *loop, nng_socket socket, enum msg_type type,
    const struct pack *request, int64_t allowance_ms, ask_done *done, void *arg)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	nng_msg *message = NULL;
	int rc;

	if (!ask)
		return -ENOMEM;
	ask->loop = loop;
	ask->delivery = (struct loop_post){.run = ask_deliver, .arg = ask};
	ask->type = type;
	ask->done = done;
	ask->arg = arg;
	ask->deadline = mono_plus_ms(mono_now(), allowance_ms);
	rc = nng_ctx_open(&ask->ctx, socket);
	if (rc != 0) {
		free(ask);
		return rc == NNG_ECLOSED ? -ECONNRESET : -ENOMEM;
	}
	if (nng_aio_alloc(&ask->aio, ask_advance, ask) != 0 ||
	    nng_msg_alloc(&message, 0) != 0 ||
	    nng_msg_append(message, request->buffer.data, request->buffer.size) != 0) {
		nng_msg_free(message);
		ask_free(ask);
		return -ENOMEM;
	}
	nng_aio_set_msg(ask->aio, message);
	nng_aio_set_timeout(ask->aio, (nng_duration)allowance_ms);
	*out = ask;
	nng_ctx_send(ask->ctx, ask->aio);
	return 0;
}

void
ask_cancel(struct ask *ask)
{
	if (!ask)
		return;
	/* Returns when no callback runs and none will. */
	nng_aio_stop(ask->aio);
	loop_unpost(ask->loop, &ask->delivery);
	ask_free(ask);
}
