#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "worker/decode.h"
#include "worker/test_frame.h"

/* Decodes a copy at the end of a heap block, so that a sanitizer sees any read beyond
 * the captured bytes. */
static enum refusal
decode_cut(const struct packet *whole, uint32_t caplen, struct decoded *out)
{
	uint8_t *copy = malloc(caplen ? caplen : 1);
	struct packet packet = *whole;
	enum refusal class;

	assert_non_null(copy);
	memcpy(copy, whole->data, caplen);
	packet.data = copy;
	packet.caplen = caplen;
	class = decode_packet(&packet, out);
	free(copy);
	return class;
}

static enum refusal
decode_frame(const struct frame *f, struct decoded *out)
{
	struct packet packet = frame_packet(f, 0);

	return decode_cut(&packet, f->len, out);
}

static void
assert_ports(const struct decoded *d, uint16_t sport, uint16_t dport)
{
	assert_int_equal(d->key.port[d->sender], sport);
	assert_int_equal(d->key.port[!d->sender], dport);
}

static void
ipv4_options_do_not_move_the_ports(void **state)
{
	(void)state;
	for (unsigned options = 0; options <= 40; options += 4) {
		struct frame f;
		struct decoded d;
		frame_ethernet(&f);
		frame_put16(&f, 0x0800);
		frame_ipv4(&f, "10.0.0.1", "10.0.0.2", 17, options, 8);
		frame_udp(&f, 1234, 5678);
		assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
		assert_int_equal(d.key.family, FAMILY_IPV4);
		assert_int_equal(d.key.proto, 17);
		assert_ports(&d, 1234, 5678);
	}
}

static void
tags_may_be_stacked_in_any_order(void **state)
{
	static const unsigned tags[][3] = {{0x8100}, {0x88a8}, {0x8100, 0x8100},
	    {0x88a8, 0x8100}, {0x8100, 0x88a8, 0x9100}};
	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct frame f;
		struct decoded d;
		frame_ethernet(&f);
		for (int k = 0; k < 3 && tags[i][k]; k++) {
			frame_put16(&f, tags[i][k]);
			frame_put16(&f, 100 + (unsigned)k);
		}
		frame_put16(&f, 0x86dd);
		frame_ipv6(&f, "2001:db8::1", "2001:db8::2", 6, 20);
		frame_tcp(&f, 40000, 443, 0x02);
		assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
		assert_int_equal(d.key.family, FAMILY_IPV6);
		assert_ports(&d, 40000, 443);
		assert_int_equal(d.tcp_flags, 0x02);
	}
}

/* Each of hop-by-hop, routing, destination options once and all in a row; the
 * protocol is what comes behind them, never 0. */
static void
ipv6_extension_headers_are_walked(void **state)
{
	static const uint8_t chains[][4] = {
	    {0}, {43}, {60}, {0, 43, 60}, {60, 43, 60, 60}};
	static const int lengths[] = {1, 1, 1, 3, 4};
	(void)state;
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		struct frame f;
		struct decoded d;
		unsigned payload = 8;
		for (int k = 0; k < lengths[i]; k++)
			payload += 8 * ((unsigned)k + 1);
		frame_ethernet(&f);
		frame_put16(&f, 0x86dd);
		frame_ipv6(&f, "fe80::1", "fe80::2", chains[i][0], payload);
		for (int k = 0; k < lengths[i]; k++) {
			frame_put8(&f, k + 1 < lengths[i] ? chains[i][k + 1] : 17);
			frame_put8(&f, (unsigned)k); /* length in 8 bytes, less one */
			frame_zero(&f, 8 * ((size_t)k + 1) - 2);
		}
		frame_udp(&f, 1111, 2222);
		assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
		assert_int_equal(d.key.proto, 17);
		assert_ports(&d, 1111, 2222);
	}
}

