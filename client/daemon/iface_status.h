/* What the daemon's answer to "status" says of one interface, as far as tables need it;
 * the rest is looked up in `map` (see client/status_detail.h). */
#ifndef WEIR_CLIENT_DAEMON_IFACE_STATUS_H
#define WEIR_CLIENT_DAEMON_IFACE_STATUS_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/iface.h"
#include "common/interval.h"

#define IFACE_STATUS_TEXT_SIZE 256

/* What the kernel says of the interface. */
enum presence {
	PRESENCE_UNKNOWN = 0, /* the answer does not tell */
	PRESENCE_UP,
	PRESENCE_DOWN, /* there, but set down */
	PRESENCE_GONE, /* it was there while the daemon ran */
	PRESENCE_WAITING, /* not there yet */
};

/* A number that may not be known, which is not 0. */
struct maybe_u64 {
	bool known;
	uint64_t value;
};

struct link_status {
	enum presence presence;
	uint64_t index; /* 0: not there */
	char kind[64]; /* "" for hardware and the loopback */
	uint64_t mtu;
	struct maybe_u64 promiscuity; /* how many have asked for promiscuous mode */
	bool offload_known;
	char offload[128]; /* words; "" for none in force */
	char renamed[IFACE_NAME_SIZE * 4]; /* escaped; its new name, or "" */
};

/* Texts are escaped. Parts that the answer does not have are empty. */
struct iface_status {
	char name[IFACE_SHOWN_SIZE];
	char wanted[16];
	char
	    entry[IFACE_STATUS_TEXT_SIZE]; /* of the configuration: a name, a pattern */
	char state[16]; /* the capture's own word */
	char reason_name[32]; /* why it is in error: a name of PROTOCOL.md */
	char reason
	    [IFACE_STATUS_TEXT_SIZE]; /* the same with pcap's own words behind it */
	bool leaving; /* no longer configured, its flows are handed over */
	struct link_status link;
	struct link_counts link_counts; /* of the running interval */
	uint64_t pid; /* 0: no worker runs */
	uint64_t uptime_ms;
	uint64_t restarts;
	uint64_t rotations;
	char last_exit[64];
	int64_t last_exit_ms;
	bool waiting; /* frozen flows are not in the store yet */
	int64_t waiting_since_ms;
	char waiting_why[IFACE_STATUS_TEXT_SIZE];
	bool answered; /* the worker did; what follows is its */
	char worker_error[IFACE_STATUS_TEXT_SIZE];
	struct interval interval;
	uint64_t flows;
	uint64_t flow_limit;
	struct counter total;

	const msgpack_object *map; /* everything; lives as long as the answer */
};

/* Reads every interface of an answer. *out is malloc'ed. 0, -ENOMEM, or -EPROTO when the
 * answer does not have the form that PROTOCOL.md gives it. */
int iface_status_read(
    const msgpack_object *body, struct iface_status **out, size_t *count);

/* The one word that an operator needs: "active", "disabled", "down", "gone", "waiting",
 * "starting" or "error"; the capture's own word for what is none of these. */
const char *iface_status_word(const struct iface_status *status);

/* Whether the word says all that the reason does: there is nothing to add. */
bool iface_status_word_is_reason(const struct iface_status *status);

/* Whether a worker is missing from the answer that should be in it: one that counts, or
 * that should, and did not answer. */
bool iface_status_incomplete(const struct iface_status *status);

/* Packets that the interface lost before anybody could count them. */
struct maybe_u64 iface_status_link_drops(const struct iface_status *status);

/* An integer of a map that may be nil or missing. 0, or as in proto/view.h. */
int maybe_u64_read(const msgpack_object *map, const char *key, struct maybe_u64 *out);

#endif
