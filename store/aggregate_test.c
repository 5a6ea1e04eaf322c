#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/aggregate.h"
#include "store/testing.h"

static void
drops_the_client_port_and_sums(void **state)
{
	struct aggregate *a = aggregate_new(100);
	const struct flow_record *rows;
	size_t count;

	(void)state;
	for (uint16_t sport = 40000; sport < 40010; sport++) {
		struct flow_record flow = testing_flow(1, 2, sport);
		assert_int_equal(aggregate_add(a, &flow, 1), 0);
	}
	struct flow_record other = testing_flow(1, 2, 40000);
	other.dport = 80;
	assert_int_equal(aggregate_add(a, &other, 1), 0);
	assert_int_equal(aggregate_finish(a, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].dport, 80);
	assert_int_equal(rows[0].conversations, 1);
	assert_int_equal(rows[1].dport, 443);
	assert_int_equal(rows[1].sport, 0);
	assert_int_equal(rows[1].conversations, 10);
	assert_int_equal(rows[1].count[RECEIVED][FWD].packets, 30);
	assert_int_equal(rows[1].count[RECEIVED][FWD].bytes, 3000);
	assert_int_equal(rows[1].count[SENT][REV].packets, 20);
	assert_int_equal(rows[1].count[SENT][REV].bytes, 20000);
	assert_int_equal(rows[1].count[RECEIVED][REV].packets, 0);
	assert_int_equal(rows[1].count[SENT][FWD].packets, 0);
	assert_int_equal(aggregate_sum(a).packets, 55);
	assert_int_equal(aggregate_sum(a).bytes, 11 * 2300);
	assert_int_equal(aggregate_conversations(a), 11);
	aggregate_free(a);
}

/* The two directions stay apart: a flow the other way round is another row, and its
 * counters are not mixed with those of the first. */
