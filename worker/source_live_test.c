#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "worker/source_live.h"
#include "worker/test_live.h"

/* The linker puts this in the place of libpcap's counters, which here go on by the same
 * step with every look at them. The capture thread looks while the test changes it. */
static struct {
	pthread_mutex_t lock;
	struct pcap_stat now; /* of every handle */
	uint32_t received_step;
	uint32_t dropped_step;
	unsigned calls;
	bool fails;
} kernel = {.lock = PTHREAD_MUTEX_INITIALIZER};

int __wrap_pcap_stats(pcap_t *pcap, struct pcap_stat *out);

int
__wrap_pcap_stats(pcap_t *pcap, struct pcap_stat *out)
{
	int rc = -1;

	(void)pcap;
	pthread_mutex_lock(&kernel.lock);
	kernel.calls++;
	if (!kernel.fails) {
		kernel.now.ps_recv += kernel.received_step;
		kernel.now.ps_drop += kernel.dropped_step;
		*out = kernel.now;
		rc = 0;
	}
	pthread_mutex_unlock(&kernel.lock);
	return rc;
}

/* Puts the counters there, and how they go on. */
static void
kernel_set(
    uint32_t received, uint32_t received_step, uint32_t dropped, uint32_t dropped_step)
{
	pthread_mutex_lock(&kernel.lock);
	kernel.now = (struct pcap_stat){.ps_recv = received, .ps_drop = dropped};
	kernel.received_step = received_step;
	kernel.dropped_step = dropped_step;
	kernel.fails = false;
	pthread_mutex_unlock(&kernel.lock);
}

static unsigned
kernel_calls(void)
{
	unsigned calls;

	pthread_mutex_lock(&kernel.lock);
	calls = kernel.calls;
	pthread_mutex_unlock(&kernel.lock);
	return calls;
}

static void
counters_of_32_bits_that_wrap_give_exact_sums_of_64(void **state)
{
	static const struct {
		uint32_t received, dropped;
	} steps[] = {
	    {UINT32_C(1) << 31, UINT32_C(1) << 31},
	    {UINT32_MAX, 1},
	    {UINT32_C(3) << 30, 12345},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct live_handle handle = {.pcap = NULL};

		kernel_set(0, steps[i].received, 0, steps[i].dropped);
		for (uint64_t call = 1; call <= 5; call++) {
			live_read_counters(&handle);
			assert_true(handle.received == call * steps[i].received);
			assert_true(handle.dropped == call * steps[i].dropped);
		}
		assert_false(handle.stats_failed);
	}
}

static void
counters_that_cannot_be_read_change_nothing_and_are_noted(void **state)
{
	struct live_handle handle = {.pcap = NULL};

	(void)state;
	kernel_set(0, 7, 0, 0);
	live_read_counters(&handle);
	assert_false(handle.stats_failed);
	kernel.fails = true;
	live_read_counters(&handle);
	assert_true(handle.stats_failed);
	assert_int_equal(handle.received, 7);
}

/* Both handles have a past of packets and drops when the filter comes into force. */
static void
what_the_kernel_counted_before_the_filter_was_in_force_does_not_count(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	kernel_set(1000, 0, 900, 0);
	live_begin(&live, "");
	q = live_status(&live);
	assert_true(q.interval.kernel.known);
	assert_int_equal(q.interval.kernel.received, 0);
	assert_int_equal(q.interval.kernel.dropped, 0);
	kernel_set(1020, 0, 903, 0);
	q = live_status(&live);
	assert_int_equal(q.interval.kernel.received, 2 * 20);
	assert_int_equal(q.interval.kernel.dropped, 2 * 3);
	q = live_end(&live);
	assert_int_equal(q.interval.kernel.received, 2 * 20);
	assert_int_equal(q.interval.kernel.dropped, 2 * 3);
}

/* All the way into the books: the handle of lo, 2^31 with every reading. */
static void
the_interval_has_sums_of_64_bits(void **state)
{
	const uint64_t step = UINT64_C(1) << 31;
	struct live_look q;
	struct live live;
	uint64_t first;

	(void)state;
	net_require();
	assert_true(net_run("ip link set lo up"));
	kernel_set(0, 0, 0, 0);
	live_prepare(&live, "");
	assert_int_equal(live_start(&live, "lo"), CAPTURE_ACTIVE);
	kernel_set(0, (uint32_t)step, 0, 0);
	first = live_status(&live).interval.kernel.received;
	assert_int_equal(first % step, 0);
	for (uint64_t look = 1; look <= 5; look++) {
		q = live_status(&live);
		/* A reading of the second may come between. */
		assert_int_equal(q.interval.kernel.received % step, 0);
		assert_true(q.interval.kernel.received >= first + look * step);
		assert_true(q.interval.kernel.received <= first + (look + 2) * step);
	}
	assert_true(q.interval.kernel.received > UINT32_MAX);
	live_free(&live);
}

/* At 100 million packets a second they wrap after 42 s. */
static void
the_counters_of_an_idle_link_are_read_every_second(void **state)
{
	struct live live;
	unsigned before;

	(void)state;
	kernel_set(0, 0, 0, 0);
	live_begin(&live, "");
	before = kernel_calls();
	net_wait_ms(3500);
	/* Two handles, three times, though nobody asked. */
	assert_true(kernel_calls() >= before + 6);
	live_free(&live);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counters_of_32_bits_that_wrap_give_exact_sums_of_64),
	    cmocka_unit_test(counters_that_cannot_be_read_change_nothing_and_are_noted),
	    cmocka_unit_test(
		what_the_kernel_counted_before_the_filter_was_in_force_does_not_count),
	    cmocka_unit_test(the_interval_has_sums_of_64_bits),
	    cmocka_unit_test(the_counters_of_an_idle_link_are_read_every_second),
	};

	return cmocka_run_group_tests_name(
	    "the counters of a live source", tests, NULL, NULL);
}
