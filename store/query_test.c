#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/append.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"

#define BEGIN TESTING_BEGIN_MS
#define STEP TESTING_ROTATION_MS
#define INTERVALS 4
#define FLOWS 2000

struct fixture {
	sqlite3 *db;
	struct store_reader *reader;
	struct flow_record flows[INTERVALS][FLOWS];
	size_t skipped;
	char skipped_why[STORE_WHY_SIZE];
};

/* eth0 and eth1 in turn, two intervals each. */
static const char *
iface_of(int interval)
{
	return interval % 2 ? "eth1" : "eth0";
}

static int64_t
begin_of(int interval)
{
	return BEGIN + interval / 2 * STEP;
}

static struct fixture *
begin(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char why[STORE_WHY_SIZE];

	assert_int_equal(schema_open(STORE_DB_NAME, &f->db, why), 0);
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	for (int i = 0; i < INTERVALS; i++) {
		enum append_result result;
		testing_flows(f->flows[i], FLOWS, (uint64_t)i + 1, begin_of(i), STEP);
		struct interval interval = testing_interval(
		    f->flows[i], FLOWS, begin_of(i), begin_of(i) + STEP);
		assert_int_equal(
		    testing_append(append, f->db, iface_of(i), 1, (uint64_t)i,
			&interval, f->flows[i], FLOWS, 500, &result, why),
		    0);
		assert_int_equal(result, APPEND_DURABLE);
	}
	append_free(append);
	assert_int_equal(store_reader_open(".", &f->reader, why), 0);
	return f;
}

static void
end(struct fixture *f)
{
	store_reader_close(f->reader);
	schema_close(f->db);
	free(f);
}

static void
note_skipped(void *arg, const struct store_interval *interval, const char *why)
{
	struct fixture *f = arg;

	assert_string_equal(interval->iface.s, "eth1");
	f->skipped++;
	strcpy(f->skipped_why, why);
}

static struct query_row
key_of(unsigned fields, int interval, const struct flow_record *flow)
{
	struct query_row key = {0};

	if (fields & QUERY_TIME)
		key.begin_ms = begin_of(interval);
	if (fields & QUERY_IFACE)
		iface_name_set(&key.iface, iface_of(interval));
	if (fields & (QUERY_SRC | QUERY_DST))
		key.family = flow->family;
	if (fields & QUERY_SRC)
		memcpy(key.src, flow->src, 16);
	if (fields & QUERY_DST)
		memcpy(key.dst, flow->dst, 16);
	if (fields & QUERY_DPORT)
		key.dport = flow->dport;
	if (fields & QUERY_PROTO)
		key.proto = flow->proto;
	return key;
}

static bool
same_key(const struct query_row *a, const struct query_row *b)
{
	return a->begin_ms == b->begin_ms && strcmp(a->iface.s, b->iface.s) == 0 &&
	    a->family == b->family && memcmp(a->src, b->src, 16) == 0 &&
	    memcmp(a->dst, b->dst, 16) == 0 && a->dport == b->dport &&
	    a->proto == b->proto;
}

/* The slow way: looks through a plain list, over the flows as they were handed in. */
static size_t
expected_rows(struct fixture *f, const struct query *q, struct query_row **out)
{
	struct query_row *rows = calloc(INTERVALS * FLOWS, sizeof(*rows));
	size_t count = 0;

	for (int i = 0; i < INTERVALS; i++) {
		if (begin_of(i) < q->first_ms || begin_of(i) >= q->last_ms)
			continue;
		if (q->iface_count && strcmp(q->ifaces[0], iface_of(i)) != 0)
			continue;
		for (int n = 0; n < FLOWS; n++) {
			const struct flow_record *flow = &f->flows[i][n];
			struct query_row key = key_of(q->fields, i, flow);
			size_t at = 0;
			while (at < count && !same_key(&rows[at], &key))
				at++;
			if (at == count) {
				rows[count] = key;
				rows[count++].orientation = flow->orientation;
			}
			rows[at].flows++;
			if (flow->orientation < rows[at].orientation)
				rows[at].orientation = flow->orientation;
			for (int c = 0; c < 4; c++)
				counter_add(&rows[at].count[c >> 1][c & 1],
				    &flow->count[c >> 1][c & 1]);
		}
	}
	*out = rows;
	return count;
}

