/* What clients.c (who may, who is next) and client.c (the bytes of one) share. */
#ifndef WEIR_SUPERVISOR_CLIENTS_PRIVATE_H
#define WEIR_SUPERVISOR_CLIENTS_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/control/clients.h"

#define CLIENT_GREETING_SIZE 8
#define CLIENT_HEAD_SIZE 9 /* 1, and a length of 8 bytes, big endian */
#define CLIENT_HOPS_MAX 8 /* of relays, as many as nng lets through */
/* In front of each message: 4 bytes per relay, and 4 with the request's number. */
#define CLIENT_ROUTE_MAX (4 * (CLIENT_HOPS_MAX + 1))

enum client_state {
	CLIENT_GREETS, /* has to say first what it speaks */
	CLIENT_IDLE, /* a message may come */
	CLIENT_SENDS, /* ... and has begun */
	CLIENT_WAITS, /* it is there and waits for its turn */
	CLIENT_ASKS, /* it is worked on */
	CLIENT_TAKES, /* the answer goes out */
};

/* All clients of one user. */
struct client_user {
	uid_t uid;
	size_t count; /* connected */
	size_t asks; /* requests that are worked on, also of those who have gone */
	size_t unsent; /* bytes of answers that are not taken */
	size_t held[HELD_MAX];
	TAILQ_HEAD(client_turns, client) turns; /* CLIENT_WAITS */
	TAILQ_ENTRY(client_user) entry;
};

struct client {
	struct clients *clients;
	struct client_user *user;
	TAILQ_ENTRY(client) age;
	TAILQ_ENTRY(client) turn;
	int fd; /* -1: has hung up while it is asking */
	struct loop_watch *watch;
	unsigned watched_for;
	struct loop_timer timer;
	enum client_state state;
	bool asked; /* at least once */
	size_t got; /* bytes of what is read at the moment */
	uint8_t head[CLIENT_HEAD_SIZE];
	uint8_t *message;
	size_t len; /* as announced */
	size_t kept; /* at most so many of it are in `message` */
	size_t route; /* bytes of it before the request */
	uint8_t *unsent;
	size_t unsent_len;
	size_t unsent_at;
};

struct clients {
	struct clients_options options;
	int fd;
	struct loop_watch *watch;
	struct loop_timer pause; /* after accepting has failed */
	struct loop_post next; /* somebody's turn may have come */
	struct mono told; /* when it was last said that there are too many */
	size_t count;
	size_t asks;
	size_t unsent; /* bytes of all */
	TAILQ_HEAD(client_ages, client) ages; /* connected ones, idle longest first */
	TAILQ_HEAD(client_users, client_user) users; /* whose turn it is first */
};

/* client.c */

/* Takes the descriptor, also on failure. */
int client_new(struct clients *clients, struct client_user *user, int fd);
void client_hang_up(struct client *client);
void client_free(struct client *client);

/* clients.c */

/* The message is whole. */
void clients_queue(struct client *client);
/* Answers wait to be taken: are those too many? */
void clients_limit_unsent(struct clients *clients);
/* A user without clients and requests is forgotten. */
void clients_maybe_forget(struct clients *clients, struct client_user *user);

#endif
