#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "common/clock.h"
#include "store/aggregate.h"
#include "store/block.h"
#include "store/testing.h"

#define INTERVAL 4711

struct blobs {
	uint8_t *data[COLUMN_MAX];
	size_t len[COLUMN_MAX];
};

static void
encode_all(struct blobs *blobs, const struct flow_record *rows, size_t count)
{
	struct block_encoder *encoder = block_encoder_new();

	for (int c = 0; c < COLUMN_MAX; c++) {
		const void *data;
		assert_int_equal(block_encode(encoder, INTERVAL, (enum block_column)c,
				     rows, count, &data, &blobs->len[c]),
		    0);
		/* exactly as large as it is, so that a sanitizer sees every step over */
		blobs->data[c] = malloc(blobs->len[c]);
		memcpy(blobs->data[c], data, blobs->len[c]);
	}
	block_encoder_free(encoder);
}

static void
blobs_fini(struct blobs *blobs)
{
	for (int c = 0; c < COLUMN_MAX; c++)
		free(blobs->data[c]);
}

static void
round_trip(const struct flow_record *rows, size_t count)
{
	struct blobs blobs;
	struct block block;
	const char *why = NULL;

	encode_all(&blobs, rows, count);
	block_init(&block, count);
	for (int c = 0; c < COLUMN_MAX; c++)
		assert_int_equal(block_decode(&block, INTERVAL, (enum block_column)c,
				     blobs.data[c], blobs.len[c], &why),
		    0);
	for (size_t i = 0; i < count; i++) {
		struct flow_record want = rows[i], got;
		/* Times are whole milliseconds, rounded down. */
		want.first_ns -= ((want.first_ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS;
		want.last_ns -= ((want.last_ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS;
		block_row(&block, i, &got);
		assert_memory_equal(got.src, want.src, 16);
		assert_memory_equal(got.dst, want.dst, 16);
		assert_int_equal(got.family, want.family);
		assert_int_equal(got.proto, want.proto);
		assert_int_equal(got.sport, 0);
		assert_int_equal(got.dport, want.dport);
		assert_int_equal(got.orientation, want.orientation);
		assert_memory_equal(got.tcp_flags, want.tcp_flags, 2);
		assert_true(got.conversations == want.conversations);
		assert_true(got.first_ns == want.first_ns);
		assert_true(got.last_ns == want.last_ns);
		assert_memory_equal(got.count, want.count, sizeof(want.count));
	}
	block_fini(&block);
	blobs_fini(&blobs);
}

static size_t
aggregated(
    size_t flows, uint64_t seed, struct aggregate **a, const struct flow_record **rows)
{
	struct flow_record *list = calloc(flows, sizeof(*list));
	size_t count;

	testing_flows(list, flows, seed, TESTING_BEGIN_MS, TESTING_ROTATION_MS);
	*a = aggregate_new(flows);
	assert_int_equal(aggregate_add(*a, list, flows), 0);
	free(list);
	assert_int_equal(aggregate_finish(*a, rows, &count), 0);
	return count;
}

static void
gives_back_plausible_rows(void **state)
{
	const struct flow_record *rows;
	struct aggregate *a;

	(void)state;
	size_t count = aggregated(3000, 3, &a, &rows);
	round_trip(rows, count);
	aggregate_free(a);
}

static void
gives_back_no_rows_and_one_row(void **state)
{
	struct flow_record one = testing_flow(1, 2, 0);

	(void)state;
	round_trip(NULL, 0);
	round_trip(&one, 1);
}

static void
gives_back_the_largest_values_of_every_width(void **state)
{
	struct flow_record rows[67];

	(void)state;
	for (size_t i = 0; i < 67; i++) {
		struct flow_record *row = &rows[i];
		uint64_t v = i < 64 ? UINT64_C(1) << i : i == 64 ? UINT64_MAX : 0;
		memset(row, 0, sizeof(*row));
		row->family = i < 2 ? FAMILY_NONE : i < 30 ? FAMILY_IPV4 : FAMILY_IPV6;
		size_t len = i < 2 ? 0 : i < 30 ? 4 : 16;
		memset(row->src, (int)i, len);
		memset(row->dst, (int)(255 - i), len);
		row->dport = (uint16_t)(65535 - i);
		row->proto = (uint8_t)(255 - i);
		row->orientation = (uint8_t)(i * 3);
		row->tcp_flags[FWD] = 255;
		row->tcp_flags[REV] = (uint8_t)i;
		row->conversations = v;
		for (int n = 0; n < 4; n++)
			row->count[n >> 1][n & 1] = (struct counter){v, ~v};
		row->first_ns = i % 2 ? -(int64_t)i * 1234567 : (int64_t)(v / 2);
		row->last_ns = row->first_ns / 2 + (int64_t)(v / 4);
		if (row->last_ns < row->first_ns)
			row->last_ns = row->first_ns;
	}
	/* One width after the other, then all. */
	for (size_t n = 1; n <= 67; n++)
		round_trip(rows, n);
}

static int
decode_one(int column, const uint8_t *data, size_t len, size_t count, int64_t interval)
{
	struct block block;
	const char *why = NULL;

	block_init(&block, count);
	int rc =
	    block_decode(&block, interval, (enum block_column)column, data, len, &why);
	if (rc == -EBADMSG)
		assert_non_null(why);
	block_fini(&block);
	return rc;
}

static void
every_flipped_byte_is_found(void **state)
{
	const struct flow_record *rows;
	struct aggregate *a;
	struct blobs blobs;

	(void)state;
	size_t count = aggregated(300, 5, &a, &rows);
	encode_all(&blobs, rows, count);
	for (int c = 0; c < COLUMN_MAX; c++) {
		assert_int_equal(
		    decode_one(c, blobs.data[c], blobs.len[c], count, INTERVAL), 0);
		for (size_t i = 0; i < blobs.len[c]; i++) {
			for (int bit = 0; bit < 8; bit++) {
				blobs.data[c][i] ^= (uint8_t)(1 << bit);
				assert_int_equal(decode_one(c, blobs.data[c],
						     blobs.len[c], count, INTERVAL),
				    -EBADMSG);
				blobs.data[c][i] ^= (uint8_t)(1 << bit);
			}
		}
	}
	blobs_fini(&blobs);
	aggregate_free(a);
}

/* Somebody who writes the database can make any checksum right: then the other checks
 * must hold. Whatever comes out, it must not touch memory that is not ours. */
static void
damage_with_a_right_checksum_is_survived(void **state)
{
	const struct flow_record *rows;
	struct aggregate *a;
	struct blobs blobs;
	size_t refused = 0;

	(void)state;
	size_t count = aggregated(300, 5, &a, &rows);
	encode_all(&blobs, rows, count);
	for (int c = 0; c < COLUMN_MAX; c++) {
		uint8_t *blob = blobs.data[c];
		for (size_t i = 8; i < blobs.len[c]; i++) {
			for (int flip = 1; flip < 256; flip = flip * 3 + 1) {
				blob[i] ^= (uint8_t)flip;
				uint64_t sum = htole64(XXH3_64bits_withSeed(blob + 8,
				    blobs.len[c] - 8, INTERVAL * 64 + (uint64_t)c));
				memcpy(blob, &sum, 8);
				int rc =
				    decode_one(c, blob, blobs.len[c], count, INTERVAL);
				assert_true(rc == 0 || rc == -EBADMSG);
				refused += rc != 0;
				/* The base (24 to 31) and values may be anything. */
				if (i < 24 || (i >= 32 && i < 40))
					assert_int_equal(rc, -EBADMSG);
				blob[i] ^= (uint8_t)flip;
			}
		}
	}
	assert_true(refused > 1000);
	blobs_fini(&blobs);
	aggregate_free(a);
}

static void
every_cut_is_found(void **state)
{
	struct flow_record one = testing_flow(1, 2, 0);
	struct blobs blobs;

	(void)state;
	encode_all(&blobs, &one, 1);
	for (int c = 0; c < COLUMN_MAX; c++) {
		for (size_t len = 0; len < blobs.len[c]; len++) {
			uint8_t *cut = malloc(len + !len);
			memcpy(cut, blobs.data[c], len);
			assert_int_equal(
			    decode_one(c, cut, len, 1, INTERVAL), -EBADMSG);
			free(cut);
		}
	}
	blobs_fini(&blobs);
}

static void
a_blob_under_another_key_or_count_is_found(void **state)
{
	struct flow_record rows[2] = {testing_flow(1, 2, 0), testing_flow(2, 2, 0)};
	struct blobs blobs;

	(void)state;
	encode_all(&blobs, rows, 2);
	assert_int_equal(
	    decode_one(COLUMN_DPORT, blobs.data[2], blobs.len[2], 2, INTERVAL), 0);
	assert_int_equal(
	    decode_one(COLUMN_DPORT, blobs.data[2], blobs.len[2], 2, INTERVAL + 1),
	    -EBADMSG);
	assert_int_equal(
	    decode_one(COLUMN_PROTO, blobs.data[2], blobs.len[2], 2, INTERVAL),
	    -EBADMSG);
	assert_int_equal(
	    decode_one(COLUMN_DPORT, blobs.data[2], blobs.len[2], 3, INTERVAL),
	    -EBADMSG);
	blobs_fini(&blobs);
}

static void
equal_values_take_no_payload(void **state)
{
	struct flow_record rows[1000];
	struct blobs blobs;

	(void)state;
	for (int i = 0; i < 1000; i++)
		rows[i] = testing_flow((uint16_t)i, 9, 0);
	encode_all(&blobs, rows, 1000);
	assert_int_equal(blobs.len[COLUMN_DPORT], 40);
	assert_int_equal(blobs.len[COLUMN_COUNTERS + 1], 40);
	assert_true(blobs.len[COLUMN_SRC] < 40 + 4000);
	blobs_fini(&blobs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_back_plausible_rows),
	    cmocka_unit_test(gives_back_no_rows_and_one_row),
	    cmocka_unit_test(gives_back_the_largest_values_of_every_width),
	    cmocka_unit_test(every_flipped_byte_is_found),
	    cmocka_unit_test(damage_with_a_right_checksum_is_survived),
	    cmocka_unit_test(every_cut_is_found),
	    cmocka_unit_test(a_blob_under_another_key_or_count_is_found),
	    cmocka_unit_test(equal_values_take_no_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
