#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_map.h"
#include "worker/flow_choice.h"

static struct flow_record
flow_of(uint8_t family, const char *src, uint16_t sport, const char *dst,
    uint16_t dport, uint8_t proto)
{
	struct flow_record flow = {.family = family,
	    .sport = sport,
	    .dport = dport,
	    .proto = proto,
	    .conversations = 1};

	if (family != FAMILY_NONE) {
		int af = family == FAMILY_IPV4 ? AF_INET : AF_INET6;

		assert_int_equal(inet_pton(af, src, flow.src), 1);
		assert_int_equal(inet_pton(af, dst, flow.dst), 1);
	}
	return flow;
}

/* The flows that the table below speaks of, by number. */
static size_t
some_flows(struct flow_record flow[8])
{
	size_t n = 0;

	flow[n++] = flow_of(4, "10.0.0.1", 40000, "192.0.2.53", 53, 17);
	flow[n++] = flow_of(4, "192.0.2.53", 53, "10.0.0.129", 5353, 17);
	flow[n++] = flow_of(4, "10.0.1.1", 40001, "198.51.100.7", 443, 6);
	flow[n++] = flow_of(4, "10.0.0.1", 0, "198.51.100.7", 0, 1);
	flow[n++] = flow_of(6, "2001:db8::1", 40000, "2001:db8:1::53", 53, 17);
	flow[n++] = flow_of(6, "fe80::1", 0, "ff02::1", 0, 58);
	/* The first four bytes of 10.0.0.1, and no IPv4. */
	flow[n++] = flow_of(6, "a00:1::", 443, "2001:db8::1", 40002, 6);
	flow[n++] = flow_of(FAMILY_NONE, "", 0, "", 0, 17);
	return n;
}

static void
a_filter_takes_just_the_flows_that_fit_all_of_it(void **state)
{
	static const struct {
		const char *address; /* NULL: any */
		int prefix;
		int port, proto; /* -1: any */
		unsigned flows; /* bit n: flow n */
	} rows[] = {
	    {NULL, 0, -1, -1, 0xff},
	    {"10.0.0.1", 32, -1, -1, 0x09},
	    {"192.0.2.53", 32, -1, -1, 0x03}, /* either end */
	    {"10.0.0.77", 24, -1, -1, 0x0b}, /* bits after the prefix mean nothing */
	    {"10.0.0.129", 25, -1, -1, 0x02},
	    {"10.0.0.0", 23, -1, -1, 0x0f},
	    {"10.0.0.0", 31, -1, -1, 0x09},
	    {"0.0.0.0", 0, -1, -1, 0x0f}, /* all of IPv4 */
	    {"128.0.0.0", 1, -1, -1, 0x0f},
	    {"::", 0, -1, -1, 0x70}, /* all of IPv6 */
	    {"2001:db8::1", 128, -1, -1, 0x50},
	    {"2001:db8::", 47, -1, -1, 0x50},
	    {"2001:db8::", 46, -1, -1, 0x50},
	    {"2001:db8:1::", 48, -1, -1, 0x10},
	    {"ff00::", 8, -1, -1, 0x20},
	    {"203.0.113.1", 32, -1, -1, 0},
	    {NULL, 0, 53, -1, 0x13},
	    {NULL, 0, 40000, -1, 0x11},
	    {NULL, 0, 0, -1, 0x28}, /* without ports; not: with ports that are lost */
	    {NULL, 0, 443, 17, 0},
	    {NULL, 0, 443, 6, 0x44},
	    {NULL, 0, -1, 17, 0x93},
	    {NULL, 0, -1, 58, 0x20},
	    {"10.0.0.0", 8, 443, 6, 0x04},
	    {"10.0.0.0", 8, 53, 17, 0x03},
	};
	struct flow_record flow[8];

	(void)state;
	assert_int_equal(some_flows(flow), 8);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct flows_query filter = {.family = FAMILY_NONE};

		if (rows[row].address) {
			bool v6 = strchr(rows[row].address, ':') != NULL;

			filter.family = v6 ? FAMILY_IPV6 : FAMILY_IPV4;
			filter.prefix = (uint8_t)rows[row].prefix;
			assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET,
					     rows[row].address, filter.address),
			    1);
		}
		filter.port_given = rows[row].port >= 0;
		filter.port = (uint16_t)(filter.port_given ? rows[row].port : 7);
		filter.proto_given = rows[row].proto >= 0;
		filter.proto = (uint8_t)(filter.proto_given ? rows[row].proto : 7);
		for (unsigned n = 0; n < 8; n++) {
			if (flow_filter_matches(&filter, &flow[n]) !=
			    (rows[row].flows >> n & 1))
				fail_msg("row %zu, flow %u", row, n);
		}
	}
}

/* What a chunk holds: the numbers of the flows, which stand in their ports. */
struct chosen {
	size_t count;
	uint16_t number[FLOWS_LIMIT_MAX];
};

static int
on_flow(void *arg, const struct flow_record *flow)
{
	struct chosen *chosen = arg;

	chosen->number[chosen->count++] = flow->sport;
	return 0;
}

static void
choose(const struct flow_record *flows, size_t count, enum flows_sort sort,
    size_t limit, struct chosen *chosen)
{
	const struct flows_query query = {.sort = sort, .limit = (uint32_t)limit};
	struct flow_choice *choice;
	struct pack pack;

	assert_int_equal(flow_choice_new(&choice, &query), 0);
	for (size_t i = 0; i < count; i++)
		flow_choice_add(choice, &flows[i]);
	assert_int_equal(flow_choice_flows(choice), count);
	assert_int_equal(flow_choice_matched(choice), count);
	pack_init(&pack);
	flow_choice_pack(choice, &pack);
	chosen->count = 0;
	assert_int_equal(
	    flow_map_each(pack.buffer.data, pack.buffer.size, on_flow, chosen), 0);
	pack_fini(&pack);
	flow_choice_free(choice);
}