static void
check(struct fixture *f, const struct query *q)
{
	struct query_row *expected;
	struct query_result result;
	struct counter sum = {0, 0};
	uint64_t flows = 0;

	assert_int_equal(query_run(f->reader, q, &result), 0);
	size_t count = expected_rows(f, q, &expected);
	assert_int_equal(result.group_count, count);
	assert_int_equal(
	    result.row_count, q->limit && q->limit < count ? q->limit : count);
	uint64_t before = UINT64_MAX;
	for (size_t i = 0; i < result.row_count; i++) {
		const struct query_row *row = &result.rows[i];
		size_t at = 0;
		while (at < count && !same_key(&expected[at], row))
			at++;
		assert_true(at < count);
		assert_memory_equal(row->count, expected[at].count, sizeof(row->count));
		assert_true(row->flows == expected[at].flows);
		if ((q->fields & QUERY_SRC) && (q->fields & QUERY_DST))
			assert_int_equal(row->orientation, expected[at].orientation);
		struct counter total = query_total(row->count);
		uint64_t value = q->sort == QUERY_BY_BYTES ? total.bytes
		    : q->sort == QUERY_BY_PACKETS          ? total.packets
							   : row->flows;
		assert_true(value <= before);
		before = value;
	}
	/* Nothing that was left out would have come before the last one shown. */
	size_t larger = 0;
	for (size_t i = 0; i < count; i++) {
		struct counter total = query_total(expected[i].count);
		uint64_t value = q->sort == QUERY_BY_BYTES ? total.bytes
		    : q->sort == QUERY_BY_PACKETS          ? total.packets
							   : expected[i].flows;
		larger += value > before;
		counter_add(&sum, &total);
		flows += expected[i].flows;
	}
	assert_true(larger <= result.row_count);
	/* Totals are over everything, whatever the limit. */
	struct counter total = query_total(result.count);
	assert_true(counter_equal(&total, &sum));
	assert_true(result.flows == flows);
	free(expected);
	query_result_fini(&result);
}

static void
every_grouping_equals_a_plain_scan(void **state)
{
	struct fixture *f = begin();

	(void)state;
	for (unsigned fields = 0; fields <= QUERY_ALL; fields++) {
		/* three addresses and times together are slow the plain way */
		if ((fields & QUERY_SRC) && (fields & QUERY_DST) && fields % 3)
			continue;
		struct query q = {.fields = fields,
		    .first_ms = INT64_MIN,
		    .last_ms = INT64_MAX,
		    .sort = (enum query_sort)(fields % 3),
		    .limit = fields % 2 ? 10 : 0};
		check(f, &q);
	}
	end(f);
}

static void
bounds_take_whole_intervals_by_their_begin(void **state)
{
	struct fixture *f = begin();
	const char *const eth1[] = {"eth1"}, *const none[] = {"eth9"};
	struct query_result result;

	(void)state;
	struct query q = {
	    .fields = QUERY_PROTO, .first_ms = BEGIN, .last_ms = BEGIN + 1};
	check(f, &q);
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.intervals, 2);
	assert_int_equal(result.begin_ms, BEGIN);
	assert_int_equal(result.end_ms, BEGIN + STEP);
	query_result_fini(&result);

	q.first_ms = BEGIN + 1;
	q.last_ms = BEGIN + STEP;
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.intervals, 0);
	assert_int_equal(result.row_count, 0);
	query_result_fini(&result);

	q.last_ms = BEGIN + STEP + 1;
	q.ifaces = eth1;
	q.iface_count = 1;
	check(f, &q);
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.intervals, 1);
	query_result_fini(&result);
	q.ifaces = none;
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.intervals, 0);
	query_result_fini(&result);
	end(f);
}

static void
equal_rows_stand_in_the_order_of_their_keys(void **state)
{
	struct flow_record flows[64];
	struct store_reader *reader;
	struct query_result result;
	char why[STORE_WHY_SIZE];
	enum append_result done;
	sqlite3 *db;

	(void)state;
	for (int i = 0; i < 64; i++)
		flows[i] = testing_flow((uint16_t)(i * 37 % 64), 1, 1);
	struct interval interval = testing_interval(flows, 64, BEGIN, BEGIN + STEP);
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	assert_int_equal(testing_append(append, db, "eth0", 1, 1, &interval, flows, 64,
			     64, &done, why),
	    0);
	append_free(append);
	assert_int_equal(store_reader_open(".", &reader, why), 0);
	for (size_t limit = 1; limit <= 64; limit++) {
		struct query q = {.fields = QUERY_SRC,
		    .first_ms = INT64_MIN,
		    .last_ms = INT64_MAX,
		    .limit = limit};
		assert_int_equal(query_run(reader, &q, &result), 0);
		assert_int_equal(result.row_count, limit);
		for (size_t i = 0; i < limit; i++)
			assert_int_equal(result.rows[i].src[3], i);
		query_result_fini(&result);
	}
	store_reader_close(reader);
	schema_close(db);
}

