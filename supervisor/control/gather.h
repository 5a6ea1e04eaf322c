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

/* Why there is no reply that went well. */
const char *gather_why_not(const struct gather_part *part, const struct child *child);

/* The reply's map under the key, relayed, or nil and, under error_key, why not. */
void gather_pack(struct pack *pack, const char *key, const char *error_key,
    const struct gather_part *part, const struct child *child);

#endif
