/* Passing on what a child has said about itself to a client. The child may have been
 * taken over, so only values of known shape pass: numbers, booleans, nil, maps to a fixed
 * depth and number, text that is cut and escaped. */
#ifndef WEIR_SUPERVISOR_RELAY_H
#define WEIR_SUPERVISOR_RELAY_H

#include "proto/pack.h"

#define RELAY_DEPTH_MAX 5 /* of a child's map, in an answer of MSG_DEPTH_MAX */
#define RELAY_MEMBERS_MAX 256

/* Writes the members of the map `body` as a map, without those of every message (weir,
 * type, ok) and without what is beyond the limits. A key must have been written. */
void relay_map(struct pack *pack, const msgpack_object *body);

#endif
