/* A chunk of a flow map: flow records one after the other, each a msgpack array of
 * FLOW_MAP_FIELDS members (PROTOCOL.md lists them). Opaque to the supervisor. */
#ifndef WEIR_PROTO_FLOW_MAP_H
#define WEIR_PROTO_FLOW_MAP_H

#include "common/flow.h"
#include "proto/pack.h"

#define FLOW_MAP_FIELDS 19

/* Most bytes of one record: so many must be left below MSG_CHUNK_MAX to go on. */
#define FLOW_MAP_RECORD_MAX 192

/* Appends one record to the pack (a plain buffer of records, no map around them). */
void flow_map_pack(struct pack *pack, const struct flow_record *flow);

/* Reads records from a chunk that came from outside (NULL when `len` is 0). Calls `each`
 * for every record; a non-zero answer from it ends the walk and is returned. 0, or -EPROTO
 * for anything malformed: a wrong count of fields, an address whose length does not fit
 * the family, a value out of range, bytes left over. Records before the fault have been
 * seen, so the caller must be able to throw away what it took. */
int flow_map_each(const void *chunk, size_t len,
    int (*each)(void *arg, const struct flow_record *flow), void *arg);

#endif
