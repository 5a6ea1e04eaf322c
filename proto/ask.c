/* One request, one answer. nng dials again and again in silence when nobody listens, so
 * a plain connect() finds out first what is wrong; the nng side is then bounded by the
 * caller's time alone, and never repeats a request.
 *
 * The plain connection goes through nng's handshake before it is closed: it tells whether
 * the other side speaks that at all, and a listener of nng 1.5.2, should it be one, would
 * never accept again once a peer hung up before it could be greeted. */
#include "proto/ask.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/nng_errno.h"

#define DIAL_MS 2000 /* for a dial to get through */
#define AGAIN_MS 20 /* until what could not be sent is tried again */
#define SCHEME "ipc://"

static int
left_ms(struct mono deadline)
{
	int64_t left = mono_ms_between(mono_now(), deadline);

	/* 0 would be "do not wait" and negative ones have a meaning for nng */
	return left > 1 ? (int)left : 1;
}

/* Takes exactly len bytes; a peer that is silent is waited for until the deadline. */
static int
receive_exactly(int fd, uint8_t *data, size_t len, struct mono deadline)
{
	while (len > 0) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		ssize_t n = recv(fd, data, len, 0);

		if (n == 0)
			return -ECONNRESET;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return -errno;
		} else if (mono_ms_between(mono_now(), deadline) <= 0) {
			return -ETIMEDOUT;
		} else {
			(void)poll(&readable, 1, left_ms(deadline));
		}
	}
	return 0;
}

/* Both sides tell at once who they are: "SP" and the number of their protocol. */
static int
greet(int fd, struct mono deadline)
{
	static const uint8_t req[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
	static const uint8_t rep[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
	uint8_t got[8];
	int rc;

	if (send(fd, req, sizeof(req), MSG_NOSIGNAL) != (ssize_t)sizeof(req))
		return errno == EPIPE ? -ECONNRESET : -errno;
	rc = receive_exactly(fd, got, sizeof(got), deadline);
	if (rc != 0)
		return rc;
	return memcmp(got, rep, sizeof(rep)) == 0 ? 0 : -EPROTO;
}

/* 0 when an nng REP socket listens there. */
static int
probe(const char *socket_path, struct mono deadline)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(socket_path);
	int rc;
	int fd;

	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		rc = greet(fd, deadline);
	else if (errno == EAGAIN)
		rc = 0; /* a listener with a full queue; nng waits for it */
	else
		rc = -errno;
	close(fd);
	return rc;
}

static int
dial(nng_socket sock, const char *socket_path)
{
	char url[sizeof(SCHEME) + sizeof(((struct sockaddr_un *)0)->sun_path)];
	nng_dialer dialer;
	int rc;

	snprintf(url, sizeof(url), SCHEME "%s", socket_path);
	rc = nng_dialer_create(&dialer, sock, url);
	if (rc == 0)
		rc = nng_dialer_set_size(dialer, NNG_OPT_RECVMAXSZ, NNG_RECEIVE_MAX);
	/* Not waited for here: a peer that accepts and stays silent would hold it up. */
	return rc != 0 ? rc : nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
}

/* *sent: whether the request may have arrived. */
static int
exchange(nng_socket sock, const struct pack *request, struct mono deadline,
    struct answer *answer, bool *sent)
{
	nng_duration wait = left_ms(deadline);
	int rc;

	rc =
	    nng_socket_set_ms(sock, NNG_OPT_SENDTIMEO, wait < DIAL_MS ? wait : DIAL_MS);
	if (rc == 0)
		rc = nng_send(sock, request->buffer.data, request->buffer.size, 0);
	*sent = rc == 0;
	if (rc == 0)
		rc = nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, left_ms(deadline));
	if (rc == 0)
		rc = nng_recv(sock, &answer->data, &answer->len, NNG_FLAG_ALLOC);
	return rc;
}

static int
parse(struct answer *answer)
{
	int rc = msg_parse(&answer->msg, answer->data, answer->len);

	if (rc == 0 && !answer->msg.is_answer) {
		msg_fini(&answer->msg);
		rc = -EPROTO;
	}
	return rc == -ENOMSG ? -EPROTO : rc;
}

/* One socket, one dial, one request. */
static int
attempt(const char *socket_path, const struct pack *request, struct mono deadline,
    struct answer *got, bool *sent)
{
	nng_socket sock;
	int rc;

	*sent = false;
	rc = nng_req0_open(&sock);
	if (rc != 0)
		return nng_errno(rc);
	rc = nng_socket_set_ms(sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rc == 0)
		rc = dial(sock, socket_path);
	if (rc == 0)
		rc = exchange(sock, request, deadline, got, sent);
	nng_close(sock);
	return rc == 0 ? 0 : nng_errno(rc);
}

int
ask(const char *socket_path, const struct pack *request, int timeout_ms,
    struct answer *answer)
{
	struct mono deadline = mono_plus_ms(mono_now(), timeout_ms);
	struct answer got = {.data = NULL};
	bool sent;
	int rc;

	if (request->failed || request->depth != 0 || request->buffer.size == 0)
		return -EINVAL;
	/* What was not sent is tried on a new socket: a dialer of nng 1.5.2 whose peer hangs
	 * up in the wrong moment does not dial again, and a daemon that has many clients may
	 * show one out that has not asked yet. */
	for (;;) {
		sent = false;
		rc = probe(socket_path, deadline);
		if (rc == 0)
			rc = attempt(socket_path, request, deadline, &got, &sent);
		if (sent || (rc != -ETIMEDOUT && rc != -ECONNRESET) ||
		    left_ms(deadline) <= AGAIN_MS)
			break;
		(void)poll(NULL, 0, AGAIN_MS);
	}
	if (rc != 0)
		return rc;
	rc = parse(&got);
	if (rc != 0) {
		nng_free(got.data, got.len);
		return rc;
	}
	/* msg.body points into the struct itself, so it is made anew, not copied. */
	answer->data = got.data;
	answer->len = got.len;
	answer->msg = got.msg;
	answer->msg.body = &answer->msg.unpacked.data;
	return 0;
}

void
answer_fini(struct answer *answer)
{
	if (!answer || !answer->data)
		return;
	msg_fini(&answer->msg);
	nng_free(answer->data, answer->len);
	answer->data = NULL;
}
