/* The asking side of a client: one request, one answer, synchronous. The supervisor
 * has its own, asynchronous one. */
#ifndef WEIR_PROTO_ASK_H
#define WEIR_PROTO_ASK_H

#include "proto/pack.h"

struct answer {
	struct msg msg;
	void *data; /* private: the bytes msg points into */
	size_t len;
};

/* Sends the finished pack to the socket and waits for the answer. 0 when an answer
 * came, whatever it says (look at msg.error). -ENOENT / -ECONNREFUSED: nobody listens
 * there; -EACCES: not allowed to; -ETIMEDOUT; -EPROTO: the answer is malformed; other
 * negative errno. Tells these apart before dialling, since nng retries in silence. */
int ask(const char *socket_path, const struct pack *request, int timeout_ms,
    struct answer *answer);
void answer_fini(struct answer *answer);

#endif
