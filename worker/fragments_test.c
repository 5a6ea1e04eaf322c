#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/decode.h"
#include "worker/fragments.h"
#include "worker/test_frame.h"

/* A fragment of a UDP datagram 1234 to 5678; `offset` in units of 8 bytes. */
static void
fragment4(struct decoded *d, const char *src, unsigned id, unsigned offset, bool more)
{
	struct frame f;
	struct packet p;

	frame_ethernet(&f);
	frame_put16(&f, 0x0800);
	frame_ipv4(&f, src, "10.0.0.2", 17, 0, 16);
	f.data[18] = (uint8_t)(id >> 8);
	f.data[19] = (uint8_t)id;
	f.data[20] = (uint8_t)((more ? 0x20 : 0) | offset >> 8);
	f.data[21] = (uint8_t)offset;
	frame_udp(&f, 1234, 5678);
	frame_zero(&f, 8);
	p = frame_packet(&f, 0);
	assert_int_equal(decode_packet(&p, d), REFUSED_NONE);
}

/* The same with destination options between the fragment header and UDP: the first
 * fragment alone knows that the protocol is UDP. */
static void
fragment6(struct decoded *d, unsigned id, unsigned offset, bool more, bool options)
{
	struct frame f;
	struct packet p;

	frame_ethernet(&f);
	frame_put16(&f, 0x86dd);
	frame_ipv6(&f, "2001:db8::1", "2001:db8::2", 44, options ? 24 : 16);
	frame_put8(&f, options ? 60 : 17);
	frame_put8(&f, 0);
	frame_put16(&f, offset << 3 | more);
	frame_put16(&f, 0);
	frame_put16(&f, id);
	if (options) {
		frame_put8(&f, 17);
		frame_zero(&f, 7);
	}
	frame_udp(&f, 1234, 5678);
	p = frame_packet(&f, 0);
	assert_int_equal(decode_packet(&p, d), REFUSED_NONE);
}

static void
assert_ports(const struct decoded *d, unsigned sport, unsigned dport)
{
	assert_int_equal(d->key.proto, 17);
	assert_int_equal(d->key.port[d->sender], sport);
	assert_int_equal(d->key.port[!d->sender], dport);
}

static void
later_fragments_get_the_ports_of_the_first(void **state)
{
	struct fragments *fragments = fragments_new(1);
	struct decoded d;

	(void)state;
	fragment4(&d, "10.0.0.1", 7, 0, true);
	assert_int_equal(d.fragment, FRAGMENT_FIRST);
	assert_ports(&d, 1234, 5678);
	fragments_packet(fragments, &d, 100);
	for (unsigned offset = 2; offset <= 6; offset += 2) {
		fragment4(&d, "10.0.0.1", 7, offset, offset < 6);
		assert_int_equal(d.fragment, FRAGMENT_LATER);
		assert_ports(&d, 0, 0);
		fragments_packet(fragments, &d, 100 + offset);
		assert_ports(&d, 1234, 5678);
		assert_int_equal(d.orientation, ORIENT_NONE);
	}
	fragments_free(fragments);
}

static void
both_families_have_one_rule(void **state)
{
	struct fragments *fragments = fragments_new(2);
	struct decoded d;

	(void)state;
	for (int options = 0; options <= 1; options++) {
		fragment6(&d, 9 + (unsigned)options, 0, true, options);
		assert_int_equal(d.fragment, FRAGMENT_FIRST);
		fragments_packet(fragments, &d, 100);
		fragment6(&d, 9 + (unsigned)options, 5, false, false);
		if (options) {
			/* Its fragment header names the options, as the first one's did. */
			d.fragment_proto = 60;
			d.key.proto = 60;
		}
		fragments_packet(fragments, &d, 101);
		assert_ports(&d, 1234, 5678);
	}
	fragments_free(fragments);
}

static void
a_whole_packet_is_no_fragment(void **state)
{
	struct decoded d;

	(void)state;
	fragment4(&d, "10.0.0.1", 7, 0, false);
	assert_int_equal(d.fragment, FRAGMENT_NONE);
	fragment6(&d, 7, 0, false, false);
	assert_int_equal(d.fragment, FRAGMENT_NONE);
}

static void
another_datagram_is_not_mistaken(void **state)
{
	struct fragments *fragments = fragments_new(3);
	struct decoded d;

	(void)state;
	fragment4(&d, "10.0.0.1", 7, 0, true);
	fragments_packet(fragments, &d, 0);
	fragment4(&d, "10.0.0.1", 8, 2, false); /* id */
	fragments_packet(fragments, &d, 0);
	assert_ports(&d, 0, 0);
	fragment4(&d, "10.0.0.3", 7, 2, false); /* source */
	fragments_packet(fragments, &d, 0);
	assert_ports(&d, 0, 0);
	fragments_free(fragments);
}

static void
an_entry_is_believed_for_a_minute(void **state)
{
	struct fragments *fragments = fragments_new(4);
	struct decoded d;

	(void)state;
	fragment4(&d, "10.0.0.1", 7, 0, true);
	fragments_packet(fragments, &d, 0);
	fragment4(&d, "10.0.0.1", 7, 2, false);
	fragments_packet(fragments, &d, FRAGMENTS_AGE_NS);
	assert_ports(&d, 1234, 5678);
	fragment4(&d, "10.0.0.1", 7, 2, false);
	fragments_packet(fragments, &d, FRAGMENTS_AGE_NS + 1);
	assert_ports(&d, 0, 0);
	fragments_free(fragments);
}

/* Many datagrams at once: the table stays as it is, the newest are known. */
static void
the_oldest_gives_way(void **state)
{
	struct fragments *fragments = fragments_new(5);
	struct decoded d;
	unsigned found = 0;

	(void)state;
	for (unsigned id = 0; id < 60000; id++) {
		fragment4(&d, "10.0.0.1", id, 0, true);
		fragments_packet(fragments, &d, id);
	}
	for (unsigned id = 0; id < 60000; id++) {
		fragment4(&d, "10.0.0.1", id, 2, false);
		fragments_packet(fragments, &d, 60000);
		found += d.key.port[d.sender] == 1234;
	}
	assert_int_equal(found, FRAGMENTS_MAX);
	fragments_free(fragments);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(later_fragments_get_the_ports_of_the_first),
	    cmocka_unit_test(both_families_have_one_rule),
	    cmocka_unit_test(a_whole_packet_is_no_fragment),
	    cmocka_unit_test(another_datagram_is_not_mistaken),
	    cmocka_unit_test(an_entry_is_believed_for_a_minute),
	    cmocka_unit_test(the_oldest_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
