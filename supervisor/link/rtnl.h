/* rtnetlink(7) as far as links need it: a socket, two requests, and what the kernel's
 * messages say about a link. Nothing here waits.
 *
 * Threads: one at a time. */
#ifndef WEIR_SUPERVISOR_LINK_RTNL_H
#define WEIR_SUPERVISOR_LINK_RTNL_H

#include "supervisor/link/links.h"

struct mnl_socket;

struct rtnl {
	struct mnl_socket *socket; /* NULL: not open */
	char *buf; /* the datagram at hand */
	uint32_t seq; /* of the last request */
};

enum rtnl_kind {
	RTNL_LINK, /* this is what the link is now */
	RTNL_GONE, /* it is not there any more: index and name of `link` */
	RTNL_END, /* of the answer to the last request, with `error` */
};

struct rtnl_message {
	enum rtnl_kind kind;
	bool answer; /* to the last request of this socket, and no event */
	bool interrupted; /* links came or went meanwhile: some may be missing */
	int error; /* 0 or negative errno */
	struct link link;
};

/* Opens a socket for requests, and with `follow` for every change of a link too. 0 or
 * negative errno; then there is nothing to close. */
int rtnl_open(struct rtnl *rtnl, bool follow);
void rtnl_close(struct rtnl *rtnl); /* nothing happens when it is not open */
int rtnl_fd(const struct rtnl *rtnl);

/* Asks for all links (RTNL_LINK each, then RTNL_END) or for one (RTNL_LINK or
 * RTNL_END). 0 or negative errno. */
int rtnl_ask_all(struct rtnl *rtnl);
int rtnl_ask_one(struct rtnl *rtnl, int index);

/* Takes a datagram: its length, 0 when it is to be ignored; -EAGAIN when there is none,
 * -ENOBUFS when some were lost, another negative errno. */
int rtnl_receive(struct rtnl *rtnl);

/* What the datagram of that length says, in order; what is not about links is left out.
 * The message is each()'s until it returns. */
void rtnl_walk(const struct rtnl *rtnl, int len,
    void (*each)(void *arg, const struct rtnl_message *message), void *arg);

#endif
