/* IPv4 with options, IPv6 with its chain of extension headers, and the few bytes of
 * the layer above that make a flow key. The IP length field bounds what is read (so
 * Ethernet padding is never taken for ports); where it is 0, a super-packet of GSO or
 * BIG TCP or a jumbogram, the captured bytes do. */
#include <netinet/in.h>
#include <string.h>

#include "worker/decode.h"
#include "worker/orient.h"

static bool
has_ports(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		return true;
	default:
		return false;
	}
}

/* Lower endpoint first; the sender is remembered. */
static void
set_key(struct decoded *out, uint8_t family, uint8_t proto, const uint8_t *src,
    const uint8_t *dst, uint16_t sport, uint16_t dport)
{
	size_t len = family == FAMILY_IPV4 ? 4 : 16;
	int order = memcmp(src, dst, len);
	int from = order > 0 || (order == 0 && sport > dport) ? ENDPOINT_B : ENDPOINT_A;

	memset(&out->key, 0, sizeof(out->key));
	memcpy(out->key.address[from], src, len);
	memcpy(out->key.address[!from], dst, len);
	out->key.port[from] = sport;
	out->key.port[!from] = dport;
	out->key.proto = proto;
	out->key.family = family;
	out->sender = (uint8_t)from;
}

/* The cursor stands behind the IP headers. `fragment`: not the first one, so what
 * follows is not the header of the upper layer. */
static enum refusal
decode_upper(struct cursor c, uint8_t family, uint8_t proto, bool fragment,
    const uint8_t *src, const uint8_t *dst, struct decoded *out)
{
	uint16_t sport = 0, dport = 0;
	int icmp_type = -1;

	out->tcp_flags = 0;
	if (!fragment && has_ports(proto)) {
		if (cursor_left(&c) < 4)
			return REFUSED_TRUNCATED;
		sport = get_be16(c.at);
		dport = get_be16(c.at + 2);
		if (proto == IPPROTO_TCP && cursor_left(&c) >= 14)
			out->tcp_flags = c.at[13];
	} else if (!fragment && (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)) {
		if (cursor_left(&c) >= 1)
			icmp_type = c.at[0];
	}
	set_key(out, family, proto, src, dst, sport, dport);
	orient_packet(out, icmp_type);
	return REFUSED_NONE;
}

/* RFC 791 */
enum refusal
decode_ipv4(struct cursor c, struct decoded *out)
{
	const uint8_t *ip = c.at;
	size_t header, total;
	bool fragment;

	if (cursor_left(&c) < 1)
		return REFUSED_TRUNCATED;
	if (ip[0] >> 4 != 4)
		return REFUSED_BAD_HEADER;
	if (cursor_left(&c) < 20)
		return REFUSED_TRUNCATED;
	header = (size_t)(ip[0] & 0x0f) * 4;
	total = get_be16(ip + 2);
	if (header < 20 || (total != 0 && total < header))
		return REFUSED_BAD_HEADER;
	if (total != 0 && total < cursor_left(&c))
		c.end = ip + total;
	fragment = (get_be16(ip + 6) & 0x1fff) != 0;
	if (get_be16(ip + 6) & 0x3fff) { /* an offset, or more to come */
		out->fragment = fragment ? FRAGMENT_LATER : FRAGMENT_FIRST;
		out->fragment_proto = ip[9];
		out->fragment_id = get_be16(ip + 4);
	}
	if (cursor_left(&c) < header) {
		/* Options are cut off. Without ports the key is complete all the same. */
		if (!fragment && has_ports(ip[9]))
			return REFUSED_TRUNCATED;
		c.at = c.end;
	} else {
		c.at += header;
	}
	return decode_upper(c, FAMILY_IPV4, ip[9], fragment, ip + 12, ip + 16, out);
}

/* RFC 8200. Hop-by-hop, routing, destination options and fragment headers are walked;
 * each is at least 8 bytes, so the walk ends. AH and ESP are protocols of their own. */
enum refusal
decode_ipv6(struct cursor c, struct decoded *out)
{
	const uint8_t *ip = c.at;
	size_t payload, len;
	uint8_t next;
	bool fragment = false;

	if (cursor_left(&c) < 1)
		return REFUSED_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return REFUSED_BAD_HEADER;
	if (cursor_left(&c) < 40)
		return REFUSED_TRUNCATED;
	payload = get_be16(ip + 4);
	next = ip[6];
	c.at += 40;
	if (payload != 0 && payload < cursor_left(&c))
		c.end = c.at + payload;
	while (!fragment) {
		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (cursor_left(&c) < 2)
				return REFUSED_TRUNCATED;
			len = (size_t)(c.at[1] + 1) * 8;
			break;
		case IPPROTO_FRAGMENT:
			if (cursor_left(&c) < 8)
				return REFUSED_TRUNCATED;
			fragment = (get_be16(c.at + 2) & 0xfff8) != 0;
			/* One that is whole is no fragment (RFC 6946). */
			if (get_be16(c.at + 2) & 0xfff9) {
				out->fragment =
				    fragment ? FRAGMENT_LATER : FRAGMENT_FIRST;
				out->fragment_proto = c.at[0];
				out->fragment_id = get_be32(c.at + 4);
			}
			len = 8;
			break;
		default:
			return decode_upper(
			    c, FAMILY_IPV6, next, false, ip + 8, ip + 24, out);
		}
		next = c.at[0];
		if (cursor_left(&c) < len)
			c.at =
			    c.end; /* cut off; the next header is known, its place is not */
		else
			c.at += len;
	}
	return decode_upper(c, FAMILY_IPV6, next, true, ip + 8, ip + 24, out);
}

void
decode_complete_fragment(
    struct decoded *packet, uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct flow_key key = packet->key;
	uint8_t from = packet->sender;

	set_key(packet, key.family, proto, key.address[from], key.address[!from], sport,
	    dport);
	orient_packet(packet, -1);
}

enum refusal
decode_ip_any(struct cursor c, struct decoded *out)
{
	if (cursor_left(&c) < 1)
		return REFUSED_TRUNCATED;
	switch (c.at[0] >> 4) {
	case 4:
		return decode_ipv4(c, out);
	case 6:
		return decode_ipv6(c, out);
	default:
		return REFUSED_BAD_HEADER;
	}
}
