/* Which flows of the running interval are asked for: the same part of `flows` from a client
 * to the daemon and from there to a worker (PROTOCOL.md). The daemon reads it and writes it
 * anew, so that only what was checked goes on. */
#ifndef WEIR_PROTO_FLOWS_QUERY_H
#define WEIR_PROTO_FLOWS_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/flow.h"
#include "proto/pack.h"

#define FLOWS_LIMIT_MAX 1000
#define FLOWS_LIMIT_DEFAULT 50

enum flows_sort {
	FLOWS_BY_BYTES = 0, /* the largest first, of all four counters together */
	FLOWS_BY_PACKETS,
	FLOWS_BY_LAST, /* the one with the latest packet first */
};

/* The filter is what must hold of a flow, all of it; all zero takes everything. */
struct flows_query {
	enum flows_sort sort;
	uint32_t limit; /* 1 to FLOWS_LIMIT_MAX, of each interface */
	uint8_t family; /* FAMILY_NONE: any address; else one end lies in the prefix */
	uint8_t prefix; /* bits; at most 32 or 128 */
	uint8_t address[16]; /* network order; bits after the prefix mean nothing */
	bool port_given;
	uint16_t port; /* of one end, host order */
	bool proto_given;
	uint8_t proto;
};

/* "bytes", "packets", "last": 0, or -EINVAL with *out untouched. */
int flows_sort_from_name(const char *name, enum flows_sort *out);

/* What flows are sorted by: the one with the greater key comes first. */
uint64_t flows_sort_key(enum flows_sort sort, const struct flow_record *flow);

/* Writes its keys into the open map. */
void pack_flows_query(struct pack *pack, const struct flows_query *query);

/* Reads and checks them; what is missing gets its default. NULL, or a sentence about the key
 * that is wrong, with the output undefined. */
const char *view_flows_query(const msgpack_object *map, struct flows_query *out);

#endif
