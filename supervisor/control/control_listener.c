#include "supervisor/control/control_listener.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "proto/listener.h"
#include "supervisor/child/listen.h"

#define LOOK_MS 500

/* Silenced ones with clients that stay; beyond it no successor is made until some go. */
#define LISTENERS_MAX 64

/* Then a silenced one is closed, whoever still holds on to it: nng keeps what dials it. */
#define SILENCED_MS 60000

/* Clients at the same time; more are turned away, so that descriptors are left for the
 * measuring. */
#define PIPES_MAX 256

struct entry {
	nng_listener listener;
	bool used;
	struct mono silenced; /* since when */
};

/* A client's connection; by its number, since nng also tells the end of connections whose
 * begin it has not told. */
struct client {
	int pipe; /* 0: free */
	int listener;
};

struct control_listener {
	struct loop *loop;
	struct loop_timer timer;
	nng_socket socket;
	char path[LISTEN_PATH_SIZE];
	gid_t gid;
	unsigned number; /* of the next one */
	size_t current;
	bool suspected; /* failures were seen when last looked at */
	struct entry entry[LISTENERS_MAX];
	pthread_mutex_t lock; /* for the clients: nng's threads tell of them */
	struct client client[PIPES_MAX];
};

/* On a thread of nng, before anything is done with the connection. */
static void
client_begins(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct control_listener *control = arg;
	bool room = false;

	(void)event;
	pthread_mutex_lock(&control->lock);
	for (size_t i = 0; i < PIPES_MAX && !room; i++) {
		if (control->client[i].pipe != 0)
			continue;
		control->client[i] = (struct client){
		    nng_pipe_id(pipe), nng_listener_id(nng_pipe_listener(pipe))};
		room = true;
	}
	pthread_mutex_unlock(&control->lock);
	if (!room)
		nng_pipe_close(pipe);
}

static void
client_ends(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct control_listener *control = arg;

	(void)event;
	pthread_mutex_lock(&control->lock);
	for (size_t i = 0; i < PIPES_MAX; i++) {
		if (control->client[i].pipe == nng_pipe_id(pipe))
			control->client[i].pipe = 0;
	}
	pthread_mutex_unlock(&control->lock);
}

static bool
has_clients(struct control_listener *control, nng_listener listener)
{
	bool any = false;

	pthread_mutex_lock(&control->lock);
	for (size_t i = 0; i < PIPES_MAX && !any; i++)
		any = control->client[i].pipe != 0 &&
		    control->client[i].listener == nng_listener_id(listener);
	pthread_mutex_unlock(&control->lock);
	return any;
}

static int
listen_next(struct control_listener *control)
{
	char path[LISTEN_PATH_SIZE];
	nng_listener listener;
	size_t free_entry = LISTENERS_MAX;
	int rc;

	for (size_t i = 0; i < LISTENERS_MAX && free_entry == LISTENERS_MAX; i++) {
		if (!control->entry[i].used)
			free_entry = i;
	}
	if (free_entry == LISTENERS_MAX)
		return -EMFILE;
	if (snprintf(path, sizeof(path), "%s.%u", control->path, control->number++) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	rc = listen_ipc(control->socket, path, control->gid, &listener);
	if (rc != 0)
		return rc;
	control->entry[free_entry] = (struct entry){.listener = listener, .used = true};
	if (rename(path, control->path) != 0)
		return -errno;
	control->entry[control->current].silenced = mono_now();
	control->current = free_entry;
	control->suspected = false;
	return 0;
}

/* On a thread of its own: see child_socket.c for what nng may do when it closes. */
static void *
close_listener(void *arg)
{
	nng_listener *listener = arg;

	nng_listener_close(*listener);
	free(listener);
	return NULL;
}

static void
close_elsewhere(nng_listener listener)
{
	nng_listener *copy = malloc(sizeof(*copy));
	pthread_attr_t attr;
	pthread_t thread;

	if (!copy)
		return;
	*copy = listener;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, close_listener, copy) != 0)
		free(copy);
	pthread_attr_destroy(&attr);
}

/* Those without clients, and old ones; the current one stays. */
static void
close_silenced(struct control_listener *control)
{
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		struct entry *entry = &control->entry[i];

		if (i == control->current || !entry->used ||
		    (has_clients(control, entry->listener) &&
			mono_ms_between(entry->silenced, mono_now()) <= SILENCED_MS))
			continue;
		entry->used = false;
		close_elsewhere(entry->listener);
	}
}

static void
look(void *arg)
{
	struct control_listener *control = arg;
	uint64_t failures = 0;
	int rc = 0;

	loop_timer_set(control->loop, &control->timer, LOOK_MS);
	close_silenced(control);
	if (listener_failures(control->entry[control->current].listener, &failures) !=
	    0)
		return;
	/* Twice in a row: a pipe that is just ending looks the same for a moment. */
	if (failures == 0 || !control->suspected) {
		control->suspected = failures != 0;
		return;
	}
	/* A failed connection need not have silenced it, but nobody can tell. */
	rc = listen_next(control);
	if (rc != 0)
		log_err("control", "%s cannot be listened at again: %s", control->path,
		    strerror(-rc));
	else
		log_debug("control", "a connection failed; listening anew");
}

int
control_listener_new(struct control_listener **out, struct loop *loop,
    nng_socket socket, const char *path, gid_t gid)
{
	struct control_listener *control = calloc(1, sizeof(*control));
	int rc;

	if (!control)
		return -ENOMEM;
	if (strlen(path) >= sizeof(control->path)) {
		free(control);
		return -ENAMETOOLONG;
	}
	strcpy(control->path, path);
	control->loop = loop;
	control->socket = socket;
	control->gid = gid;
	control->timer = (struct loop_timer){.fire = look, .arg = control};
	pthread_mutex_init(&control->lock, NULL);
	nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, client_begins, control);
	nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, client_ends, control);
	rc = listen_next(control);
	if (rc != 0) {
		control_listener_free(control);
		return rc;
	}
	loop_timer_set(loop, &control->timer, LOOK_MS);
	*out = control;
	return 0;
}

void
control_listener_free(struct control_listener *control)
{
	if (!control)
		return;
	loop_timer_clear(control->loop, &control->timer);
	nng_pipe_notify(control->socket, NNG_PIPE_EV_ADD_PRE, NULL, NULL);
	nng_pipe_notify(control->socket, NNG_PIPE_EV_REM_POST, NULL, NULL);
	pthread_mutex_destroy(&control->lock);
	free(control);
}
