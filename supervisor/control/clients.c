/* Who is let in, who has to go for that, and whose request is next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/control/clients_private.h"

/* Who finds the queue full must try again, which not every client does. */
#define CLIENTS_BACKLOG 4096
#define CLIENTS_ACCEPTS 128 /* in a row, before others have their turn */
#define CLIENTS_PAUSE_MS 100
#define CLIENTS_TELL_MS 60000

/*
 * Users.
 */

static struct client_user *
clients_user(struct clients *clients, uid_t uid)
{
	struct client_user *user;

	TAILQ_FOREACH(user, &clients->users, entry) {
		if (user->uid == uid)
			return user;
	}
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INIT(&user->turns);
	TAILQ_INSERT_TAIL(&clients->users, user, entry);
	return user;
}

void
clients_maybe_forget(struct clients *clients, struct client_user *user)
{
	if (user->count > 0 || user->asks > 0)
		return;
	TAILQ_REMOVE(&clients->users, user, entry);
	free(user);
}

/*
 * Places.
 */

/* Who goes first; 0 for who stays. */
static unsigned
clients_rank(const struct client *client)
{
	switch (client->state) {
	case CLIENT_GREETS:
		return 5;
	case CLIENT_TAKES:
		return 4;
	case CLIENT_IDLE:
		return client->asked ? 2 : 3;
	case CLIENT_SENDS:
		return 2;
	case CLIENT_WAITS:
		return 1;
	case CLIENT_ASKS:
		break;
	}
	return 0;
}

static struct client *
clients_choose(struct clients *clients, const struct client_user *newcomer)
{
	struct client_user *user;
	const struct client_user *most = newcomer;
	struct client *client;
	struct client *chosen = NULL;

	TAILQ_FOREACH(user, &clients->users, entry) {
		if (user->count > most->count)
			most = user;
	}
	TAILQ_FOREACH(client, &clients->ages, age) {
		if (client->user != most)
			continue;
		/* Who waits for his turn does not go for the user's own next client: that
		 * one would only wait as well. */
		if (client->state == CLIENT_WAITS && most == newcomer)
			continue;
		if (clients_rank(client) > (chosen ? clients_rank(chosen) : 0))
			chosen = client;
	}
	return chosen;
}

static bool
clients_have_room(struct clients *clients, const struct client_user *newcomer)
{
	struct client *client;

	if (clients->count < CLIENTS_MAX)
		return true;
	if (clients->told.ns == 0 ||
	    mono_ms_between(clients->told, mono_now()) > CLIENTS_TELL_MS) {
		clients->told = mono_now();
		log_warn("control",
		    "%d clients are connected, which is the most: idle ones make room",
		    CLIENTS_MAX);
	}
	client = clients_choose(clients, newcomer);
	if (!client)
		return false;
	client_hang_up(client);
	return true;
}

/* The one that takes longest of the user who leaves the most lying. */
static struct client *
clients_slowest(struct clients *clients)
{
	const struct client_user *most = NULL;
	struct client_user *user;
	struct client *client;

	TAILQ_FOREACH(user, &clients->users, entry) {
		if (!most || user->unsent > most->unsent)
			most = user;
	}
	TAILQ_FOREACH(client, &clients->ages, age) {
		if (client->state == CLIENT_TAKES && client->user == most)
			return client;
	}
	return NULL;
}

void
clients_limit_unsent(struct clients *clients)
{
	struct client *client;

	while (clients->unsent > CLIENTS_UNSENT_MAX &&
	    (client = clients_slowest(clients)) != NULL)
		client_hang_up(client);
}

static int
clients_take(struct clients *clients, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct client_user *user = NULL;
	int rc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		user = clients_user(clients, peer.uid);
	if (!user) {
		close(fd);
		return -ENOMEM;
	}
	user->count++; /* this one, so that its user is not forgotten meanwhile */
	if (clients_have_room(clients, user)) {
		rc = client_new(clients, user, fd);
	} else {
		close(fd);
		rc = -EBUSY;
	}
	user->count--;
	if (rc != 0)
		clients_maybe_forget(clients, user);
	return rc;
}

