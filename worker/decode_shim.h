/* What stands between a link header and IP: tags, labels, PPP, LLC. Private to the
 * decoder; the conventions of decode.h hold. */
#ifndef WEIR_WORKER_DECODE_SHIM_H
#define WEIR_WORKER_DECODE_SHIM_H

#include "worker/decode.h"

/* The cursor stands at an Ethernet header. */
enum refusal decode_ethernet(struct cursor c, struct decoded *out);

/* The cursor stands behind an ethertype (or an IEEE 802.3 length). */
enum refusal decode_ethertype(struct cursor c, uint16_t type, struct decoded *out);

/* The same for the protocol field of Linux cooked headers, which has other small
 * numbers. */
enum refusal decode_cooked_protocol(
    struct cursor c, uint16_t protocol, struct decoded *out);

/* IEEE 802.2 with SNAP (RFC 1042) or the IP SAP. */
enum refusal decode_llc(struct cursor c, struct decoded *out);

/* PPP with or without address and control (RFC 1661, 1662), or Cisco HDLC, which has
 * other values there. */
enum refusal decode_ppp(struct cursor c, struct decoded *out);
enum refusal decode_cisco_hdlc(struct cursor c, struct decoded *out);

/* The 6 bytes of a PPPoE session (RFC 2516), then PPP. */
enum refusal decode_pppoe(struct cursor c, struct decoded *out);

#endif
