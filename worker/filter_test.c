#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/filter.h"
#include "worker/test_frame.h"

/* UDP to a port behind `tags` 802.1Q tags; to fd00::2 instead of 10.0.0.2 with ip6. */
static void
udp_in_tags(struct frame *frame, unsigned tags, bool ip6, unsigned dport)
{
	frame_ethernet(frame);
	for (unsigned i = 0; i < tags; i++) {
		frame_put16(frame, i == 0 && tags > 1 ? 0x88a8 : 0x8100);
		frame_put16(frame, 11 + i);
	}
	frame_put16(frame, ip6 ? 0x86dd : 0x0800);
	if (ip6)
		frame_ipv6(frame, "fd00::1", "fd00::2", 17, 8);
	else
		frame_ipv4(frame, "10.0.0.1", "10.0.0.2", 17, 8, 8); /* with options */
	frame_udp(frame, 40000, dport);
}

static bool
matches(const char *text, const struct frame *frame)
{
	const struct pcap_pkthdr header = {.caplen = frame->len, .len = frame->len};
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 128);
	struct bpf_program program;
	struct source_fault fault;
	bool match;

	assert_int_equal(filter_compile(pcap, FILTER_BOTH, text, &program, &fault), 0);
	match = pcap_offline_filter(&program, &header, frame->data) != 0;
	pcap_freecode(&program);
	pcap_close(pcap);
	return match;
}

static void
a_plain_filter_applies_inside_up_to_two_tags(void **state)
{
	struct frame frame;

	(void)state;
	for (int ip6 = 0; ip6 < 2; ip6++) {
		const char *host = ip6 ? "dst host fd00::2" : "dst host 10.0.0.2";

		for (unsigned tags = 0; tags <= 2; tags++) {
			udp_in_tags(&frame, tags, ip6, 53);
			assert_true(matches("", &frame));
			assert_true(matches("udp", &frame));
			assert_true(matches("udp dst port 53", &frame));
			assert_true(matches(
			    "port 40000 and ether host 02:00:00:00:00:02", &frame));
			assert_true(matches(host, &frame));
			assert_false(matches("udp port 54", &frame));
			assert_false(matches("not udp port 53", &frame));
			assert_false(matches("tcp or arp", &frame));
		}
		udp_in_tags(&frame, 3, ip6, 53);
		assert_false(matches("udp", &frame));
	}
}

static void
a_filter_with_a_word_of_tags_follows_pcap(void **state)
{
	struct frame frame;

	(void)state;
	udp_in_tags(&frame, 1, false, 53);
	assert_true(matches("vlan 11", &frame));
	assert_true(matches("vlan and udp port 53", &frame));
	assert_false(matches("vlan 12", &frame));
	udp_in_tags(&frame, 2, false, 53);
	/* By pcap's rule the second tag has to be named, too. */
	assert_false(matches("vlan and udp port 53", &frame));
	assert_true(matches("vlan and vlan and udp port 53", &frame));
}

static void
cut_frames_do_not_match(void **state)
{
	struct frame frame;

	(void)state;
	udp_in_tags(&frame, 2, false, 53);
	for (uint32_t len = frame.len - 8; len > 0; len--) {
		frame.len = len;
		assert_false(matches("udp port 53", &frame));
	}
}

static void
brackets_do_not_make_a_filter_of_a_syntax_error(void **state)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 128);
	struct bpf_program program;
	struct source_fault fault;

	(void)state;
	assert_int_equal(
	    filter_compile(pcap, FILTER_BOTH, "udp) or (tcp", &program, &fault),
	    -EINVAL);
	assert_int_equal(fault.reason, SOURCE_FILTER);
	assert_true(fault.text[0] != '\0');
	pcap_close(pcap);
}

static void
a_filter_longer_than_the_kernel_takes_is_an_error(void **state)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 128);
	char *text = calloc(1, 64 * 1024);
	struct bpf_program program;
	struct source_fault fault;
	size_t used;

	(void)state;
	/* pcap's optimiser takes minutes for as many of the usual `host`. */
	used = (size_t)sprintf(text, "ip src 10.0.0.0");
	for (unsigned i = 1; i < 1500; i++)
		used += (size_t)sprintf(
		    text + used, " or ip src 10.%u.%u.1", i % 250, i / 250);
	assert_int_equal(
	    filter_compile(pcap, FILTER_BOTH, text, &program, &fault), -E2BIG);
	assert_int_equal(fault.reason, SOURCE_FILTER);
	free(text);
	pcap_close(pcap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plain_filter_applies_inside_up_to_two_tags),
	    cmocka_unit_test(a_filter_with_a_word_of_tags_follows_pcap),
	    cmocka_unit_test(cut_frames_do_not_match),
	    cmocka_unit_test(brackets_do_not_make_a_filter_of_a_syntax_error),
	    cmocka_unit_test(a_filter_longer_than_the_kernel_takes_is_an_error),
	};

	return cmocka_run_group_tests_name("filters", tests, NULL, NULL);
}
