/* The serving side of a child. The calling thread receives, answers and sends, one
 * request at a time; nng's threads only say that the pipe is gone, which ends whatever
 * the loop is waiting for. The child never dials a second time: each process has its own
 * socket, and a supervisor that closed it has no more to ask. */
#include "proto/serve.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/clock.h"
#include "proto/nng_errno.h"

#define SCHEME "ipc://"
#define DIAL_FOR_MS 5000
#define DIAL_AGAIN_MS 20
#define NEVER_MS (24 * 3600 * 1000)

struct server {
	nng_socket sock;
	nng_aio *aio; /* the operation the loop waits for */
	/* Orders "the pipe is gone" against the start of an operation: either the loop
	 * sees it and starts none, or the one it started is there to be cancelled. */
	pthread_mutex_t lock;
	bool gone;
};

/* What msg_parse() said, as an answer. */
static void
refuse(int rc, struct pack *answer)
{
	switch (rc) {
	case -EPROTONOSUPPORT:
		pack_error(answer, MSG_NONE, MSG_E_VERSION,
		    "this side speaks version %d", PROTO_VERSION);
		break;
	case -ENOMSG:
		pack_error(
		    answer, MSG_NONE, MSG_E_UNKNOWN_TYPE, "no such type of message");
		break;
	case -ENOMEM:
		pack_error(answer, MSG_NONE, MSG_E_FAILED, "out of memory");
		break;
	default:
		pack_error(answer, MSG_NONE, MSG_E_BAD_MESSAGE,
		    "not one msgpack map with weir and type, within the limits");
		break;
	}
}

/* Replaces an answer that the other side could not read by one that says so. */
static void
finish(struct pack *answer, enum msg_type type)
{
	const char *why = NULL;

	if (pack_finish(answer) != 0)
		why = "the answer could not be written";
	else if (answer->buffer.size > MSG_SIZE_MAX ||
	    msg_check(answer->buffer.data, answer->buffer.size, MSG_DEPTH_MAX,
		MSG_OBJECTS_MAX) != 0)
		why = "the answer is larger than a message may be";
	if (!why)
		return;
	pack_error(answer, type, MSG_E_FAILED, "%s", why);
	(void)pack_finish(answer);
}

void
serve_request(const void *data, size_t len, enum msg_role role,
    serve_handler *const table[MSG_TYPE_MAX], void *ctx, struct pack *answer)
{
	const struct msg_policy *policy;
	struct msg request;
	enum msg_type type = MSG_NONE;
	int rc;

	pack_clear(answer);
	rc = msg_parse(&request, data, len);
	if (rc != 0) {
		refuse(rc, answer);
		goto out;
	}
	type = request.type;
	policy = msg_policy(type);
	if (request.is_answer)
		pack_error(answer, type, MSG_E_BAD_MESSAGE,
		    "an answer where a request was expected");
	else if (type == MSG_PING)
		pack_answer(answer, type);
	else if (!policy || !(policy->roles & role) || !table[type])
		pack_error(
		    answer, type, MSG_E_UNKNOWN_TYPE, "not served on this socket");
	else
		table[type](ctx, &request, answer);
	msg_fini(&request);
out:
	finish(answer, type);
}

static void
pipe_gone(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct server *server = arg;

	(void)pipe;
	(void)event;
	pthread_mutex_lock(&server->lock);
	server->gone = true;
	pthread_mutex_unlock(&server->lock);
	nng_aio_cancel(server->aio);
}

/* The supervisor listens before it starts a child; the repeats are for a child that is
 * started by hand. */
static int
dial(struct server *server, const char *socket_path)
{
	char url[sizeof(SCHEME) + sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct mono deadline = mono_plus_ms(mono_now(), DIAL_FOR_MS);
	nng_dialer dialer;
	int rc;

	if (strlen(socket_path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return NNG_EADDRINVAL;
	snprintf(url, sizeof(url), SCHEME "%s", socket_path);
	for (;;) {
		rc = nng_dialer_create(&dialer, server->sock, url);
		if (rc != 0)
			return rc;
		rc = nng_dialer_set_size(dialer, NNG_OPT_RECVMAXSZ, NNG_RECEIVE_MAX);
		if (rc == 0)
			rc = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, NEVER_MS);
		if (rc == 0)
			rc = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, NEVER_MS);
		if (rc == 0)
			rc = nng_dialer_start(dialer, 0);
		if (rc == 0)
			return 0;
		nng_dialer_close(dialer);
		if ((rc != NNG_ENOENT && rc != NNG_ECONNREFUSED) ||
		    mono_ms_between(mono_now(), deadline) <= 0)
			return rc;
		nng_msleep(DIAL_AGAIN_MS);
	}
}

typedef void operation(nng_socket sock, nng_aio *aio);

/* Starts nng_recv_aio or nng_send_aio and waits for its end. NNG_ECANCELED once the
 * pipe is gone. */
static int
await(struct server *server, operation *start)
{
	bool gone;

	pthread_mutex_lock(&server->lock);
	gone = server->gone;
	if (!gone)
		start(server->sock, server->aio);
	pthread_mutex_unlock(&server->lock);
	if (gone)
		return NNG_ECANCELED;
	nng_aio_wait(server->aio);
	return nng_aio_result(server->aio);
}

/* The message stays ours unless sending it succeeded. */
static int
send_answer(struct server *server, const struct pack *answer)
{
	nng_msg *msg;
	int rc;

	if (answer->failed)
		return NNG_ENOMEM;
	rc = nng_msg_alloc(&msg, 0);
	if (rc != 0)
		return rc;
	rc = nng_msg_append(msg, answer->buffer.data, answer->buffer.size);
	if (rc == 0) {
		nng_aio_set_msg(server->aio, msg);
		rc = await(server, nng_send_aio);
	}
	if (rc != 0)
		nng_msg_free(msg);
	return rc;
}

static int
serve_loop(struct server *server, enum msg_role role,
    serve_handler *const table[MSG_TYPE_MAX], void *ctx, struct pack *answer)
{
	int rc;

	for (;;) {
		nng_msg *msg;

		rc = await(server, nng_recv_aio);
		if (rc != 0)
			return rc;
		msg = nng_aio_get_msg(server->aio);
		serve_request(
		    nng_msg_body(msg), nng_msg_len(msg), role, table, ctx, answer);
		nng_msg_free(msg);
		rc = send_answer(server, answer);
		if (rc != 0)
			return rc;
	}
}

int
serve_child(const char *socket_path, enum msg_role role,
    serve_handler *const table[MSG_TYPE_MAX], serve_ready *ready, void *ctx)
{
	struct server server = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct pack answer;
	int not_ready = 0;
	int rc;

	pack_init(&answer);
	rc = nng_aio_alloc(&server.aio, NULL, NULL);
	if (rc != 0)
		goto out;
	rc = nng_rep0_open(&server.sock);
	if (rc != 0)
		goto out;
	rc = nng_pipe_notify(server.sock, NNG_PIPE_EV_REM_POST, pipe_gone, &server);
	if (rc == 0)
		rc = dial(&server, socket_path);
	if (rc == 0 && ready)
		not_ready = ready(ctx);
	if (rc == 0 && not_ready == 0)
		rc = serve_loop(&server, role, table, ctx, &answer);
	/* Also waits for a callback that is running. */
	nng_close(server.sock);
out:
	nng_aio_free(server.aio);
	pthread_mutex_destroy(&server.lock);
	pack_fini(&answer);
	if (not_ready != 0)
		return not_ready;
	return rc == NNG_ECANCELED ? 0 : nng_errno(rc);
}
