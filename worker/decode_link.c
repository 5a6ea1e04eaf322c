/* From the first byte of the frame to the IP header. One function per link type, in a
 * table; each finds an IP header, or says that there is none. What can stand between
 * (tags, labels, PPP, LLC) is in decode_shim.c. */
#include <pcap/dlt.h>
#include <stddef.h>

#include "worker/decode.h"
#include "worker/decode_shim.h"

#define DLT_RAW_OPENBSD 14 /* LINKTYPE of old files; DLT_RAW there */

/* 13 bytes (RFC 1390): frame control, two addresses; then LLC. */
static enum refusal
decode_fddi(struct cursor c, struct decoded *out)
{
	if (!cursor_skip(&c, 13))
		return REFUSED_TRUNCATED;
	return decode_llc(c, out);
}

/* RFC 2625: 16 bytes of network header, then LLC. */
static enum refusal
decode_fibre_channel(struct cursor c, struct decoded *out)
{
	if (!cursor_skip(&c, 16))
		return REFUSED_TRUNCATED;
	return decode_llc(c, out);
}

/* Two EUI-64 addresses and a type. */
static enum refusal
decode_firewire(struct cursor c, struct decoded *out)
{
	if (!cursor_skip(&c, 18))
		return REFUSED_TRUNCATED;
	return decode_ethertype(c, get_be16(c.at - 2), out);
}

/* Linux cooked capture v1: packet type at 0, protocol at 14 of 16 bytes. Packet type 4
 * is PACKET_OUTGOING: the header itself tells the direction. */
static enum refusal
decode_cooked(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (!cursor_skip(&c, 16))
		return REFUSED_TRUNCATED;
	out->observed = get_be16(header) == 4 ? SENT : RECEIVED;
	return decode_cooked_protocol(c, get_be16(header + 14), out);
}

/* Linux cooked capture v2: protocol at 0, packet type at 10 of 20 bytes. */
static enum refusal
decode_cooked2(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (!cursor_skip(&c, 20))
		return REFUSED_TRUNCATED;
	out->observed = header[10] == 4 ? SENT : RECEIVED;
	return decode_cooked_protocol(c, get_be16(header), out);
}

static enum refusal
decode_address_family(struct cursor c, uint32_t family, struct decoded *out)
{
	switch (family) {
	case 2: /* AF_INET everywhere */
		return decode_ipv4(c, out);
	case 10: /* AF_INET6 of Linux, */
	case 24: /* NetBSD and OpenBSD, */
	case 28: /* FreeBSD, */
	case 30: /* macOS */
		return decode_ipv6(c, out);
	default:
		return REFUSED_NOT_IP;
	}
}

/* A header of `len` bytes that begins with the family, in the byte order of the machine
 * that captured or big endian. Families are below 256, so the order can be seen. */
static enum refusal
decode_family_header(struct cursor c, size_t len, struct decoded *out)
{
	const uint8_t *header = c.at;
	uint32_t family;

	if (!cursor_skip(&c, len))
		return REFUSED_TRUNCATED;
	family = get_be32(header);
	if (family & 0xff000000)
		family = __builtin_bswap32(family);
	return decode_address_family(c, family, out);
}

/* DLT_NULL and DLT_LOOP: the family alone. */
static enum refusal
decode_null(struct cursor c, struct decoded *out)
{
	return decode_family_header(c, 4, out);
}

/* OpenBSD encapsulating interface: family, SPI, flags of 4 bytes each. */
static enum refusal
decode_enc(struct cursor c, struct decoded *out)
{
	return decode_family_header(c, 12, out);
}

/* pf log: its own length in the first byte (padded to 4), the family in the second. */
static enum refusal
decode_pflog(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (cursor_left(&c) < 2)
		return REFUSED_TRUNCATED;
	if (header[0] < 48)
		return REFUSED_BAD_HEADER;
	if (!cursor_skip(&c, ((size_t)header[0] + 3) / 4 * 4))
		return REFUSED_TRUNCATED;
	return decode_address_family(c, header[1], out);
}

/* Netfilter log: family, version, resource id, then attributes of host-order length and
 * type, padded to 4; attribute 9 is the packet. */
