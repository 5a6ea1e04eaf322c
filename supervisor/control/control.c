/* One REP socket with a number of contexts. Each goes round in a circle: receive (nng's
 * thread posts to the loop), handle, answer, send, receive. A context belongs to nng from
 * the start of an operation to its callback, and to the loop in between. */
#include "supervisor/control/control.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "proto/nng_errno.h"
#include "supervisor/control/control_listener.h"
#include "supervisor/child/listen.h"

struct slot {
	struct control *control;
	nng_ctx ctx;
	nng_aio *aio;
	bool open;
	bool sending;
	nng_msg *message; /* received; between nng's callback and the answer */
	struct loop_post arrival;
	struct request request;
};

struct control {
	struct loop *loop;
	nng_socket socket;
	char path[LISTEN_PATH_SIZE];
	struct control_listener *listener;
	request_handler *table[MSG_TYPE_MAX];
	void *ctx;
	struct slot slots[CONTROL_CONTEXTS];
};

/* A client that does not read its answers holds a context for so long, no longer. */
#define SEND_MS 1000

static void
slot_receive(struct slot *slot)
{
	nng_aio_set_timeout(slot->aio, NNG_DURATION_INFINITE);
	nng_ctx_recv(slot->ctx, slot->aio);
}

/* On a thread of nng. */
static void
slot_advance(void *arg)
{
	struct slot *slot = arg;
	int result = nng_aio_result(slot->aio);

	if (slot->sending) {
		if (result != 0)
			nng_msg_free(nng_aio_get_msg(slot->aio));
		nng_aio_set_msg(slot->aio, NULL);
	} else if (result == 0) {
		slot->message = nng_aio_get_msg(slot->aio);
		loop_post(slot->control->loop, &slot->arrival);
		return;
	}
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	slot->sending = false;
	slot_receive(slot);
}

/* What the client cannot read becomes a sentence that it can. */
static void
request_finish(struct request *request)
{
	struct pack *answer = &request->answer;

	if (pack_finish(answer) == 0 && answer->buffer.size <= MSG_SIZE_MAX &&
	    msg_check(answer->buffer.data, answer->buffer.size, MSG_DEPTH_MAX,
		MSG_OBJECTS_MAX) == 0)
		return;
	pack_error(answer, request->msg.type, MSG_E_FAILED,
	    "the answer is larger than a message may be; ask for fewer interfaces");
	if (pack_finish(answer) != 0)
		log_err("control", "no memory for an answer");
}

void
request_answer(struct request *request)
{
	struct slot *slot = request->private;
	nng_msg *message = NULL;

	request_finish(request);
	if (nng_msg_alloc(&message, 0) != 0 ||
	    nng_msg_append(message, request->answer.buffer.data,
		request->answer.buffer.size) != 0) {
		nng_msg_free(message);
		message = NULL;
	}
	pack_fini(&request->answer);
	msg_fini(&request->msg);
	nng_msg_free(slot->message);
	slot->message = NULL;
	slot->sending = message != NULL;
	if (message) {
		nng_aio_set_msg(slot->aio, message);
		nng_aio_set_timeout(slot->aio, SEND_MS);
		nng_ctx_send(slot->ctx, slot->aio);
	} else {
		slot_receive(slot);
	}
}

static int
control_parse(struct request *request, const nng_msg *message)
{
	/* nng takes no const; it is only read. */
	nng_msg *readable = (nng_msg *)(uintptr_t)message;
	int rc = -EPROTO;

	memset(&request->msg, 0, sizeof(request->msg));
	if (nng_msg_len(readable) <= MSG_REQUEST_SIZE_MAX)
		rc = msg_parse(
		    &request->msg, nng_msg_body(readable), nng_msg_len(readable));
	if (rc != 0)
		memset(&request->msg, 0, sizeof(request->msg));
	return rc;
}

