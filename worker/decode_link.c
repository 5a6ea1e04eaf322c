/* From the first byte of the frame to the IP header. One function per link type, in a
 * table; each finds an IP header, or says that there is none. */
#include <pcap/dlt.h>
#include <stddef.h>

#include "worker/decode.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100 /* IEEE 802.1Q */
#define ETHERTYPE_QINQ 0x88a8 /* IEEE 802.1ad */
#define ETHERTYPE_QINQ_OLD 0x9100 /* the same before it had a number */

/* The cursor stands behind an ethertype. Tags may be stacked in any order and number;
 * each takes 4 bytes, so this ends. */
static enum refusal
decode_ethertype(struct cursor c, uint16_t type, struct decoded *out)
{
	for (;;) {
		switch (type) {
		case ETHERTYPE_IPV4:
			return decode_ipv4(c, out);
		case ETHERTYPE_IPV6:
			return decode_ipv6(c, out);
		case ETHERTYPE_VLAN:
		case ETHERTYPE_QINQ:
		case ETHERTYPE_QINQ_OLD:
			if (cursor_left(&c) < 4)
				return REFUSED_TRUNCATED;
			type = get_be16(c.at + 2);
			c.at += 4;
			break;
		default:
			return REFUSED_NOT_IP;
		}
	}
}

static enum refusal
decode_ethernet(struct cursor c, struct decoded *out)
{
	uint16_t type;

	if (cursor_left(&c) < 14)
		return REFUSED_TRUNCATED;
	type = get_be16(c.at + 12);
	c.at += 14;
	return decode_ethertype(c, type, out);
}

/* Linux cooked capture v1: packet type at 0, protocol at 14 of 16 bytes. Packet type 4
 * is PACKET_OUTGOING: the header itself tells the direction. */
static enum refusal
decode_cooked(struct cursor c, struct decoded *out)
{
	uint16_t type;

	if (cursor_left(&c) < 16)
		return REFUSED_TRUNCATED;
	out->observed = get_be16(c.at) == 4 ? SENT : RECEIVED;
	type = get_be16(c.at + 14);
	c.at += 16;
	return decode_ethertype(c, type, out);
}

/* Linux cooked capture v2: protocol at 0, packet type at 10 of 20 bytes. */
static enum refusal
decode_cooked2(struct cursor c, struct decoded *out)
{
	uint16_t type;

	if (cursor_left(&c) < 20)
		return REFUSED_TRUNCATED;
	out->observed = c.at[10] == 4 ? SENT : RECEIVED;
	type = get_be16(c.at);
	c.at += 20;
	return decode_ethertype(c, type, out);
}

typedef enum refusal link_decoder(struct cursor c, struct decoded *out);

static const struct {
	int link_type;
	link_decoder *decode;
} link_types[] = {
    {DLT_EN10MB, decode_ethernet},
    {DLT_LINUX_SLL, decode_cooked},
    {DLT_LINUX_SLL2, decode_cooked2},
    {DLT_RAW, decode_ip_any},
    {DLT_IPV4, decode_ipv4},
    {DLT_IPV6, decode_ipv6},
};

static link_decoder *
find_decoder(int link_type)
{
	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++) {
		if (link_types[i].link_type == link_type)
			return link_types[i].decode;
	}
	return NULL;
}

bool
decode_knows_link_type(int link_type)
{
	return find_decoder(link_type) != NULL;
}

enum refusal
decode_packet(const struct packet *packet, struct decoded *out)
{
	struct cursor c = {packet->data, packet->data + packet->caplen};
	link_decoder *decode;

	out->observed = (uint8_t)packet->observed;
	if (packet->link_type == DLT_EN10MB)
		return decode_ethernet(c, out);
	decode = find_decoder(packet->link_type);
	return decode ? decode(c, out) : REFUSED_LINK_TYPE;
}