static void
clients_on_connection(void *arg)
{
	struct clients *clients = arg;

	for (int i = 0; i < CLIENTS_ACCEPTS; i++) {
		int fd = accept4(clients->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			clients_take(clients, fd);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			/* No descriptor or no memory: it would be told again at once. */
			loop_watch_for(clients->options.loop, clients->watch, 0);
			loop_timer_set(
			    clients->options.loop, &clients->pause, CLIENTS_PAUSE_MS);
			return;
		}
	}
}

static void
clients_on_pause(void *arg)
{
	struct clients *clients = arg;

	loop_watch_for(clients->options.loop, clients->watch, LOOP_READABLE);
}

/*
 * Turns.
 */

void
clients_queue(struct client *client)
{
	TAILQ_INSERT_TAIL(&client->user->turns, client, turn);
	loop_post(client->clients->options.loop, &client->clients->next);
}

static struct client_user *
clients_next_user(struct clients *clients)
{
	struct client_user *user;

	TAILQ_FOREACH(user, &clients->users, entry) {
		if (TAILQ_EMPTY(&user->turns))
			continue;
		if (user->asks == 0 || clients->asks < CLIENTS_USER_ASKS_MAX)
			return user;
	}
	return NULL;
}

/* One at a time: a handler that answers at once posts this again, and between two of them
 * the loop looks at everything else. */
static void
clients_on_turn(void *arg)
{
	struct clients *clients = arg;
	struct client_user *user = clients_next_user(clients);
	struct client *client;
	size_t len;

	if (!user || clients->asks >= CLIENTS_ASKS_MAX)
		return;
	TAILQ_REMOVE(&clients->users, user, entry);
	TAILQ_INSERT_TAIL(&clients->users, user, entry);
	client = TAILQ_FIRST(&user->turns);
	TAILQ_REMOVE(&user->turns, client, turn);
	client->state = CLIENT_ASKS;
	clients->asks++;
	user->asks++;
	loop_post(clients->options.loop, &clients->next);
	len = client->len - client->route;
	clients->options.arrived(clients->options.arg, client,
	    len <= clients->options.message_max ? client->message + client->route
						: NULL,
	    len);
}

/*
 * The socket.
 */

/* Nobody can connect before listen(), so there is no moment in which the wrong ones may. The
 * directory is root's: nobody can put another file in the place of the socket. */
static int
clients_bind(int fd, const char *path, gid_t gid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	/* Of a supervisor that is gone: there is one at a time, by its lock. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chmod(path, 0660) < 0 || lchown(path, (uid_t)-1, gid) < 0 ||
	    lstat(path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || (st.st_mode & 07777) != 0660 ||
	    st.st_uid != geteuid() || st.st_gid != gid)
		return -EPERM;
	return listen(fd, CLIENTS_BACKLOG) < 0 ? -errno : 0;
}

int
clients_new(struct clients **out, const struct clients_options *options)
{
	struct clients *clients = calloc(1, sizeof(*clients));
	int rc;

	if (!clients)
		return -ENOMEM;
	clients->options = *options;
	clients->options.path = NULL; /* the caller's */
	TAILQ_INIT(&clients->ages);
	TAILQ_INIT(&clients->users);
	clients->pause = (struct loop_timer){.fire = clients_on_pause, .arg = clients};
	clients->next = (struct loop_post){.run = clients_on_turn, .arg = clients};
	clients->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	rc = clients->fd < 0 ? -errno
			     : clients_bind(clients->fd, options->path, options->gid);
	if (rc == 0)
		rc = loop_watch_fd(options->loop, clients->fd, clients_on_connection,
		    clients, &clients->watch);
	if (rc != 0) {
		clients_free(clients);
		return rc;
	}
	*out = clients;
	return 0;
}

void
clients_free(struct clients *clients)
{
	struct client *client;

	if (!clients)
		return;
	while ((client = TAILQ_FIRST(&clients->ages)) != NULL)
		client_hang_up(client);
	loop_unwatch(clients->options.loop, clients->watch);
	loop_timer_clear(clients->options.loop, &clients->pause);
	loop_unpost(clients->options.loop, &clients->next);
	if (clients->fd >= 0)
		close(clients->fd);
	free(clients);
}

size_t
clients_count(const struct clients *clients)
{
	return clients->count;
}
