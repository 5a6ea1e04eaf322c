#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "proto/parts.h"

static struct pack pack;
static msgpack_unpacked unpacked;

static int
set_up(void **state)
{
	(void)state;
	pack_init(&pack);
	msgpack_unpacked_init(&unpacked);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	msgpack_unpacked_destroy(&unpacked);
	pack_fini(&pack);
	return 0;
}

/* Finishes the pack and unpacks it. */
static const msgpack_object *
received(void)
{
	size_t at = 0;

	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(msg_check(pack.buffer.data, pack.buffer.size, MSG_DEPTH_MAX,
			     MSG_OBJECTS_MAX),
	    0);
	msgpack_unpacked_destroy(&unpacked);
	assert_int_equal(
	    msgpack_unpack_next(&unpacked, pack.buffer.data, pack.buffer.size, &at),
	    MSGPACK_UNPACK_SUCCESS);
	return &unpacked.data;
}

static void
start(void)
{
	pack_clear(&pack);
	pack_map(&pack);
}

static struct interval
sample(void)
{
	struct interval iv = {
	    .begin_ms = INT64_C(1769825700000),
	    .end_ms = INT64_C(1769826000000),
	    .length_ns = INT64_C(300000000123),
	    .clock_step_ms = -2000,
	    .flows = UINT64_C(1) << 40,
	    .cuts = 1,
	    .busy = UINT32_MAX,
	    .kernel = {true, UINT64_MAX, 3},
	    .link = {true, 12, 5, UINT64_MAX},
	    .books = {.received = {10, UINT64_MAX},
		.in_flows = {6, 700},
		.overflow = {2, 200},
		.refused = {[REFUSED_NOT_IP] = {3, 180}, [REFUSED_LINK_TYPE] = {1, 0}}},
	};

	return iv;
}

static void
an_interval_arrives_as_it_was_sent(void **state)
{
	struct interval sent = sample(), got;

	(void)state;
	start();
	pack_key_interval(&pack, "interval", &sent);
	assert_int_equal(view_interval(received(), "interval", &got), 0);
	assert_int_equal(got.begin_ms, sent.begin_ms);
	assert_int_equal(got.end_ms, sent.end_ms);
	assert_int_equal(got.length_ns, sent.length_ns);
	assert_int_equal(got.clock_step_ms, sent.clock_step_ms);
	assert_int_equal(got.flows, sent.flows);
	assert_int_equal(got.cuts, sent.cuts);
	assert_int_equal(got.busy, sent.busy);
	assert_true(got.kernel.known);
	assert_true(got.kernel.received == UINT64_MAX);
	assert_int_equal(got.kernel.dropped, 3);
	assert_true(got.link.known);
	assert_int_equal(got.link.packets, 12);
	assert_int_equal(got.link.dropped, 5);
	assert_true(got.link.missed == UINT64_MAX);
	assert_memory_equal(&got.books, &sent.books, sizeof(got.books));
}

static void
kernel_counts_that_are_not_known_stay_so(void **state)
{
	struct interval sent = sample(), got;

	(void)state;
	sent.kernel.known = false;
	start();
	pack_key_interval(&pack, "interval", &sent);
	assert_int_equal(view_interval(received(), "interval", &got), 0);
	assert_false(got.kernel.known);
}

static void
link_counts_are_not_known_when_they_are_nil_or_missing(void **state)
{
	struct interval sent = sample();
	struct link_counts got = {true, 1, 1, 1};

	(void)state;
	sent.link.known = false;
	start();
	pack_key_link_counts(&pack, "link", &sent.link);
	assert_int_equal(view_link_counts(received(), "link", &got), 0);
	assert_false(got.known);
	assert_int_equal(got.packets, 0);

	got.known = true;
	start();
	assert_int_equal(view_link_counts(received(), "link", &got), 0);
	assert_false(got.known);
}

static void
link_counts_with_a_hole_or_of_another_type_are_refused(void **state)
{
	struct link_counts got;

	(void)state;
	start();
	pack_key_map(&pack, "link");
	pack_key_u64(&pack, "packets", 1);
	pack_key_u64(&pack, "missed", 1);
	pack_end(&pack);
	assert_int_equal(view_link_counts(received(), "link", &got), -ENOENT);

	start();
	pack_key_u64(&pack, "link", 1);
	assert_int_equal(view_link_counts(received(), "link", &got), -EPROTO);
}

static int
interval_with(void (*change)(struct interval *iv))
{
	struct interval iv = sample(), got;

	change(&iv);
	start();
	pack_key_interval(&pack, "interval", &iv);
	return view_interval(received(), "interval", &got);
}

static void
negative_length(struct interval *iv)
{
	iv->length_ns = -1;
}

static void
far_future(struct interval *iv)
{
	iv->end_ms = INT64_MAX;
}

static void
far_past(struct interval *iv)
{
	iv->begin_ms = INT64_MIN;
}

static void
times_that_no_clock_tells_are_refused(void **state)
{
	(void)state;
	assert_int_equal(interval_with(negative_length), -ERANGE);
	assert_int_equal(interval_with(far_future), -ERANGE);
	assert_int_equal(interval_with(far_past), -ERANGE);
}

static void
every_key_of_an_interval_is_needed(void **state)
{
	struct interval sent = sample(), got;
	static const char *const keys[] = {"begin_ms", "end_ms", "length_ns",
	    "clock_step_ms", "flows", "cuts", "busy", "kernel", "books", "in_flows",
	    "overflow", "refused", "packets", "bytes", "received", "dropped", "missed"};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char *at;
		start();
		pack_key_interval(&pack, "interval", &sent);
		received();
		at = memmem(
		    pack.buffer.data, pack.buffer.size, keys[i], strlen(keys[i]));
		assert_non_null(at);
		*at = 'X';
		assert_int_equal(view_interval(received(), "interval", &got), -ENOENT);
	}
	start();
	assert_int_equal(view_interval(received(), "interval", &got), -ENOENT);
	start();
	pack_key_u64(&pack, "interval", 1);
	assert_int_equal(view_interval(received(), "interval", &got), -EPROTO);
}