static void
control_refuse(struct request *request, int rc)
{
	struct pack *answer = &request->answer;

	if (rc == -EPROTONOSUPPORT)
		pack_error(answer, MSG_NONE, MSG_E_VERSION,
		    "this daemon speaks version %d", PROTO_VERSION);
	else if (rc == -ENOMSG)
		pack_error(
		    answer, MSG_NONE, MSG_E_UNKNOWN_TYPE, "no such type of message");
	else if (rc == -ENOMEM)
		pack_error(answer, MSG_NONE, MSG_E_FAILED, "out of memory");
	else
		pack_error(answer, MSG_NONE, MSG_E_BAD_MESSAGE,
		    "not one msgpack map with weir and type, of at most %u KiB",
		    (unsigned)(MSG_REQUEST_SIZE_MAX / 1024));
	request_answer(request);
}

static void
slot_on_arrival(void *arg)
{
	struct slot *slot = arg;
	struct request *request = &slot->request;
	const struct msg_policy *policy;
	request_handler *handler;
	int rc;

	*request = (struct request){.ctx = slot->control->ctx, .private = slot};
	pack_init(&request->answer);
	rc = control_parse(request, slot->message);
	if (rc != 0) {
		control_refuse(request, rc);
		return;
	}
	policy = msg_policy(request->msg.type);
	handler = slot->control->table[request->msg.type];
	if (request->msg.is_answer) {
		pack_error(&request->answer, request->msg.type, MSG_E_BAD_MESSAGE,
		    "an answer where a request was expected");
		request_answer(request);
	} else if (request->msg.type == MSG_PING) {
		pack_answer(&request->answer, MSG_PING);
		request_answer(request);
	} else if (!handler || !policy || !(policy->roles & MSG_ROLE_SUPERVISOR)) {
		pack_error(&request->answer, request->msg.type, MSG_E_UNKNOWN_TYPE,
		    "not served on this socket");
		request_answer(request);
	} else {
		handler(request);
	}
}

static int
slot_open(struct slot *slot, struct control *control)
{
	int rc;

	slot->control = control;
	slot->arrival = (struct loop_post){.run = slot_on_arrival, .arg = slot};
	rc = nng_ctx_open(&slot->ctx, control->socket);
	if (rc != 0)
		return nng_errno(rc);
	rc = nng_aio_alloc(&slot->aio, slot_advance, slot);
	if (rc != 0) {
		nng_ctx_close(slot->ctx);
		return nng_errno(rc);
	}
	slot->open = true;
	return 0;
}

/* Of a socket that nobody has dialled. */
static void
control_drop(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CONTEXTS; i++) {
		if (!control->slots[i].open)
			continue;
		nng_aio_free(control->slots[i].aio);
		nng_ctx_close(control->slots[i].ctx);
	}
	control_listener_free(control->listener);
	nng_close(control->socket);
	free(control);
}

int
control_new(struct control **out, struct loop *loop, const char *path, gid_t gid,
    request_handler *const table[MSG_TYPE_MAX], void *ctx)
{
	struct control *control = calloc(1, sizeof(*control));
	int rc;

	if (!control)
		return -ENOMEM;
	control->loop = loop;
	control->ctx = ctx;
	memcpy(control->table, table, sizeof(control->table));
	if (strlen(path) >= sizeof(control->path)) {
		free(control);
		return -ENAMETOOLONG;
	}
	strcpy(control->path, path);
	rc = nng_rep0_open(&control->socket);
	if (rc != 0) {
		free(control);
		return nng_errno(rc);
	}
	for (size_t i = 0; i < CONTROL_CONTEXTS && rc == 0; i++)
		rc = slot_open(&control->slots[i], control);
	if (rc == 0)
		rc = control_listener_new(
		    &control->listener, loop, control->socket, path, gid);
	if (rc != 0) {
		control_drop(control);
		return rc;
	}
	for (size_t i = 0; i < CONTROL_CONTEXTS; i++)
		slot_receive(&control->slots[i]);
	*out = control;
	return 0;
}

void
control_end(struct control *control)
{
	if (control)
		unlink(control->path);
}