static void
keeps_source_and_destination_apart(void **state)
{
	struct aggregate *a = aggregate_new(100);
	struct flow_record there = testing_flow(1, 2, 40000), back = there;
	const struct flow_record *rows;
	size_t count;

	(void)state;
	memcpy(back.src, there.dst, 16);
	memcpy(back.dst, there.src, 16);
	back.count[RECEIVED][FWD] = (struct counter){1000, 100000};
	assert_int_equal(aggregate_add(a, &there, 1), 0);
	assert_int_equal(aggregate_add(a, &back, 1), 0);
	assert_int_equal(aggregate_add(a, &there, 1), 0);
	assert_int_equal(aggregate_finish(a, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_memory_equal(rows[0].src, there.src, 16);
	assert_int_equal(rows[0].count[RECEIVED][FWD].packets, 6);
	assert_memory_equal(rows[1].src, there.dst, 16);
	assert_int_equal(rows[1].count[RECEIVED][FWD].packets, 1000);
	aggregate_free(a);
}

static void
takes_earliest_latest_weakest_and_ors_flags(void **state)
{
	struct aggregate *a = aggregate_new(100);
	struct flow_record flow = testing_flow(1, 2, 1);
	const struct flow_record *rows;
	size_t count;

	(void)state;
	flow.first_ns = 500;
	flow.last_ns = 900;
	flow.tcp_flags[FWD] = 0x02;
	flow.tcp_flags[REV] = 0x10;
	flow.orientation = ORIENT_HANDSHAKE;
	assert_int_equal(aggregate_add(a, &flow, 1), 0);
	flow.first_ns = -100;
	flow.last_ns = 700;
	flow.tcp_flags[FWD] = 0x01;
	flow.tcp_flags[REV] = 0x04;
	flow.orientation = ORIENT_FIRST;
	assert_int_equal(aggregate_add(a, &flow, 1), 0);
	flow.first_ns = 600;
	flow.last_ns = 950;
	flow.orientation = ORIENT_PORTS;
	assert_int_equal(aggregate_add(a, &flow, 1), 0);
	assert_int_equal(aggregate_finish(a, &rows, &count), 0);
	assert_int_equal(count, 1);
	assert_true(rows[0].first_ns == -100);
	assert_true(rows[0].last_ns == 950);
	assert_int_equal(rows[0].tcp_flags[FWD], 0x03);
	assert_int_equal(rows[0].tcp_flags[REV], 0x14);
	assert_int_equal(rows[0].orientation, ORIENT_FIRST);
	aggregate_free(a);
}

static void
sorts_by_family_then_addresses(void **state)
{
	struct flow_record *flows = calloc(5000, sizeof(*flows));
	struct aggregate *a = aggregate_new(10000);
	struct flow_record overflow = {.proto = 17, .conversations = 1};
	const struct flow_record *rows;
	size_t count;

	(void)state;
	testing_flows(flows, 5000, 1, TESTING_BEGIN_MS, TESTING_ROTATION_MS);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(aggregate_add(a, &flows[i], 1), 0);
	overflow.count[RECEIVED][FWD] = (struct counter){5, 500};
	assert_int_equal(aggregate_add(a, &overflow, 1), 0);
	assert_int_equal(aggregate_overflow(a).packets, 5);
	assert_int_equal(aggregate_overflow(a).bytes, 500);
	assert_int_equal(aggregate_finish(a, &rows, &count), 0);
	assert_true(count > 100);
	assert_int_equal(rows[0].family, FAMILY_NONE);
	for (size_t i = 1; i < count; i++) {
		const struct flow_record *x = &rows[i - 1], *y = &rows[i];
		int order = (int)x->family - (int)y->family;
		if (order == 0)
			order = memcmp(x->src, y->src, 16);
		if (order == 0)
			order = memcmp(x->dst, y->dst, 16);
		if (order == 0)
			order = (int)x->dport - (int)y->dport;
		if (order == 0)
			order = (int)x->proto - (int)y->proto;
		assert_true(order < 0);
	}
	aggregate_free(a);
	free(flows);
}

/* Half first, then the other half together with the rows of the first: what a merge
 * does. Nothing may depend on how flows were divided. */
static void
rows_can_be_aggregated_again(void **state)
{
	struct flow_record *flows = calloc(4000, sizeof(*flows));
	struct aggregate *whole = aggregate_new(10000), *half = aggregate_new(10000),
			 *rest = aggregate_new(10000);
	const struct flow_record *expected, *rows;
	size_t expected_count, count;

	(void)state;
	testing_flows(flows, 4000, 7, TESTING_BEGIN_MS, TESTING_ROTATION_MS);
	/* the whole in one call, the parts one by one */
	assert_int_equal(aggregate_add(whole, flows, 4000), 0);
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(
		    aggregate_add(i < 2000 ? half : rest, &flows[i], 1), 0);
	}
	assert_int_equal(aggregate_finish(whole, &expected, &expected_count), 0);
	assert_int_equal(aggregate_finish(half, &rows, &count), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(aggregate_add(rest, &rows[i], 1), 0);
	assert_int_equal(aggregate_finish(rest, &rows, &count), 0);
	assert_int_equal(count, expected_count);
	assert_memory_equal(rows, expected, count * sizeof(*rows));
	assert_int_equal(aggregate_conversations(rest), 4000);
	aggregate_free(whole);
	aggregate_free(half);
	aggregate_free(rest);
	free(flows);
}

static void
refuses_more_rows_than_allowed_and_sums_that_wrap(void **state)
{
	struct aggregate *a = aggregate_new(2);
	struct flow_record flow;

	(void)state;
	for (uint16_t client = 0; client < 2; client++) {
		flow = testing_flow(client, 1, 1);
		assert_int_equal(aggregate_add(a, &flow, 1), 0);
	}
	flow = testing_flow(2, 1, 1);
	assert_int_equal(aggregate_add(a, &flow, 1), -ENOSPC);
	aggregate_free(a);

	a = aggregate_new(2);
	flow.count[RECEIVED][FWD].bytes = INT64_MAX - 100;
	flow.count[SENT][REV].bytes = 100;
	assert_int_equal(aggregate_add(a, &flow, 1), 0);
	flow.count[RECEIVED][FWD].bytes = 1;
	flow.count[SENT][REV].bytes = 0;
	assert_int_equal(aggregate_add(a, &flow, 1), -EOVERFLOW);
	aggregate_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drops_the_client_port_and_sums),
	    cmocka_unit_test(keeps_source_and_destination_apart),
	    cmocka_unit_test(takes_earliest_latest_weakest_and_ors_flags),
	    cmocka_unit_test(sorts_by_family_then_addresses),
	    cmocka_unit_test(rows_can_be_aggregated_again),
	    cmocka_unit_test(refuses_more_rows_than_allowed_and_sums_that_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
