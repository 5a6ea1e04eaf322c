/* One client: greeting, then a request, its answer, the next request. Nothing is read
 * while a request is worked on or its answer is not taken, so a client can have no more
 * than one of each in memory. Whatever breaks the framing ends the connection. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "supervisor/control/clients_private.h"

static const uint8_t req_greeting[CLIENT_GREETING_SIZE] = {0, 'S', 'P', 0, 0, 0x30};
static const uint8_t rep_greeting[CLIENT_GREETING_SIZE] = {0, 'S', 'P', 0, 0, 0x31};

static void
client_enter(struct client *client, enum client_state state)
{
	struct loop *loop = client->clients->options.loop;
	unsigned what = 0;

	client->state = state;
	client->got = 0;
	if (state == CLIENT_GREETS || state == CLIENT_SENDS || state == CLIENT_TAKES)
		loop_timer_set(loop, &client->timer, CLIENTS_PATIENCE_MS);
	else
		loop_timer_clear(loop, &client->timer);
	if (state == CLIENT_TAKES)
		what = LOOP_WRITABLE;
	else if (state != CLIENT_WAITS && state != CLIENT_ASKS)
		what = LOOP_READABLE;
	if (what != client->watched_for)
		loop_watch_for(loop, client->watch, what);
	client->watched_for = what;
	/* Away from the end of those who may have to go. */
	TAILQ_REMOVE(&client->clients->ages, client, age);
	TAILQ_INSERT_TAIL(&client->clients->ages, client, age);
}

/* Up to `want` bytes: how many, 0 when there are none now, negative errno when there will be
 * none. */
