#include "worker/decode_shim.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100 /* IEEE 802.1Q */
#define ETHERTYPE_QINQ 0x88a8 /* IEEE 802.1ad */
#define ETHERTYPE_QINQ_9100 0x9100 /* the same before it had a number */
#define ETHERTYPE_QINQ_9200 0x9200
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_UPSTREAM 0x8848
#define ETHERTYPE_PPPOE 0x8864
#define ETHERTYPE_ETAG 0x893f /* IEEE 802.1BR */
#define ETHERTYPE_PBB 0x88e7 /* IEEE 802.1ah */
#define ETHERTYPE_NSH 0x894f /* RFC 8300 */
#define ETHERTYPE_FABRICPATH 0x8903 /* Cisco: 2 bytes of tag, then a whole frame */
#define ETHERNET_LENGTH_MAX 1500 /* above it is a type */

#define NESTED_FRAMES_MAX 64

#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057
#define PPP_MPLS 0x0281
#define PPP_MPLS_UPSTREAM 0x0283

static enum refusal decode_ethernet_at(
    struct cursor c, struct decoded *out, unsigned depth);

static enum refusal decode_ethertype_at(
    struct cursor c, uint16_t type, struct decoded *out, unsigned depth);

static enum refusal decode_llc_at(struct cursor c, struct decoded *out, unsigned depth);

/* Whether an Ethernet frame with IP inside begins here. */
static bool
is_ethernet_with_ip(struct cursor c)
{
	if (cursor_left(&c) < 15)
		return false;
	switch (get_be16(c.at + 12)) {
	case ETHERTYPE_IPV4:
		return c.at[14] >> 4 == 4;
	case ETHERTYPE_IPV6:
		return c.at[14] >> 4 == 6;
	default:
		return false;
	}
}

/* The same for a frame with more before its IP. Two bytes say so, which may as well be
 * part of an IP address: to be asked only where IP cannot stand. */
static bool
may_be_ethernet(struct cursor c)
{
	if (cursor_left(&c) < 14)
		return false;
	switch (get_be16(c.at + 12)) {
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
	case ETHERTYPE_MPLS:
	case ETHERTYPE_PPPOE:
		return true;
	default:
		return is_ethernet_with_ip(c);
	}
}

