/* A worker that means harm, for tests: what hostile_worker.c (the wire, and what an honest
 * worker would answer), hostile_tricks.c and hostile_answers.c (what it does instead) share. */
#ifndef WEIR_SUPERVISOR_HOSTILE_H
#define WEIR_SUPERVISOR_HOSTILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/clock.h"
#include "proto/parts.h"

#define HOSTILE_PACKETS 7 /* in each of its intervals, in one flow */
#define HOSTILE_BYTES 700

/* It plays along for so long, so that its next one is started at once. */
#define HOSTILE_HEALTHY_MS 1100

struct hostile;

struct trick {
	const char *name;
	/* Instead of the answer to a request of this type; MSG_NONE: of any type. */
	enum msg_type at;
	/* Answers itself, or changes the honest answer in hostile->answer and returns
	 * true to have that sent. */
	bool (*play)(struct hostile *hostile);
	bool at_once; /* does not wait for HOSTILE_HEALTHY_MS */
};

struct hostile {
	int fd; /* speaks SP (nng's REP over ipc) to the supervisor */
	const struct trick *trick;
	const char *path; /* of its socket */
	struct mono started;
	char iface[32];
	uint64_t file_id;
	uint64_t seq;
	uint64_t frozen; /* rotation that is not released; 0: none */
	bool disabled;
	struct interval interval;
	/* the request at hand */
	uint8_t id[4];
	const struct msg *request;
	struct pack answer;
};

#define MEGABYTE (1024U * 1024)

/* Both end with a trick without a name. */
extern const struct trick wire_tricks[];
extern const struct trick answer_tricks[];

/* Connects to the socket, and exchanges greetings. */
void hostile_dial(struct hostile *hostile, const char *path);

/* One frame to the supervisor: what every answer begins with, and the answer. */
void hostile_send(
    struct hostile *hostile, const uint8_t id[4], const void *data, size_t len);
/* Bytes as they are. */
void hostile_put(struct hostile *hostile, const void *data, size_t len);
/* What goes in front of a message of so many bytes. */
void hostile_put_head(struct hostile *hostile, uint64_t announced);

/* The answer to the request at hand once more, empty, as one to a request of this type. */
struct pack *hostile_begin_again(struct hostile *hostile, enum msg_type type);

/* One flow record that adds up to the books. */
void hostile_pack_chunk(struct pack *out, uint64_t packets);

#endif