static ssize_t
client_receive(struct client *client, void *into, size_t want)
{
	for (;;) {
		ssize_t n = recv(client->fd, into, want, MSG_DONTWAIT);

		if (n > 0)
			return n;
		if (n == 0)
			return -ECONNRESET;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* Reads on into what has `want` bytes: 1 when it is whole, 0 when there is no more now,
 * negative errno when there will be none. */
static int
client_fill(struct client *client, void *into, size_t want)
{
	while (client->got < want) {
		ssize_t n = client_receive(
		    client, (uint8_t *)into + client->got, want - client->got);

		if (n <= 0)
			return (int)n;
		client->got += (size_t)n;
	}
	return 1;
}

static int
client_read_greeting(struct client *client)
{
	int rc = client_fill(client, client->head, CLIENT_GREETING_SIZE);

	if (rc <= 0)
		return rc;
	if (memcmp(client->head, req_greeting, CLIENT_GREETING_SIZE) != 0)
		return -EPROTO;
	client_enter(client, CLIENT_IDLE);
	return 1;
}

static int
client_read_head(struct client *client)
{
	const struct clients_options *options = &client->clients->options;
	uint64_t len;
	int rc = client_fill(client, client->head, CLIENT_HEAD_SIZE);

	if (rc <= 0)
		return rc;
	memcpy(&len, client->head + 1, sizeof(len));
	len = be64toh(len);
	if (client->head[0] != 1 || len < 4 ||
	    len > options->message_end + CLIENT_ROUTE_MAX)
		return -EPROTO;
	client->len = (size_t)len;
	client->kept = options->message_max + CLIENT_ROUTE_MAX;
	if (client->kept > client->len)
		client->kept = client->len;
	client->message = malloc(client->kept);
	if (!client->message)
		return -ENOMEM;
	client_enter(client, CLIENT_SENDS);
	return 1;
}

/* How many bytes of the message are in front of the request; 0 when they are not in order:
 * words up to the first whose top bit is set. */
static size_t
client_route(const struct client *client)
{
	for (size_t at = 0; at + 4 <= client->kept && at < CLIENT_ROUTE_MAX; at += 4) {
		if (client->message[at] & 0x80)
			return at + 4;
	}
	return 0;
}

static int
client_read_message(struct client *client)
{
	uint8_t skipped[16384];
	int rc = client_fill(client, client->message, client->kept);

	while (rc == 1 && client->got < client->len) {
		size_t left = client->len - client->got;
		ssize_t n = client_receive(
		    client, skipped, left < sizeof(skipped) ? left : sizeof(skipped));

		if (n <= 0)
			return (int)n;
		client->got += (size_t)n;
	}
	if (rc <= 0)
		return rc;
	client->route = client_route(client);
	if (client->route == 0)
		return -EPROTO;
	client->asked = true;
	client_enter(client, CLIENT_WAITS);
	clients_queue(client);
	return 0;
}

static int
client_write(struct client *client)
{
	while (client->unsent_at < client->unsent_len) {
		ssize_t n = send(client->fd, client->unsent + client->unsent_at,
		    client->unsent_len - client->unsent_at,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			client->unsent_at += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
	client->clients->unsent -= client->unsent_len;
	client->user->unsent -= client->unsent_len;
	free(client->unsent);
	client->unsent = NULL;
	client_enter(client, CLIENT_IDLE);
	return 0;
}

static void
client_on_ready(void *arg)
{
	struct client *client = arg;
	int rc;

	do {
		switch (client->state) {
		case CLIENT_GREETS:
			rc = client_read_greeting(client);
			break;
		case CLIENT_IDLE:
			rc = client_read_head(client);
			break;
		case CLIENT_SENDS:
			rc = client_read_message(client);
			break;
		case CLIENT_TAKES:
			rc = client_write(client);
			break;
		default: /* not read from: it has hung up */
			rc = -ECONNRESET;
			break;
		}
	} while (rc == 1);
	if (rc < 0)
		client_hang_up(client);
}

static void
client_on_timer(void *arg)
{
	client_hang_up(arg);
}

size_t *
client_held(struct client *client)
{
	return client->user->held;
}

int
client_new(struct clients *clients, struct client_user *user, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	int rc = -ENOMEM;

	if (!client)
		goto out;
	client->clients = clients;
	client->user = user;
	client->fd = fd;
	client->watched_for = LOOP_READABLE;
	client->timer = (struct loop_timer){.fire = client_on_timer, .arg = client};
	/* Fits into the buffer of a new socket. */
	if (send(fd, rep_greeting, sizeof(rep_greeting), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(rep_greeting)) {
		rc = -ECONNRESET;
		goto out;
	}
	rc = loop_watch_fd(
	    clients->options.loop, fd, client_on_ready, client, &client->watch);
	if (rc != 0)
		goto out;
	TAILQ_INSERT_TAIL(&clients->ages, client, age);
	clients->count++;
	user->count++;
	client_enter(client, CLIENT_GREETS);
	return 0;
out:
	free(client);
	close(fd);
	return rc;
}

void
client_free(struct client *client)
{
	free(client->message);
	free(client);
}

void
client_hang_up(struct client *client)
{
	struct clients *clients = client->clients;
	struct client_user *user = client->user;

	loop_unwatch(clients->options.loop, client->watch);
	loop_timer_clear(clients->options.loop, &client->timer);
	close(client->fd);
	client->fd = -1;
	TAILQ_REMOVE(&clients->ages, client, age);
	clients->count--;
	user->count--;
	if (client->state == CLIENT_TAKES) {
		clients->unsent -= client->unsent_len;
		user->unsent -= client->unsent_len;
		free(client->unsent);
	}
	if (client->state == CLIENT_WAITS)
		TAILQ_REMOVE(&user->turns, client, turn);
	if (client->state == CLIENT_ASKS)
		return; /* until the answer, which nobody will get */
	client_free(client);
	clients_maybe_forget(clients, user);
}

/* Sends what the socket takes at once and keeps the rest. */
static int
client_send(struct client *client, const void *data, size_t len)
{
	uint8_t head[CLIENT_HEAD_SIZE + CLIENT_ROUTE_MAX] = {1};
	size_t head_len = CLIENT_HEAD_SIZE + client->route;
	uint64_t announced = htobe64(client->route + len);
	struct iovec parts[2] = {{.iov_base = head, .iov_len = head_len},
	    {.iov_base = (void *)(uintptr_t)data, .iov_len = len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	size_t sent;
	ssize_t n;

	memcpy(head + 1, &announced, sizeof(announced));
	memcpy(head + CLIENT_HEAD_SIZE, client->message, client->route);
	n = sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return -errno;
	sent = n > 0 ? (size_t)n : 0;
	free(client->message);
	client->message = NULL;
	if (sent == head_len + len) {
		client_enter(client, CLIENT_IDLE);
		return 0;
	}
	client->unsent = malloc(head_len + len - sent);
	if (!client->unsent)
		return -ENOMEM;
	client->unsent_len = head_len + len - sent;
	client->unsent_at = 0;
	if (sent < head_len) {
		memcpy(client->unsent, head + sent, head_len - sent);
		memcpy(client->unsent + (head_len - sent), data, len);
	} else {
		memcpy(client->unsent, (const uint8_t *)data + (sent - head_len),
		    client->unsent_len);
	}
	client->clients->unsent += client->unsent_len;
	client->user->unsent += client->unsent_len;
	client_enter(client, CLIENT_TAKES);
	clients_limit_unsent(client->clients);
	return 0;
}

void
client_answer(struct client *client, const void *data, size_t len)
{
	struct clients *clients = client->clients;
	struct client_user *user = client->user;
	int rc = 0;

	clients->asks--;
	user->asks--;
	loop_post(clients->options.loop, &clients->next);
	if (client->fd < 0) {
		client_free(client);
		clients_maybe_forget(clients, user);
		return;
	}
	rc = data ? client_send(client, data, len) : -ENOMEM;
	if (rc == 0)
		return;
	client->state = CLIENT_IDLE; /* nothing is under way */
	client_hang_up(client);
}