/* Whether a whole IPv4 header with the right checksum (RFC 1071) is here. */
static bool
is_ipv4_for_sure(struct cursor c)
{
	size_t header = cursor_left(&c) < 20 ? 0 : (size_t)(c.at[0] & 0x0f) * 4;
	uint32_t sum = 0;

	if (header < 20 || c.at[0] >> 4 != 4 || cursor_left(&c) < header)
		return false;
	for (size_t i = 0; i < header; i += 2)
		sum += get_be16(c.at + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* RFC 3032. Nothing in the label stack names what is behind it. As RFC 4928 has it, that
 * is IP when it begins with nibble 4 or 6, and a control word (RFC 4385) before a
 * pseudo-wire when it begins with nibble 0. Pseudo-wires without one exist: they are
 * believed where an Ethernet header is followed by the very IP that it announces, and
 * where neither IP nor a control word can stand. */
static enum refusal
decode_mpls(struct cursor c, struct decoded *out, unsigned depth)
{
	struct cursor behind_word;
	bool bottom = false;
	unsigned nibble;

	while (!bottom) {
		if (!cursor_skip(&c, 4))
			return REFUSED_TRUNCATED;
		bottom = c.at[-2] & 0x01;
	}
	if (cursor_left(&c) < 1)
		return REFUSED_TRUNCATED;
	nibble = c.at[0] >> 4;
	behind_word = c;
	if (nibble == 4 && is_ipv4_for_sure(c))
		return decode_ipv4(c, out);
	if (nibble == 0 && cursor_skip(&behind_word, 4) && may_be_ethernet(behind_word))
		return decode_ethernet_at(behind_word, out, depth + 1);
	if (is_ethernet_with_ip(c) ||
	    (nibble != 4 && nibble != 6 && may_be_ethernet(c)))
		return decode_ethernet_at(c, out, depth + 1);
	if (nibble == 4)
		return decode_ipv4(c, out);
	if (nibble == 6)
		return decode_ipv6(c, out);
	return REFUSED_NOT_IP;
}

/* RFC 8300: length in words of 4 bytes in the low 6 bits of byte 1, the next protocol
 * in byte 3. */
static enum refusal
decode_nsh(struct cursor c, struct decoded *out, unsigned depth)
{
	const uint8_t *header = c.at;

	if (cursor_left(&c) < 8)
		return REFUSED_TRUNCATED;
	if ((header[1] & 0x3f) < 2)
		return REFUSED_BAD_HEADER;
	if (!cursor_skip(&c, (size_t)(header[1] & 0x3f) * 4))
		return REFUSED_TRUNCATED;
	switch (header[3]) {
	case 1:
		return decode_ipv4(c, out);
	case 2:
		return decode_ipv6(c, out);
	case 3:
		return decode_ethernet_at(c, out, depth + 1);
	case 5:
		return decode_mpls(c, out, depth);
	default:
		return REFUSED_NOT_IP;
	}
}

static enum refusal
decode_ppp_protocol(struct cursor c, struct decoded *out, unsigned depth)
{
	uint16_t protocol;

	/* A protocol number is odd in its last byte and even before that, so a compressed
	 * one (RFC 1661, 6.5) is known by its first byte. */
	if (cursor_left(&c) < 1)
		return REFUSED_TRUNCATED;
	if (c.at[0] & 1) {
		protocol = c.at[0];
		c.at++;
	} else {
		if (!cursor_skip(&c, 2))
			return REFUSED_TRUNCATED;
		protocol = get_be16(c.at - 2);
	}
	switch (protocol) {
	case PPP_IPV4:
		return decode_ipv4(c, out);
	case PPP_IPV6:
		return decode_ipv6(c, out);
	case PPP_MPLS:
	case PPP_MPLS_UPSTREAM:
		return decode_mpls(c, out, depth);
	default:
		return REFUSED_NOT_IP;
	}
}

static enum refusal
decode_pppoe_at(struct cursor c, struct decoded *out, unsigned depth)
{
	if (!cursor_skip(&c, 6))
		return REFUSED_TRUNCATED;
	return decode_ppp_protocol(c, out, depth);
}

/* Tags may be stacked in any order and number; each takes at least 4 bytes, and a frame
 * inside a frame (pseudo-wire, provider backbone) at least 12, so this ends. `depth`
 * bounds the recursion, not the work. */
static enum refusal
decode_ethertype_at(struct cursor c, uint16_t type, struct decoded *out, unsigned depth)
{
	if (depth > NESTED_FRAMES_MAX)
		return REFUSED_NOT_IP;
	for (;;) {
		switch (type) {
		case ETHERTYPE_IPV4:
			return decode_ipv4(c, out);
		case ETHERTYPE_IPV6:
			return decode_ipv6(c, out);
		case ETHERTYPE_VLAN:
		case ETHERTYPE_QINQ:
		case ETHERTYPE_QINQ_9100:
		case ETHERTYPE_QINQ_9200:
			if (!cursor_skip(&c, 4))
				return REFUSED_TRUNCATED;
			type = get_be16(c.at - 2);
			break;
		case ETHERTYPE_ETAG:
			if (!cursor_skip(&c, 8))
				return REFUSED_TRUNCATED;
			type = get_be16(c.at - 2);
			break;
		case ETHERTYPE_PBB:
			if (!cursor_skip(&c, 4))
				return REFUSED_TRUNCATED;
			return decode_ethernet_at(c, out, depth + 1);
		case ETHERTYPE_FABRICPATH:
			if (!cursor_skip(&c, 2))
				return REFUSED_TRUNCATED;
			return decode_ethernet_at(c, out, depth + 1);
		case ETHERTYPE_MPLS:
		case ETHERTYPE_MPLS_UPSTREAM:
			return decode_mpls(c, out, depth);
		case ETHERTYPE_NSH:
			return decode_nsh(c, out, depth);
		case ETHERTYPE_PPPOE:
			return decode_pppoe_at(c, out, depth);
		default:
			if (type <= ETHERNET_LENGTH_MAX)
				return decode_llc_at(c, out, depth + 1);
			return REFUSED_NOT_IP;
		}
	}
}

static enum refusal
decode_ethernet_at(struct cursor c, struct decoded *out, unsigned depth)
{
	if (!cursor_skip(&c, 14))
		return REFUSED_TRUNCATED;
	return decode_ethertype_at(c, get_be16(c.at - 2), out, depth);
}

enum refusal
decode_ethernet(struct cursor c, struct decoded *out)
{
	return decode_ethernet_at(c, out, 0);
}

enum refusal
decode_ethertype(struct cursor c, uint16_t type, struct decoded *out)
{
	return decode_ethertype_at(c, type, out, 0);
}

enum refusal
decode_cooked_protocol(struct cursor c, uint16_t protocol, struct decoded *out)
{
	/* linux/if_ether.h: below the length limit these are the kernel's own numbers. */
	if (protocol == 0x0004) /* ETH_P_802_2 */
		return decode_llc(c, out);
	if (protocol <= ETHERNET_LENGTH_MAX)
		return REFUSED_NOT_IP;
	return decode_ethertype(c, protocol, out);
}

static enum refusal
decode_llc_at(struct cursor c, struct decoded *out, unsigned depth)
{
	const uint8_t *header = c.at;

	if (!cursor_skip(&c, 3))
		return REFUSED_TRUNCATED;
	if (header[0] == 0x06 && header[1] == 0x06 && header[2] == 0x03)
		return decode_ipv4(c, out);
	if (header[0] != 0xaa || header[1] != 0xaa || header[2] != 0x03)
		return REFUSED_NOT_IP;
	if (!cursor_skip(&c, 5))
		return REFUSED_TRUNCATED;
	/* Organisation 0 (RFC 1042), and 00-00-f8 for bridges (IEEE 802.1H). */
	if (header[3] != 0 || header[4] != 0 || (header[5] != 0 && header[5] != 0xf8))
		return REFUSED_NOT_IP;
	if (get_be16(header + 6) <= ETHERNET_LENGTH_MAX)
		return REFUSED_NOT_IP;
	return decode_ethertype_at(c, get_be16(header + 6), out, depth);
}

enum refusal
decode_llc(struct cursor c, struct decoded *out)
{
	return decode_llc_at(c, out, 0);
}

enum refusal
decode_cisco_hdlc(struct cursor c, struct decoded *out)
{
	if (!cursor_skip(&c, 4))
		return REFUSED_TRUNCATED;
	return decode_ethertype(c, get_be16(c.at - 2), out);
}

enum refusal
decode_ppp(struct cursor c, struct decoded *out)
{
	if (cursor_left(&c) < 2)
		return REFUSED_TRUNCATED;
	if ((c.at[0] == 0x0f || c.at[0] == 0x8f) && c.at[1] == 0x00)
		return decode_cisco_hdlc(c, out); /* RFC 1547, 4.3.1 */
	if (c.at[0] == 0xff && c.at[1] == 0x03)
		c.at += 2;
	return decode_ppp_protocol(c, out, 0);
}

enum refusal
decode_pppoe(struct cursor c, struct decoded *out)
{
	return decode_pppoe_at(c, out, 0);
}
