/* Every link type and everything that can stand before IP: the table in README.md names
 * these cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "worker/decode.h"
#include "worker/test_frame.h"

#define ETH "020000000002020000000001"
#define PPPOE "11000001001e"
#define LLC_SNAP "aaaa03000000"

/* Bytes before an IP packet in hex, and what must come of it: '4' or '6' is put there
 * as IPv4 or IPv6 with UDP 1234 to 5678. */
static const struct {
	const char *what;
	int link_type;
	const char *before;
	char ip; /* '4', '6', or '-' for 40 bytes of 0 */
	enum refusal class;
} cases[] = {
    {"Ethernet", DLT_EN10MB, ETH "0800", '4', REFUSED_NONE},
    {"Ethernet, IPv6", DLT_EN10MB, ETH "86dd", '6', REFUSED_NONE},
    {"802.1Q", DLT_EN10MB, ETH "8100000b0800", '4', REFUSED_NONE},
    {"802.1ad outside, 802.1Q inside", DLT_EN10MB, ETH "88a800c8810007d10800", '4',
	REFUSED_NONE},
    {"802.1Q twice", DLT_EN10MB, ETH "8100000b8100000c86dd", '6', REFUSED_NONE},
    {"three tags", DLT_EN10MB, ETH "9100000188a800028100000386dd", '6', REFUSED_NONE},
    {"E-tag", DLT_EN10MB,
	ETH "893f00000000"
	    "0000"
	    "0800",
	'4', REFUSED_NONE},
    {"one MPLS label", DLT_EN10MB,
	ETH "8847"
	    "00010140",
	'4', REFUSED_NONE},
    {"three MPLS labels, IPv6", DLT_EN10MB,
	ETH "8848"
	    "000100400002004000030140",
	'6', REFUSED_NONE},
    {"MPLS behind a tag", DLT_EN10MB,
	ETH "8100000b8847"
	    "00010140",
	'4', REFUSED_NONE},
    {"pseudo-wire with control word", DLT_EN10MB,
	ETH "8847"
	    "00010140"
	    "00000000" ETH "0800",
	'4', REFUSED_NONE},
    {"pseudo-wire without control word", DLT_EN10MB,
	ETH "8847"
	    "00010140" ETH "0800",
	'4', REFUSED_NONE},
    {"pseudo-wire whose address begins with 4", DLT_EN10MB,
	ETH "8847"
	    "00010140"
	    "4a0000000002020000000001"
	    "86dd",
	'6', REFUSED_NONE},
    {"pseudo-wire of something else", DLT_EN10MB,
	ETH "8847"
	    "00010140"
	    "00000000",
	'-', REFUSED_NOT_IP},
    {"labels without an end", DLT_EN10MB,
	ETH "8847"
	    "00010040",
	'-', REFUSED_TRUNCATED},
    {"provider backbone", DLT_EN10MB,
	ETH "88e7"
	    "00000001" ETH "0800",
	'4', REFUSED_NONE},
    {"FabricPath", DLT_EN10MB,
	ETH "8903"
	    "0040" ETH "0800",
	'4', REFUSED_NONE},
    {"service header (NSH)", DLT_EN10MB,
	ETH "894f"
	    "0fc6020100000000"
	    "0000000000000000"
	    "0000000000000000",
	'4', REFUSED_NONE},
    {"service header of length 0", DLT_EN10MB,
	ETH "894f"
	    "0fc0020100000000",
	'4', REFUSED_BAD_HEADER},
    {"PPPoE session", DLT_EN10MB, ETH "8864" PPPOE "0021", '4', REFUSED_NONE},
    {"PPPoE session, IPv6, tagged", DLT_EN10MB, ETH "8100000b8864" PPPOE "0057", '6',
	REFUSED_NONE},
    {"PPPoE session, compressed protocol", DLT_EN10MB, ETH "8864" PPPOE "21", '4',
	REFUSED_NONE},
    {"PPPoE session, link control", DLT_EN10MB, ETH "8864" PPPOE "c021", '-',
	REFUSED_NOT_IP},
    {"PPPoE discovery", DLT_EN10MB, ETH "8863" PPPOE, '-', REFUSED_NOT_IP},
    {"SNAP", DLT_EN10MB, ETH "0024" LLC_SNAP "0800", '4', REFUSED_NONE},
    {"SNAP of another organisation", DLT_EN10MB,
	ETH "0024"
	    "aaaa0300000c2000",
	'-', REFUSED_NOT_IP},
    {"LLC with the IP SAP", DLT_EN10MB,
	ETH "0024"
	    "060603",
	'4', REFUSED_NONE},
    {"spanning tree", DLT_EN10MB,
	ETH "0026"
	    "424203",
	'-', REFUSED_NOT_IP},
    {"ARP", DLT_EN10MB, ETH "0806", '-', REFUSED_NOT_IP},
    {"IPv4 announced, IPv6 there", DLT_EN10MB, ETH "0800", '6', REFUSED_BAD_HEADER},
    {"cooked v1", DLT_LINUX_SLL,
	"000000010006"
	"0200000000010000"
	"0800",
	'4', REFUSED_NONE},
    {"cooked v1, tagged", DLT_LINUX_SLL,
	"000000010006"
	"0200000000010000"
	"8100"
	"000b86dd",
	'6', REFUSED_NONE},
    {"cooked v1, 802.2", DLT_LINUX_SLL,
	"000000010006"
	"0200000000010000"
	"0004"
	"424203",
	'-', REFUSED_NOT_IP},
    {"cooked v2", DLT_LINUX_SLL2,
	"080000000000000200010006"
	"0200000000010000",
	'4', REFUSED_NONE},
    {"raw IPv4", DLT_RAW, "", '4', REFUSED_NONE},
    {"raw IPv6", DLT_RAW, "", '6', REFUSED_NONE},
    {"raw something", DLT_RAW, "", '-', REFUSED_BAD_HEADER},
    {"raw, old number", 14, "", '6', REFUSED_NONE},
    {"IPv4", DLT_IPV4, "", '4', REFUSED_NONE},
    {"IPv6", DLT_IPV6, "", '6', REFUSED_NONE},
    {"IPv6 with IPv4 inside", DLT_IPV6, "", '4', REFUSED_BAD_HEADER},
    {"NULL, little endian", DLT_NULL, "02000000", '4', REFUSED_NONE},
    {"NULL, big endian", DLT_NULL, "00000002", '4', REFUSED_NONE},
    {"NULL, IPv6 of FreeBSD", DLT_NULL, "1c000000", '6', REFUSED_NONE},
    {"NULL, IPv6 of macOS", DLT_NULL, "0000001e", '6', REFUSED_NONE},
    {"NULL, another family", DLT_NULL, "07000000", '-', REFUSED_NOT_IP},
    {"LOOP", DLT_LOOP, "00000018", '6', REFUSED_NONE},
    {"PPP with address and control", DLT_PPP, "ff030021", '4', REFUSED_NONE},
    {"PPP without", DLT_PPP, "0057", '6', REFUSED_NONE},
    {"PPP, compressed protocol", DLT_PPP, "21", '4', REFUSED_NONE},
    {"PPP, MPLS", DLT_PPP,
	"ff030281"
	"00010140",
	'4', REFUSED_NONE},
    {"PPP, link control", DLT_PPP, "ff03c021", '-', REFUSED_NOT_IP},
    {"PPP in HDLC", DLT_PPP_SERIAL, "ff030021", '4', REFUSED_NONE},
    {"Cisco HDLC on a PPP link type", DLT_PPP_SERIAL, "0f000800", '4', REFUSED_NONE},
    {"Cisco HDLC", DLT_C_HDLC, "0f0086dd", '6', REFUSED_NONE},
    {"Cisco keepalive", DLT_C_HDLC, "8f008035", '-', REFUSED_NOT_IP},
    {"PPP over Ethernet", DLT_PPP_ETHER, PPPOE "0021", '4', REFUSED_NONE},
    {"encapsulating interface", DLT_ENC, "020000000000000000000000", '4', REFUSED_NONE},
    {"pf log", DLT_PFLOG,
	"3d02"
	"0000"
	"0000000000000000000000000000"
	"0000000000000000"
	"0000000000000000000000000000000000000000000000000000"
	"000000000000000000000000",
	'4', REFUSED_NONE},
    {"netfilter log", DLT_NFLOG,
	"02000000"
	"08000100"
	"08000000"
	"20000900",
	'4', REFUSED_NONE},
    {"netfilter log, attribute of length 0", DLT_NFLOG,
	"02000000"
	"00000100",
	'4', REFUSED_BAD_HEADER},
    {"802.11 data", DLT_IEEE802_11,
	"08010000"
	"020000000001020000000002020000000003"
	"0000" LLC_SNAP "0800",
	'4', REFUSED_NONE},
    {"802.11 QoS data between two access points", DLT_IEEE802_11,
	"88030000"
	"020000000001020000000002020000000003"
	"0000"
	"020000000004"
	"0000" LLC_SNAP "86dd",
	'6', REFUSED_NONE},
    {"802.11 protected", DLT_IEEE802_11,
	"08410000"
	"020000000001020000000002020000000003"
	"0000"
	"0000000000000000",
	'-', REFUSED_NOT_IP},
    {"802.11 beacon", DLT_IEEE802_11,
	"80000000"
	"020000000001020000000002020000000003"
	"0000",
	'-', REFUSED_NOT_IP},
    {"radiotap", DLT_IEEE802_11_RADIO,
	"0000080000000000"
	"08010000"
	"020000000001020000000002020000000003"
	"0000" LLC_SNAP "0800",
	'4', REFUSED_NONE},
    {"radiotap of length 0", DLT_IEEE802_11_RADIO, "0000000000000000", '-',
	REFUSED_BAD_HEADER},
    {"PPI around Ethernet", DLT_PPI, "0000080001000000" ETH "0800", '4', REFUSED_NONE},
    {"FDDI", DLT_FDDI, "50" ETH LLC_SNAP "0800", '4', REFUSED_NONE},
    {"IP over Fibre Channel", DLT_IP_OVER_FC,
	"10000000000000011000000000000002" LLC_SNAP "0800", '4', REFUSED_NONE},
    {"IP over IEEE 1394", DLT_APPLE_IP_OVER_IEEE1394,
	"00000000000000010000000000000002"
	"0800",
	'4', REFUSED_NONE},
    {"Solaris ipnet", DLT_IPNET,
	"011a000000000000000000000000000000000000"
	"00000000",
	'6', REFUSED_NONE},
};