static void
by_key_sorts_times_upwards(void **state)
{
	struct fixture *f = begin();
	struct query_result result;
	struct query q = {.fields = QUERY_TIME | QUERY_IFACE,
	    .first_ms = INT64_MIN,
	    .last_ms = INT64_MAX,
	    .sort = QUERY_BY_KEY};

	(void)state;
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.row_count, 4);
	for (int i = 0; i < INTERVALS; i++) {
		assert_int_equal(result.rows[i].begin_ms, begin_of(i));
		assert_string_equal(result.rows[i].iface.s, iface_of(i));
	}
	query_result_fini(&result);
	end(f);
}

static void
a_damaged_interval_is_named_and_left_out(void **state)
{
	struct fixture *f = begin();
	struct query_result result;
	struct query q = {.fields = QUERY_IFACE,
	    .first_ms = INT64_MIN,
	    .last_ms = INT64_MAX,
	    .skipped = note_skipped,
	    .arg = f};

	(void)state;
	/* one byte in the middle of a counter column of the second interval */
	assert_int_equal(sqlite3_exec(f->db,
			     "UPDATE column_data SET data=CAST(substr(data,1,60)||"
			     "x'00ff00'||substr(data,64) AS BLOB) WHERE id=2*64+11",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.skipped, 1);
	assert_int_equal(f->skipped, 1);
	assert_non_null(strstr(f->skipped_why, "received_forward_bytes"));
	assert_non_null(strstr(f->skipped_why, "checksum"));
	assert_int_equal(result.intervals, 3);
	assert_int_equal(result.flows, 3 * FLOWS);
	query_result_fini(&result);

	/* a column that is gone */
	assert_int_equal(sqlite3_exec(f->db, "DELETE FROM column_data WHERE id=2*64+11",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	assert_int_equal(result.skipped, 1);
	assert_non_null(strstr(f->skipped_why, "missing"));
	query_result_fini(&result);
	end(f);
}

/* SQLite's own pages carry no checksum, so an answer may be wrong in what is not ours to
 * check (a label, a lost row). But no damage may crash a reader, and sums that were read
 * from columns are right or left out. */
static void
damage_anywhere_in_the_file_is_survived(void **state)
{
	struct fixture *f = begin();
	uint64_t random = 88172645463325252u;
	size_t refused = 0, left_out = 0;
	struct query_result result;
	char why[STORE_WHY_SIZE];
	struct query q = {.fields = QUERY_IFACE | QUERY_PROTO,
	    .first_ms = INT64_MIN,
	    .last_ms = INT64_MAX};

	(void)state;
	assert_int_equal(query_run(f->reader, &q, &result), 0);
	struct counter most = query_total(result.count);
	query_result_fini(&result);
	end(f);
	int fd = open(STORE_DB_NAME, O_RDWR);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_true(size > 100000);
	for (int i = 0; i < 600; i++) {
		struct store_reader *reader;
		/* half of them in the first pages, where the trees are */
		uint64_t range = i % 2 ? (uint64_t)size : 5 * 8192;
		off_t at = (off_t)(testing_random(&random) % range);
		uint8_t byte, other;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		other = byte ^ (uint8_t)(1 + testing_random(&random) % 255);
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		if (store_reader_open(".", &reader, why) < 0) {
			refused++;
		} else {
			if (query_run(reader, &q, &result) < 0) {
				refused++;
			} else {
				struct counter sum = query_total(result.count);
				assert_true(sum.bytes <= most.bytes);
				left_out += result.skipped > 0;
				query_result_fini(&result);
			}
			store_reader_close(reader);
		}
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	assert_true(refused > 0 && left_out > 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(every_grouping_equals_a_plain_scan),
	    TEST(bounds_take_whole_intervals_by_their_begin),
	    TEST(equal_rows_stand_in_the_order_of_their_keys),
	    TEST(by_key_sorts_times_upwards),
	    TEST(a_damaged_interval_is_named_and_left_out),
	    TEST(damage_anywhere_in_the_file_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