static enum refusal
decode_nflog(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (!cursor_skip(&c, 4))
		return REFUSED_TRUNCATED;
	if (header[1] != 0)
		return REFUSED_BAD_HEADER;
	while (cursor_left(&c) >= 4) {
		size_t len = get_le16(c.at);
		unsigned type = get_le16(c.at + 2) & 0x7fff;
		struct cursor value = c;
		if (len < 4)
			return REFUSED_BAD_HEADER;
		if (type == 9) {
			value.at += 4;
			if (len - 4 < cursor_left(&value))
				value.end = value.at + (len - 4);
			return decode_address_family(value, header[0], out);
		}
		if (!cursor_skip(&c, (len + 3) / 4 * 4))
			return REFUSED_TRUNCATED;
	}
	return REFUSED_TRUNCATED;
}

/* IEEE 802.11: only data frames that carry data in the clear, then LLC. */
static enum refusal
decode_wifi(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;
	size_t len = 24;

	if (cursor_left(&c) < 2)
		return REFUSED_TRUNCATED;
	if ((header[0] & 0x0c) != 0x08 || (header[0] & 0x40) || (header[1] & 0x40))
		return REFUSED_NOT_IP; /* management, control, no data, protected */
	if ((header[1] & 0x03) == 0x03)
		len += 6; /* fourth address */
	if (header[0] & 0x80)
		len += header[1] & 0x80 ? 6 : 2; /* QoS, and HT control */
	if (!cursor_skip(&c, len))
		return REFUSED_TRUNCATED;
	return decode_llc(c, out);
}

/* Radiotap: version, pad, own length in little endian, then the 802.11 frame. The bit
 * that says that a driver has padded the 802.11 header is not looked at: a frame with
 * such a header is refused as not_ip. */
static enum refusal
decode_radiotap(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (cursor_left(&c) < 8)
		return REFUSED_TRUNCATED;
	if (header[0] != 0 || get_le16(header + 2) < 8)
		return REFUSED_BAD_HEADER;
	if (!cursor_skip(&c, get_le16(header + 2)))
		return REFUSED_TRUNCATED;
	return decode_wifi(c, out);
}

/* Per-packet information: own length at 2, the link type behind it at 4, both little
 * endian. */
static enum refusal
decode_ppi(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (cursor_left(&c) < 8)
		return REFUSED_TRUNCATED;
	if (get_le16(header + 2) < 8)
		return REFUSED_BAD_HEADER;
	if (!cursor_skip(&c, get_le16(header + 2)))
		return REFUSED_TRUNCATED;
	switch (get_le16(header + 4)) {
	case DLT_EN10MB:
		return decode_ethernet(c, out);
	case DLT_IEEE802_11:
		return decode_wifi(c, out);
	default:
		return REFUSED_LINK_TYPE;
	}
}

/* Solaris ipnet: 24 bytes of header, of which the second is the address family. */
static enum refusal
decode_ipnet(struct cursor c, struct decoded *out)
{
	const uint8_t *header = c.at;

	if (!cursor_skip(&c, 24))
		return REFUSED_TRUNCATED;
	return header[1] == 2 ? decode_ipv4(c, out)
	    : header[1] == 26 ? decode_ipv6(c, out)
			      : REFUSED_NOT_IP;
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
    {DLT_RAW_OPENBSD, decode_ip_any},
    {DLT_IPV4, decode_ipv4},
    {DLT_IPV6, decode_ipv6},
    {DLT_NULL, decode_null},
    {DLT_LOOP, decode_null},
    {DLT_PPP, decode_ppp},
    {DLT_PPP_SERIAL, decode_ppp},
    {DLT_PPP_ETHER, decode_pppoe},
    {DLT_C_HDLC, decode_cisco_hdlc},
    {DLT_ENC, decode_enc},
    {DLT_PFLOG, decode_pflog},
    {DLT_NFLOG, decode_nflog},
    {DLT_IEEE802_11, decode_wifi},
    {DLT_IEEE802_11_RADIO, decode_radiotap},
    {DLT_PPI, decode_ppi},
    {DLT_FDDI, decode_fddi},
    {DLT_IP_OVER_FC, decode_fibre_channel},
    {DLT_APPLE_IP_OVER_IEEE1394, decode_firewire},
    {DLT_IPNET, decode_ipnet},
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
	out->fragment = FRAGMENT_NONE;
	if (packet->link_type == DLT_EN10MB)
		return decode_ethernet(c, out);
	decode = find_decoder(packet->link_type);
	return decode ? decode(c, out) : REFUSED_LINK_TYPE;
}