static unsigned
hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void
build(struct frame *f, const char *before, char ip)
{
	f->len = 0;
	for (; *before; before += 2)
		frame_put8(f, hex_digit(before[0]) << 4 | hex_digit(before[1]));
	if (ip == '4')
		frame_ipv4(f, "10.0.0.1", "10.0.0.2", 17, 0, 8);
	else if (ip == '6')
		frame_ipv6(f, "2001:db8::1", "2001:db8::2", 17, 8);
	else
		frame_zero(f, 40);
	if (ip != '-')
		frame_udp(f, 1234, 5678);
}

static enum refusal
decode_cut(const struct frame *f, int link_type, uint32_t caplen, struct decoded *out)
{
	uint8_t *copy = malloc(caplen ? caplen : 1);
	struct packet packet = frame_packet(f, 0);
	enum refusal class;

	assert_non_null(copy);
	memcpy(copy, f->data, caplen);
	packet.data = copy;
	packet.caplen = caplen;
	packet.link_type = link_type;
	class = decode_packet(&packet, out);
	free(copy);
	return class;
}

static void
every_way_to_ip(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decoded d;
		struct frame f;
		enum refusal class;
		build(&f, cases[i].before, cases[i].ip);
		assert_true(decode_knows_link_type(cases[i].link_type));
		class = decode_cut(&f, cases[i].link_type, f.len, &d);
		if (class != cases[i].class)
			fail_msg("%s: class %d, not %d", cases[i].what, class,
			    cases[i].class);
		if (class != REFUSED_NONE)
			continue;
		if (d.key.family != cases[i].ip - '0' || d.key.proto != 17 ||
		    d.key.port[d.sender] != 1234 || d.key.port[!d.sender] != 5678)
			fail_msg("%s: another flow", cases[i].what);
	}
}

