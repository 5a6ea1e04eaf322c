/* The first fragment of a datagram has the ports, the later ones do not: this remembers
 * them, so that all fragments count in one flow. One rule for both families. Bounded:
 * FRAGMENTS_MAX datagrams, the oldest of a set gives way; aged: an entry is believed for
 * FRAGMENTS_AGE_NS of packet time (RFC 791 and 8200 give reassembly 60 s at most). What
 * is not found counts in the flow without ports; nothing is thrown away. */
#ifndef WEIR_WORKER_FRAGMENTS_H
#define WEIR_WORKER_FRAGMENTS_H

#include "common/clock.h"
#include "worker/flow_key.h"

#define FRAGMENTS_MAX 4096
#define FRAGMENTS_AGE_NS (60 * NS_PER_S)

struct fragments;

/* NULL when there is no memory. The seed keeps senders from choosing sets. */
struct fragments *fragments_new(uint64_t seed);
void fragments_free(struct fragments *fragments);

/* Remembers a first fragment, completes a later one (decode_complete_fragment). Call for
 * packets with fragment != FRAGMENT_NONE. */
void fragments_packet(
    struct fragments *fragments, struct decoded *packet, int64_t ts_ns);

#endif