static void
length_zero_is_a_super_packet(void **state)
{
	struct frame f;
	struct decoded d;

	(void)state;
	frame_ethernet(&f);
	frame_put16(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", 6, 0, 20);
	f.data[16] = f.data[17] = 0; /* total length */
	frame_tcp(&f, 5000, 80, 0x10);
	assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
	assert_ports(&d, 5000, 80);

	frame_ethernet(&f);
	frame_put16(&f, 0x86dd);
	frame_ipv6(&f, "2001:db8::1", "2001:db8::2", 0, 0);
	frame_put8(&f, 6);
	frame_zero(&f, 7); /* hop-by-hop */
	frame_tcp(&f, 5000, 80, 0x10);
	assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
	assert_int_equal(d.key.proto, 6);
	assert_ports(&d, 5000, 80);
}

/* 26 bytes of IP in a frame padded to 60: the padding is not a port. */
static void
padding_is_not_read_as_ports(void **state)
{
	struct frame f;
	struct decoded d;

	(void)state;
	frame_ethernet(&f);
	frame_put16(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", 17, 0, 2);
	frame_zero(&f, 26);
	assert_int_equal(decode_frame(&f, &d), REFUSED_TRUNCATED);
}

static void
later_fragments_have_no_ports(void **state)
{
	struct frame f;
	struct decoded d;

	(void)state;
	frame_ethernet(&f);
	frame_put16(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", 17, 0, 8);
	f.data[21] = 5; /* fragment offset 40 */
	frame_udp(&f, 1234, 5678);
	assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
	assert_ports(&d, 0, 0);
	assert_int_equal(d.key.proto, 17);

	frame_ethernet(&f);
	frame_put16(&f, 0x86dd);
	frame_ipv6(&f, "2001:db8::1", "2001:db8::2", 44, 16);
	frame_put8(&f, 17);
	frame_zero(&f, 1);
	frame_put16(&f, 40);
	frame_zero(&f, 4);
	frame_udp(&f, 1234, 5678);
	assert_int_equal(decode_frame(&f, &d), REFUSED_NONE);
	assert_ports(&d, 0, 0);
	assert_int_equal(d.key.proto, 17);
}

static void
contradictions_are_bad_headers(void **state)
{
	struct frame f;
	struct decoded d;

	(void)state;
	(void)frame_udp4(&f, "10.0.0.1", 1, "10.0.0.2", 2, 0);
	f.data[14] = 0x44; /* header of 16 bytes */
	assert_int_equal(decode_frame(&f, &d), REFUSED_BAD_HEADER);
	f.data[14] = 0x55; /* version 5 */
	assert_int_equal(decode_frame(&f, &d), REFUSED_BAD_HEADER);
	f.data[14] = 0x45;
	f.data[17] = 19; /* total length below the header's */
	assert_int_equal(decode_frame(&f, &d), REFUSED_BAD_HEADER);
	f.data[12] = 0x86;
	f.data[13] = 0xdd; /* IPv4 where IPv6 is announced */
	assert_int_equal(decode_frame(&f, &d), REFUSED_BAD_HEADER);
}

static void
frames_without_ip_are_not_ip(void **state)
{
	static const unsigned types[] = {0x0806, 0x88cc, 0x0026, 0x0000};
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct frame f;
		struct decoded d;
		frame_ethernet(&f);
		frame_put16(&f, types[i]);
		frame_zero(&f, 46);
		assert_int_equal(decode_frame(&f, &d), REFUSED_NOT_IP);
	}
}

/* Cut at every byte: refused as truncated until the key is complete, then a flow. */
static void
a_packet_is_truncated_until_its_key_is_complete(void **state)
{
	struct frame f;
	struct decoded d;
	struct packet whole;

	(void)state;
	whole = frame_tcp4(&f, "10.0.0.1", 40000, "10.0.0.2", 80, 0x02, 0);
	for (uint32_t cut = 0; cut <= f.len; cut++) {
		enum refusal class = decode_cut(&whole, cut, &d);
		assert_int_equal(
		    class, cut < 14 + 20 + 4 ? REFUSED_TRUNCATED : REFUSED_NONE);
		if (class == REFUSED_NONE)
			assert_int_equal(d.tcp_flags, cut < 14 + 20 + 14 ? 0 : 0x02);
	}
}

/* No input makes the decoder read beyond its end or run for ever. */
static void
random_bytes_find_a_place(void **state)
{
	static const int link_types[] = {
	    DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW, DLT_IPV4, DLT_IPV6};
	struct frame f;
	struct decoded d;

	(void)state;
	srand(1);
	for (int round = 0; round < 60000; round++) {
		struct packet packet;
		(void)frame_tcp4(&f, "10.0.0.1", 40000, "10.0.0.2", 80, 0x02, 0);
		for (int k = 0; k < 4; k++)
			f.data[rand() % (int)f.len] = (uint8_t)rand();
		packet = frame_packet(&f, 0);
		packet.link_type = link_types[round % 6];
		assert_true(decode_cut(&packet, (uint32_t)rand() % (f.len + 1), &d) <
		    REFUSED_MAX);
	}
}

static void
cooked_headers_tell_the_direction(void **state)
{
	struct frame f = {.len = 0};
	struct decoded d;
	struct packet packet;

	(void)state;
	frame_put16(&f, 4); /* outgoing */
	frame_zero(&f, 12);
	frame_put16(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", 17, 0, 8);
	frame_udp(&f, 1, 2);
	packet = frame_packet(&f, 0);
	packet.link_type = DLT_LINUX_SLL;
	assert_int_equal(decode_packet(&packet, &d), REFUSED_NONE);
	assert_int_equal(d.observed, SENT);
	f.data[1] = 0;
	assert_int_equal(decode_packet(&packet, &d), REFUSED_NONE);
	assert_int_equal(d.observed, RECEIVED);
}

static void
an_unknown_link_type_is_refused_by_name(void **state)
{
	struct frame f;
	struct decoded d;
	struct packet packet = frame_udp4(&f, "10.0.0.1", 1, "10.0.0.2", 2, 0);

	(void)state;
	packet.link_type = DLT_BLUETOOTH_HCI_H4;
	assert_false(decode_knows_link_type(packet.link_type));
	assert_int_equal(decode_packet(&packet, &d), REFUSED_LINK_TYPE);
}

static void
both_directions_have_one_key(void **state)
{
	struct frame f;
	struct decoded there, back;
	struct packet packet;

	(void)state;
	packet = frame_tcp4(&f, "10.0.0.9", 40000, "10.0.0.2", 80, 0x02, 0);
	assert_int_equal(decode_packet(&packet, &there), REFUSED_NONE);
	packet = frame_tcp4(&f, "10.0.0.2", 80, "10.0.0.9", 40000, 0x12, 0);
	assert_int_equal(decode_packet(&packet, &back), REFUSED_NONE);
	assert_true(flow_key_equal(&there.key, &back.key));
	assert_int_equal(there.sender, !back.sender);
	assert_int_equal(there.initiator, back.initiator);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ipv4_options_do_not_move_the_ports),
	    cmocka_unit_test(tags_may_be_stacked_in_any_order),
	    cmocka_unit_test(ipv6_extension_headers_are_walked),
	    cmocka_unit_test(length_zero_is_a_super_packet),
	    cmocka_unit_test(padding_is_not_read_as_ports),
	    cmocka_unit_test(later_fragments_have_no_ports),
	    cmocka_unit_test(contradictions_are_bad_headers),
	    cmocka_unit_test(frames_without_ip_are_not_ip),
	    cmocka_unit_test(a_packet_is_truncated_until_its_key_is_complete),
	    cmocka_unit_test(random_bytes_find_a_place),
	    cmocka_unit_test(cooked_headers_tell_the_direction),
	    cmocka_unit_test(an_unknown_link_type_is_refused_by_name),
	    cmocka_unit_test(both_directions_have_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
