/* From the bytes of a frame to the flow it belongs to: link layer (decode_link.c), what
 * stands between (decode_shim.c), IP (decode_ip.c), who started it (orient.c). Reads only captured bytes, checks every
 * length from the wire, has no state, allocates nothing, and ends in time linear in
 * the captured length. The outermost IP header makes the flow.
 *
 * A packet is refused as truncated only when its flow key cannot be read: addresses,
 * protocol and, for a protocol with ports, the ports. TCP flags that are cut off, an
 * ICMP type that is cut off, leave the packet in its flow without that evidence. */
#ifndef WEIR_WORKER_DECODE_H
#define WEIR_WORKER_DECODE_H

#include <stdbool.h>

#include "worker/flow_key.h"
#include "worker/packet.h"

/* REFUSED_NONE and *out, or the class of refusal (out undefined). */
enum refusal decode_packet(const struct packet *packet, struct decoded *out);

/* Whether frames of this DLT_ value are decoded at all. */
bool decode_knows_link_type(int link_type);

/* A read position that cannot run over the end. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static inline size_t
cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* Steps over len bytes: false when there are fewer. */
static inline bool
cursor_skip(struct cursor *c, size_t len)
{
	if (cursor_left(c) < len)
		return false;
	c->at += len;
	return true;
}

static inline uint16_t
get_le16(const uint8_t *at)
{
	return (uint16_t)(at[1] << 8 | at[0]);
}

static inline uint16_t
get_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t
get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	    at[3];
}

/* A later fragment whose first one was found: the same packet with the protocol and the
 * ports of that one, from its sender's side. */
void decode_complete_fragment(
    struct decoded *packet, uint8_t proto, uint16_t sport, uint16_t dport);

/* decode_ip.c: the cursor stands at an IP header. */
enum refusal decode_ipv4(struct cursor c, struct decoded *out);
enum refusal decode_ipv6(struct cursor c, struct decoded *out);
enum refusal decode_ip_any(struct cursor c, struct decoded *out); /* by its version */

#endif
