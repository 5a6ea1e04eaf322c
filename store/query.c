/* A query lists the intervals, then reads the columns it needs one interval after the
 * other and adds every row to its group. Rows are sorted by source, so a run of rows
 * with the same key is common: the last group is tried before the hash table. */
#include "store/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/block.h"
#include "store/query_table.h"
#include "store/reader.h"

struct scan {
	const struct query *query;
	struct query_result *result;
	struct query_table table;
	uint64_t mask;
	bool with_orientation;
};

static uint64_t
columns_needed(unsigned fields)
{
	uint64_t mask = COLUMNS_COUNTERS | COLUMN_BIT(COLUMN_CONVERSATIONS);

	if (fields & QUERY_SRC)
		mask |= COLUMN_BIT(COLUMN_SRC);
	if (fields & QUERY_DST)
		mask |= COLUMN_BIT(COLUMN_DST);
	if (fields & QUERY_DPORT)
		mask |= COLUMN_BIT(COLUMN_DPORT);
	if (fields & QUERY_PROTO)
		mask |= COLUMN_BIT(COLUMN_PROTO);
	if ((fields & QUERY_SRC) && (fields & QUERY_DST))
		mask |= COLUMN_BIT(COLUMN_ORIENTATION);
	return mask;
}

static void
add_row(
    const struct block *block, size_t row, struct counter count[2][2], uint64_t *flows)
{
	struct counter *to = &count[0][0];

	for (int n = 0; n < 4; n++) {
		to[n].packets += block->value[COLUMN_COUNTERS + 2 * n][row];
		to[n].bytes += block->value[COLUMN_COUNTERS + 2 * n + 1][row];
	}
	*flows += block->value[COLUMN_CONVERSATIONS][row];
}

static int
add_block(struct scan *scan, const struct block *block, struct query_key *key)
{
	unsigned fields = scan->query->fields;
	bool per_row = fields & (QUERY_SRC | QUERY_DST | QUERY_DPORT | QUERY_PROTO);
	struct query_group *group = NULL;

	for (size_t row = 0; row < block->rows; row++) {
		if (per_row) {
			if (fields & (QUERY_SRC | QUERY_DST))
				key->family = block_family(block, row);
			if (fields & QUERY_SRC)
				block_address(block, COLUMN_SRC, row, key->src);
			if (fields & QUERY_DST)
				block_address(block, COLUMN_DST, row, key->dst);
			if (fields & QUERY_DPORT)
				key->dport = (uint16_t)block->value[COLUMN_DPORT][row];
			if (fields & QUERY_PROTO)
				key->proto = (uint8_t)block->value[COLUMN_PROTO][row];
		}
		if (!group ||
		    (per_row && memcmp(&group->key, key, sizeof(*key)) != 0)) {
			group = query_table_group(&scan->table, key);
			if (!group)
				return -ENOMEM;
		}
		add_row(block, row, group->count, &group->flows);
		if (scan->with_orientation) {
			uint8_t orientation =
			    (uint8_t)block->value[COLUMN_ORIENTATION][row];
			if (orientation < group->orientation)
				group->orientation = orientation;
		}
	}
	return 0;
}

static int
add_interval(
    struct scan *scan, struct store_reader *reader, const struct store_interval *listed)
{
	struct query_result *result = scan->result;
	struct query_key key = {0};
	struct store_interval now;
	struct block block;

	int rc = store_reader_block(reader, listed->id, scan->mask, &block, &now);
	if (rc == -ENOENT)
		return 0; /* expired meanwhile: as if it had been before */
	if (rc == -EBADMSG || rc == -EIO) {
		result->skipped++;
		if (scan->query->skipped)
			scan->query->skipped(
			    scan->query->arg, listed, store_reader_why(reader));
		return 0;
	}
	if (rc < 0)
		return rc;
	if (scan->query->fields & QUERY_TIME)
		key.begin_ms = now.interval.begin_ms;
	if (scan->query->fields & QUERY_IFACE)
		rc = query_table_iface(&scan->table, now.iface.s, &key.iface);
	if (rc == 0)
		rc = add_block(scan, &block, &key);
	result->scanned += block.rows;
	block_fini(&block);
	if (rc < 0)
		return rc;
	if (result->intervals == 0 || now.interval.begin_ms < result->begin_ms)
		result->begin_ms = now.interval.begin_ms;
	if (result->intervals == 0 || now.interval.end_ms > result->end_ms)
		result->end_ms = now.interval.end_ms;
	result->intervals++;
	return 0;
}

int
query_run(
    struct store_reader *reader, const struct query *query, struct query_result *result)
{
	struct store_interval *list = NULL;
	struct scan scan = {.query = query, .result = result};
	size_t count = 0;

	memset(result, 0, sizeof(*result));
	scan.mask = columns_needed(query->fields);
	scan.with_orientation = scan.mask & COLUMN_BIT(COLUMN_ORIENTATION);
	int rc = query_table_init(&scan.table);
	if (rc == 0)
		rc = store_reader_list(reader, query->ifaces, query->iface_count,
		    query->first_ms, query->last_ms, &list, &count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_interval(&scan, reader, &list[i]);
	if (rc < 0)
		goto out;

	for (size_t i = 0; i < scan.table.group_count; i++) {
		const struct query_group *group = &scan.table.groups[i];
		for (int observed = RECEIVED; observed <= SENT; observed++) {
			for (int dir = FWD; dir <= REV; dir++)
				counter_add(&result->count[observed][dir],
				    &group->count[observed][dir]);
		}
		result->flows += group->flows;
	}
	result->group_count = scan.table.group_count;
	rc = query_table_select(&scan.table, query->sort, query->limit,
	    scan.with_orientation, &result->rows, &result->row_count);
out:
	free(list);
	query_table_fini(&scan.table);
	if (rc < 0)
		memset(result, 0, sizeof(*result));
	return rc;
}

void
query_result_fini(struct query_result *result)
{
	if (!result)
		return;
	free(result->rows);
	memset(result, 0, sizeof(*result));
}
