/* The messages between weir's processes and of its clients: one enum, one table.
 * PROTOCOL.md beside this file documents each on the wire, for people who write a
 * client; the two change together.
 *
 * Every message is one msgpack map with string keys. Every request has "weir" (the
 * protocol version) and "type"; every answer repeats both and has "ok". Unknown keys
 * are ignored, missing or ill-typed ones are an error. */
#ifndef WEIR_PROTO_MSG_H
#define WEIR_PROTO_MSG_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bump me when a message changes its meaning; new keys alone do not need it. */
#define PROTO_VERSION 1

/* Limits, checked before anything is allocated. A message over MSG_SIZE_MAX is refused
 * by nng itself (NNG_OPT_RECVMAXSZ on every listener and dialer). */
#define MSG_SIZE_MAX (UINT32_C(2) * 1024 * 1024)
#define MSG_REQUEST_SIZE_MAX (UINT32_C(256) * 1024) /* from a client to the daemon */
#define MSG_DEPTH_MAX 8
#define MSG_OBJECTS_MAX 65536 /* keys, values, array members; not bytes of a bin */
#define MSG_CHUNK_MAX (UINT32_C(1024) * 1024) /* bytes of one chunk of a flow map */
#define MSG_TEXT_MAX 200 /* bytes of free text from a child, escaped by its reader */

/* Kept as numbers in record files: append only. */
enum msg_type {
	MSG_NONE = 0,
	MSG_PING, /* anybody to anybody: are you there? */
	MSG_STATUS, /* client to supervisor, supervisor to child */
	MSG_ROTATE, /* client to supervisor, supervisor to worker */
	MSG_UPDATE, /* client to supervisor: the set of interfaces; supervisor to worker; also
		       its first message, on a descriptor */
	MSG_DISABLE, /* client to supervisor; supervisor to worker: drain, close the capture,
			keep the flows */
	MSG_FETCH, /* supervisor to worker: a chunk of the frozen generation */
	MSG_RELEASE, /* supervisor to worker: the frozen generation is durable */
	MSG_APPEND, /* supervisor to store: a chunk of a flow map */
	MSG_FLUSH, /* supervisor to store: last words before the end */
	MSG_MAP, /* worker in file mode, framed on a descriptor: a chunk */
	MSG_BOOKS, /* worker in file mode: the books, the last message */
	MSG_ERRORS, /* client to supervisor, supervisor to worker: what was refused */
	MSG_ENABLE, /* client to supervisor: count again */
	MSG_RELOAD, /* client to supervisor: its configuration file again */
	MSG_FLOWS, /* client to supervisor, supervisor to worker: the running flows */
	MSG_CHECK, /* worker started with --check, on a descriptor: whether it could count */
	MSG_TYPE_MAX
};

/* Who answers a request of this type. */
enum msg_role {
	MSG_ROLE_SUPERVISOR = 1 << 0,
	MSG_ROLE_WORKER = 1 << 1,
	MSG_ROLE_STORE = 1 << 2,
};

struct msg_policy {
	const char *name; /* "type" on the wire */
	unsigned roles; /* set of enum msg_role that serve it */
	bool
	    changes_state; /* carries "seq"; the same number again does nothing twice */
};

/* NULL for numbers out of range and for retired types. */
const struct msg_policy *msg_policy(enum msg_type type);
enum msg_type msg_type_from_name(const char *name, size_t len);

/* Why a request failed: "error" on the wire, beside "text" for people. Append only. */
enum msg_error {
	MSG_OK = 0,
	MSG_E_BAD_MESSAGE, /* not msgpack, over a limit, a key missing or ill-typed */
	MSG_E_VERSION, /* another protocol version */
	MSG_E_UNKNOWN_TYPE, /* nobody serves this here */
	MSG_E_UNKNOWN_IFACE, /* no such interface is configured */
	MSG_E_BUSY, /* not now: e.g. the last rotation is not released */
	MSG_E_SEQUENCE, /* the sequence number does not fit */
	MSG_E_FAILED, /* tried and failed; text says why */
	MSG_E_TIMEOUT, /* a child did not answer in time */
	MSG_E_NO_CHILD, /* the child is not running at the moment */
	MSG_ERROR_MAX
};
const char *msg_error_name(enum msg_error error);
enum msg_error msg_error_from_name(const char *name);

/* A received message. `body` is the map; it points into `data` (strings and bins are
 * not copied), so data must live as long as the message. */
struct msg {
	enum msg_type type;
	bool is_answer; /* has "ok" */
	enum msg_error error; /* answers: MSG_OK, or why not */
	const msgpack_object *body;
	msgpack_unpacked unpacked; /* private */
};

/* Walks over the bytes first (depth, counts, lengths, exactly one map and nothing left
 * over), then unpacks. 0; -EPROTO malformed or over a limit; -EPROTONOSUPPORT another
 * version; -ENOMSG unknown type; -ENOMEM. On failure nothing needs to be freed. */
int msg_parse(struct msg *msg, const void *data, size_t len);
void msg_fini(struct msg *msg);

/* The walk alone: 0 when `len` bytes are exactly one msgpack object within the limits,
 * else -EPROTO. Allocates nothing. Used for chunks too, with other limits. */
int msg_check(const void *data, size_t len, unsigned depth_max, size_t objects_max);

/* The same for one object at the front of data: *used tells its bytes. */
int msg_check_one(const void *data, size_t len, unsigned depth_max,
    size_t *objects_left, size_t *used);

#endif