/* Cut anywhere, a frame that leads to a flow is truncated or not yet known to lead to
 * IP, but never another flow. */
static void
every_way_to_ip_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decoded d;
		struct frame f;
		if (cases[i].class != REFUSED_NONE)
			continue;
		build(&f, cases[i].before, cases[i].ip);
		for (uint32_t cut = 0; cut + 4 < f.len; cut++) {
			enum refusal class =
			    decode_cut(&f, cases[i].link_type, cut, &d);
			if (class != REFUSED_TRUNCATED && class != REFUSED_NOT_IP)
				fail_msg("%s cut to %u: class %d", cases[i].what, cut,
				    class);
		}
	}
}

static void
damaged_bytes_find_a_place(void **state)
{
	(void)state;
	srand(3);
	for (int round = 0; round < 200000; round++) {
		size_t i = (size_t)round % (sizeof(cases) / sizeof(cases[0]));
		struct decoded d;
		struct frame f;
		build(&f, cases[i].before, cases[i].ip);
		for (int k = 0; k < 3; k++)
			f.data[(unsigned)rand() % f.len] = (uint8_t)rand();
		assert_true(decode_cut(&f, cases[i].link_type,
				(uint32_t)rand() % (f.len + 1), &d) < REFUSED_MAX);
	}
}