static void
books_without_refusals_are_complete(void **state)
{
	struct books sent = {.received = {5, 500}, .in_flows = {5, 500}}, got;

	(void)state;
	memset(&got, 0xff, sizeof(got));
	start();
	pack_key_books(&pack, "books", &sent);
	assert_int_equal(view_books(received(), "books", &got), 0);
	assert_memory_equal(&got, &sent, sizeof(got));
}

static int
books_refusing(const char *class, bool whole)
{
	struct counter nothing = {0, 0};
	struct books got;

	start();
	pack_key_map(&pack, "books");
	pack_key_u64(&pack, "packets", 1);
	pack_key_u64(&pack, "bytes", 1);
	pack_key_counter(&pack, "in_flows", &nothing);
	pack_key_counter(&pack, "overflow", &nothing);
	pack_key_map(&pack, "refused");
	if (whole)
		pack_key_counter(&pack, class, &nothing);
	else
		pack_key_u64(&pack, class, 1);
	pack_end(&pack);
	pack_end(&pack);
	return view_books(received(), "books", &got);
}

static void
refusals_must_be_of_known_classes(void **state)
{
	(void)state;
	assert_int_equal(books_refusing("not_ip", true), 0);
	assert_int_equal(books_refusing("not_i", true), -EPROTO);
	assert_int_equal(books_refusing("not_ipx", true), -EPROTO);
	assert_int_equal(books_refusing("", true), -EPROTO);
	assert_int_equal(books_refusing("not_ip", false), -EPROTO);
}

static void
a_configuration_arrives_as_it_was_sent(void **state)
{
	struct capture_config sent, got;

	(void)state;
	capture_config_default(&sent);
	memset(sent.filter, 'x', sizeof(sent.filter) - 1);
	sent.promiscuous = false;
	sent.error_threshold = 0;
	sent.timeout_ms = 1;
	start();
	pack_key_config(&pack, "config", &sent);
	assert_int_equal(view_config(received(), "config", &got), 0);
	assert_int_equal(capture_config_compare(&sent, &got), CAPTURE_SAME);
}

static int
config_of(uint64_t buffer, uint64_t flows, uint32_t snaplen, uint32_t timeout_ms)
{
	struct capture_config sent, got;

	capture_config_default(&sent);
	sent.buffer = buffer;
	sent.flows = flows;
	sent.snaplen = snaplen;
	sent.timeout_ms = timeout_ms;
	start();
	pack_key_config(&pack, "config", &sent);
	return view_config(received(), "config", &got);
}

static void
settings_out_of_range_are_refused(void **state)
{
	(void)state;
	assert_int_equal(config_of(CAPTURE_BUFFER_MIN, CAPTURE_FLOWS_MIN,
			     CAPTURE_SNAPLEN_MIN, CAPTURE_TIMEOUT_MS_MIN),
	    0);
	assert_int_equal(config_of(CAPTURE_BUFFER_MAX, CAPTURE_FLOWS_MAX,
			     CAPTURE_SNAPLEN_MAX, CAPTURE_TIMEOUT_MS_MAX),
	    0);
	assert_int_equal(config_of(CAPTURE_BUFFER_MIN - 1, 100, 128, 100), -ERANGE);
	assert_int_equal(config_of(CAPTURE_BUFFER_MAX + 1, 100, 128, 100), -ERANGE);
	assert_int_equal(config_of(8192, CAPTURE_FLOWS_MIN - 1, 128, 100), -ERANGE);
	assert_int_equal(config_of(8192, CAPTURE_FLOWS_MAX + 1, 128, 100), -ERANGE);
	assert_int_equal(config_of(8192, 100, CAPTURE_SNAPLEN_MIN - 1, 100), -ERANGE);
	assert_int_equal(config_of(8192, 100, CAPTURE_SNAPLEN_MAX + 1, 100), -ERANGE);
	assert_int_equal(config_of(8192, 100, 128, 0), -ERANGE);
	assert_int_equal(
	    config_of(8192, 100, 128, CAPTURE_TIMEOUT_MS_MAX + 1), -ERANGE);
}

static void
an_interval_fits_where_a_status_puts_it(void **state)
{
	struct interval sent = sample();

	/* answer, ifaces, eth0, worker, interval, books, refused, counter */
	(void)state;
	start();
	pack_key_map(&pack, "ifaces");
	pack_key_map(&pack, "eth0");
	pack_key_map(&pack, "worker");
	pack_key_interval(&pack, "interval", &sent);
	pack_end(&pack);
	pack_end(&pack);
	pack_end(&pack);
	assert_non_null(view_get(received(), "ifaces"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_interval_arrives_as_it_was_sent),
	    TEST(kernel_counts_that_are_not_known_stay_so),
	    TEST(link_counts_are_not_known_when_they_are_nil_or_missing),
	    TEST(link_counts_with_a_hole_or_of_another_type_are_refused),
	    TEST(times_that_no_clock_tells_are_refused),
	    TEST(every_key_of_an_interval_is_needed),
	    TEST(books_without_refusals_are_complete),
	    TEST(refusals_must_be_of_known_classes),
	    TEST(a_configuration_arrives_as_it_was_sent),
	    TEST(settings_out_of_range_are_refused),
	    TEST(an_interval_fits_where_a_status_puts_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