static void
each_order_has_its_best_first(void **state)
{
	struct flow_record flow[4];
	struct chosen chosen;

	(void)state;
	for (uint16_t n = 0; n < 4; n++)
		flow[n] = flow_of(4, "10.0.0.1", n, "10.0.0.2", 53, 17);
	/* All four counters count. */
	flow[0].count[RECEIVED][FWD] = (struct counter){5, 500};
	flow[1].count[RECEIVED][REV] = (struct counter){1, 300};
	flow[1].count[SENT][FWD] = (struct counter){1, 300};
	flow[2].count[SENT][REV] = (struct counter){9, 90};
	flow[3].count[SENT][REV] = (struct counter){UINT32_MAX, UINT64_C(1) << 40};
	flow[0].last_ns = 10;
	flow[1].last_ns = 0;
	flow[2].last_ns = INT64_C(1700000000000000000);
	flow[3].last_ns = -5; /* before 1970 is early, not late */

	choose(flow, 4, FLOWS_BY_BYTES, 4, &chosen);
	assert_int_equal(chosen.count, 4);
	assert_memory_equal(chosen.number, ((uint16_t[]){3, 1, 0, 2}), 8);
	choose(flow, 4, FLOWS_BY_PACKETS, 4, &chosen);
	assert_memory_equal(chosen.number, ((uint16_t[]){3, 2, 0, 1}), 8);
	choose(flow, 4, FLOWS_BY_LAST, 4, &chosen);
	assert_memory_equal(chosen.number, ((uint16_t[]){2, 0, 1, 3}), 8);
	choose(flow, 4, FLOWS_BY_BYTES, 2, &chosen);
	assert_int_equal(chosen.count, 2);
	assert_memory_equal(chosen.number, ((uint16_t[]){3, 1}), 4);
}

static const struct flow_record *sorted_flows;

static int
by_bytes(const void *a, const void *b)
{
	uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
	uint64_t p = flow_total(&sorted_flows[x]).bytes;
	uint64_t q = flow_total(&sorted_flows[y]).bytes;

	if (p != q)
		return p > q ? -1 : 1;
	return x < y ? -1 : 1;
}

/* Against a sort of everything, with many equals: the earlier one is the better. */
static void
any_limit_gives_the_beginning_of_the_whole_order(void **state)
{
	static const size_t limits[] = {1, 2, 7, 50, 999, 1000};
	static struct flow_record flow[3000];
	static uint16_t order[3000];
	static struct chosen chosen;
	uint32_t random = 12345;

	(void)state;
	for (uint16_t n = 0; n < 3000; n++) {
		random = random * 1664525 + 1013904223;
		flow[n] = flow_of(4, "10.0.0.1", n, "10.0.0.2", 53, 17);
		flow[n].count[RECEIVED][FWD].bytes = random >> 24;
		order[n] = n;
	}
	sorted_flows = flow;
	qsort(order, 3000, sizeof(order[0]), by_bytes);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		choose(flow, 3000, FLOWS_BY_BYTES, limits[i], &chosen);
		assert_int_equal(chosen.count, limits[i]);
		assert_memory_equal(chosen.number, order, limits[i] * sizeof(order[0]));
	}
}

static void
no_flows_are_an_empty_chunk(void **state)
{
	struct chosen chosen;

	(void)state;
	choose(NULL, 0, FLOWS_BY_LAST, 1000, &chosen);
	assert_int_equal(chosen.count, 0);
}

static void
limits_prefixes_and_names_out_of_range_are_refused(void **state)
{
	struct flows_query query = {.family = FAMILY_IPV4, .prefix = 33, .limit = 1};
	struct flow_choice *choice;
	enum flows_sort sort = FLOWS_BY_LAST;

	(void)state;
	assert_int_equal(flow_choice_new(&choice, &query), -EINVAL);
	query = (struct flows_query){.family = FAMILY_IPV6, .prefix = 129, .limit = 1};
	assert_int_equal(flow_choice_new(&choice, &query), -EINVAL);
	query = (struct flows_query){.limit = 0};
	assert_int_equal(flow_choice_new(&choice, &query), -EINVAL);
	query = (struct flows_query){.limit = 1001};
	assert_int_equal(flow_choice_new(&choice, &query), -EINVAL);
	assert_int_equal(flows_sort_from_name("byte", &sort), -EINVAL);
	assert_int_equal(flows_sort_from_name("", &sort), -EINVAL);
	assert_int_equal(sort, FLOWS_BY_LAST);
	assert_int_equal(flows_sort_from_name("packets", &sort), 0);
	assert_int_equal(sort, FLOWS_BY_PACKETS);
	flow_choice_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_filter_takes_just_the_flows_that_fit_all_of_it),
	    cmocka_unit_test(each_order_has_its_best_first),
	    cmocka_unit_test(any_limit_gives_the_beginning_of_the_whole_order),
	    cmocka_unit_test(no_flows_are_an_empty_chunk),
	    cmocka_unit_test(limits_prefixes_and_names_out_of_range_are_refused),
	};

	return cmocka_run_group_tests_name("the choice of flows", tests, NULL, NULL);
}