/* Sources whose first half is the number of a tag: IP, not a pseudo-wire. */
static void
labels_before_any_address_lead_to_ip(void **state)
{
	static const char *const sources[] = {"129.0.0.1", "136.100.0.1", "136.168.1.1",
	    "136.71.1.1", "8.0.65.1", "134.221.96.1", "10.0.0.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct decoded d;
		struct frame f;
		uint32_t sum = 0;
		build(&f,
		    ETH "8847"
			"00010140",
		    '-');
		f.len -= 40;
		frame_ipv4(&f, sources[i], "10.0.0.2", 17, 0, 8);
		for (unsigned k = f.len - 20; k < f.len; k += 2)
			sum += get_be16(f.data + k);
		sum = ~((sum & 0xffff) + (sum >> 16));
		f.data[f.len - 10] = (uint8_t)(sum >> 8);
		f.data[f.len - 9] = (uint8_t)sum;
		frame_udp(&f, 1234, 5678);
		if (decode_cut(&f, DLT_EN10MB, f.len, &d) != REFUSED_NONE ||
		    d.key.port[!d.sender] != 5678)
			fail_msg("%s behind a label is not found", sources[i]);
	}
}

/* Frames in frames in frames, by every way to nest them: found out without a stack. */
static void
nesting_is_bounded(void **state)
{
	static const char *const ways[] = {ETH "0024" LLC_SNAP "8903"
					       "0040",
	    ETH "88e7"
		"00000001",
	    ETH "8847"
		"00010140"
		"00000000"};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		size_t size = 262144, used = 0;
		uint8_t *data = malloc(size);
		struct packet packet = {.data = data, .link_type = DLT_EN10MB};
		struct decoded d;
		struct frame f;
		build(&f, ways[i], '-');
		f.len -= 40;
		for (; used + f.len <= size; used += f.len)
			memcpy(data + used, f.data, f.len);
		packet.caplen = packet.wire_len = (uint32_t)used;
		assert_true(decode_packet(&packet, &d) != REFUSED_NONE);
		free(data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_way_to_ip),
	    cmocka_unit_test(every_way_to_ip_cut_anywhere),
	    cmocka_unit_test(damaged_bytes_find_a_place),
	    cmocka_unit_test(labels_before_any_address_lead_to_ip),
	    cmocka_unit_test(nesting_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
