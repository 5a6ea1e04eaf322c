/* The flow key and what decoding learns of one packet. A conversation is stored once:
 * endpoint a is the lower one (address, then port, as bytes), whoever speaks. */
#ifndef WEIR_WORKER_FLOW_KEY_H
#define WEIR_WORKER_FLOW_KEY_H

#include <stdint.h>
#include <string.h>

#include "common/books.h"
#include "common/flow.h"

enum endpoint {
	ENDPOINT_A = 0,
	ENDPOINT_B = 1
};

/* Compared and hashed as 40 bytes: no padding, unused bytes are 0. */
struct flow_key {
	uint8_t address[2][16]; /* [enum endpoint]; IPv4 in the first 4 bytes */
	uint16_t port[2]; /* host order; 0 where the protocol has none */
	uint8_t proto;
	uint8_t family; /* enum flow_family */
	uint8_t zero[2];
};
_Static_assert(sizeof(struct flow_key) == 40, "the key has no padding");

/* FIRST carries the ports for the LATER ones (fragments.h). */
enum fragment {
	FRAGMENT_NONE = 0,
	FRAGMENT_FIRST,
	FRAGMENT_LATER
};

struct decoded {
	struct flow_key key;
	uint8_t sender; /* enum endpoint: which end the packet comes from */
	uint8_t observed; /* enum observed */
	uint8_t tcp_flags; /* 0 when not TCP or not captured */
	uint8_t orientation; /* the packet's own evidence; ORIENT_NONE without any */
	uint8_t initiator; /* enum endpoint it points to; only with evidence */
	uint8_t fragment; /* enum fragment */
	uint8_t fragment_proto; /* of the fragment header; what the id belongs to */
	uint32_t fragment_id;
};

static inline int
flow_key_equal(const struct flow_key *x, const struct flow_key *y)
{
	return memcmp(x, y, sizeof(*x)) == 0;
}

#endif
