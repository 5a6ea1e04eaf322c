/* The same question to several workers at once: the answers are together when each has
 * answered or missed its deadline. Main thread only. */
#ifndef WEIR_SUPERVISOR_GATHER_H
#define WEIR_SUPERVISOR_GATHER_H

#include "common/iface.h"
#include "supervisor/child/ask.h"
#include "supervisor/control/control.h"

struct gather;
struct child;
struct worker;

struct gather_part {
	struct gather *gather; /* private */
	struct iface_name iface; /* "" for the store */
	int rc; /* 0, or why there is no reply */
	bool left_out; /* private */
	struct reply *reply; /* freed with the gather */
};

struct gather {
	struct request *request;
	void (*finish)(struct gather *gather);
	size_t pending; /* private */
	struct gather_part store;
	size_t count;
	struct gather_part parts[];
};

/* Asks the workers of the interfaces that the request names (all when it names none),
 * and the store when and_store. `question` is not finished yet (NULL: the request's type
 * and nothing else) and stays the caller's. finish() makes the answer with pack_answer()
 * ... but not request_answer(), which follows by itself. What cannot be begun is answered
 * here. */
void gather_start(struct request *request, struct pack *question, int64_t allowance_ms,
    bool and_store, void (*finish)(struct gather *gather));

/* Writes "ifaces", of each interface that is still configured the map that pack_one() fills,
 * as far as a message has room, and "left_out", the names of the rest, when there is one:
 * clients ask again for these (PROTOCOL.md). What else the answer has must be small. */
void gather_pack_ifaces(struct gather *gather, struct pack *pack,
    void (*pack_one)(struct pack *pack, const struct gather_part *part,
	const struct worker *worker));

/* Why there is no reply that went well. */
const char *gather_why_not(const struct gather_part *part, const struct child *child);

/* The reply's map under the key, relayed, or nil and, under error_key, why not. A reply that
 * is larger than a child has any reason to make is none, so that a part is always small. */
#define GATHER_REPLY_MAX (64 * 1024)
void gather_pack(struct pack *pack, const char *key, const char *error_key,
    const struct gather_part *part, const struct child *child);

#endif
