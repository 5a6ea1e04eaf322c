/* Each map in work is an aggregate that its parts are added to, so memory follows the
 * rows, not the records. The list is in the order in which maps were begun. Whatever goes
 * wrong with a map ends it: the sender begins again at part 0, and the database has seen
 * nothing of it before the last part is in and its records add up to the books. */
#include "store/append.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/capture_config.h"
#include "common/clock.h"
#include "proto/flow_map.h"
#include "store/aggregate.h"
#include "store/block.h"
#include "store/commit.h"

/* Records of one map: the largest flow limit, and overflow flows. */
#define RECORDS_MAX (CAPTURE_FLOWS_MAX + 4096)

struct intake {
	struct intake *next;
	struct commit commit;
	uint64_t next_part;
	uint64_t records;
	struct mono touched;
};

struct append {
	struct intake *first;
	size_t maps;
	size_t maps_max;
	uint64_t bytes_max;
	struct block_encoder *encoder;
	bool log_flows;
	struct flow_log flow_log;
};

struct append *
append_new(size_t maps_max, uint64_t bytes_max)
{
	struct append *append = calloc(1, sizeof(*append));

	if (!append)
		return NULL;
	append->maps_max = maps_max;
	append->bytes_max = bytes_max;
	append->encoder = block_encoder_new();
	if (!append->encoder) {
		free(append);
		return NULL;
	}
	return append;
}

void
append_log_flows(struct append *append)
{
	append->log_flows = true;
	flow_log_init(&append->flow_log);
}

static void
intake_remove(struct append *append, struct intake *intake)
{
	struct intake **at = &append->first;

	while (*at != intake)
		at = &(*at)->next;
	*at = intake->next;
	append->maps--;
	aggregate_free(intake->commit.rows);
	free(intake);
}

void
append_free(struct append *append)
{
	if (!append)
		return;
	while (append->first)
		intake_remove(append, append->first);
	block_encoder_free(append->encoder);
	free(append);
}

size_t
append_maps(const struct append *append)
{
	return append->maps;
}

static struct intake *
intake_find(const struct append *append, const struct append_part *part)
{
	for (struct intake *in = append->first; in; in = in->next) {
		if (in->commit.file_id == part->file_id &&
		    in->commit.rotation == part->rotation &&
		    strcmp(in->commit.iface.s, part->iface.s) == 0)
			return in;
	}
	return NULL;
}

static uint64_t
bytes_in_work(const struct append *append)
{
	uint64_t sum = 0;

	for (const struct intake *in = append->first; in; in = in->next)
		sum += sizeof(*in) + aggregate_bytes(in->commit.rows);
	return sum;
}

static bool
is_full(const struct append *append)
{
	return append->maps >= append->maps_max ||
	    bytes_in_work(append) >= append->bytes_max;
}

static void
forget_stale(struct append *append)
{
	struct mono now = mono_now();
	struct intake *in = append->first;

	while (in) {
		struct intake *next = in->next;
		if (mono_ms_between(in->touched, now) >= APPEND_STALE_MS)
			intake_remove(append, in);
		in = next;
	}
}

static int
intake_begin(struct append *append, const struct append_part *part, struct intake **out,
    char why[static SCHEMA_WHY_SIZE])
{
	if (!part->interval) {
		snprintf(why, SCHEMA_WHY_SIZE, "part 0 comes without its interval");
		return -EINVAL;
	}
	if (!books_close(&part->interval->books)) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the books do not close: received is not in_flows plus refused");
		return -EBADMSG;
	}
	if (part->interval->flows > RECORDS_MAX) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "%" PRIu64 " flow records are more than a worker can have",
		    part->interval->flows);
		return -E2BIG;
	}
	if (is_full(append))
		forget_stale(append);
	if (is_full(append)) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "%zu maps are being taken in already, which is all there is room "
		    "for",
		    append->maps);
		return -EBUSY;
	}
	struct intake *in = calloc(1, sizeof(*in));
	if (in)
		in->commit.rows = aggregate_new(STORE_ROWS_MAX);
	if (!in || !in->commit.rows) {
		free(in);
		snprintf(why, SCHEMA_WHY_SIZE, "out of memory");
		return -ENOMEM;
	}
	in->commit.iface = part->iface;
	in->commit.file_id = part->file_id;
	in->commit.rotation = part->rotation;
	in->commit.interval = *part->interval;
	in->commit.flow_log = append->log_flows ? &append->flow_log : NULL;
	struct intake **at = &append->first;
	while (*at)
		at = &(*at)->next;
	*at = in;
	append->maps++;
	*out = in;
	return 0;
}

/* Records on their way into the aggregate, which likes to get many at a time. */
struct batch {
	struct intake *intake;
	size_t count;
	struct flow_record flows[64];
};

static int
batch_flush(struct batch *batch)
{
	size_t count = batch->count;

	batch->count = 0;
	return aggregate_add(batch->intake->commit.rows, batch->flows, count);
}

static int
take_record(void *arg, const struct flow_record *flow)
{
	struct batch *batch = arg;

	if (++batch->intake->records > batch->intake->commit.interval.flows)
		return -EBADMSG;
	batch->flows[batch->count++] = *flow;
	if (batch->count < sizeof(batch->flows) / sizeof(batch->flows[0]))
		return 0;
	return batch_flush(batch);
}

/* A worker may have been taken over by what it reads: its books and its flows must at
 * least tell the same story, or the totals of every answer would be wrong. */
static int
check_books(const struct intake *in, char why[static SCHEMA_WHY_SIZE])
{
	const struct books *books = &in->commit.interval.books;
	struct counter sum = aggregate_sum(in->commit.rows);
	struct counter overflow = aggregate_overflow(in->commit.rows);

	if (in->records != in->commit.interval.flows) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the map has %" PRIu64 " flow records, its interval says %" PRIu64,
		    in->records, in->commit.interval.flows);
		return -EBADMSG;
	}
	if (!counter_equal(&sum, &books->in_flows)) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the flows add up to %" PRIu64 " packets and %" PRIu64
		    " bytes, the books say %" PRIu64 " and %" PRIu64,
		    sum.packets, sum.bytes, books->in_flows.packets,
		    books->in_flows.bytes);
		return -EBADMSG;
	}
	if (!counter_equal(&overflow, &books->overflow)) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the overflow flows add up to %" PRIu64 " packets and %" PRIu64
		    " bytes, the books say %" PRIu64 " and %" PRIu64,
		    overflow.packets, overflow.bytes, books->overflow.packets,
		    books->overflow.bytes);
		return -EBADMSG;
	}
	return 0;
}

static int
take_part(struct append *append, struct intake *in, const struct append_part *part,
    char why[static SCHEMA_WHY_SIZE])
{
	struct batch batch;

	batch.intake = in;
	batch.count = 0;
	int rc = flow_map_each(part->chunk, part->len, take_record, &batch);
	if (rc == 0)
		rc = batch_flush(&batch);
	if (rc < 0) {
		if (rc == -EPROTO)
			snprintf(why, SCHEMA_WHY_SIZE,
			    "part %" PRIu64 " is not made of flow records", part->part);
		else if (rc == -EBADMSG)
			snprintf(why, SCHEMA_WHY_SIZE,
			    "the map has more flow records than the %" PRIu64
			    " that its interval says",
			    in->commit.interval.flows);
		else
			snprintf(why, SCHEMA_WHY_SIZE, "the flows cannot be summed: %s",
			    strerror(-rc));
		return rc;
	}
	if (in != append->first && bytes_in_work(append) > append->bytes_max) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "no room for this map beside the others that are being taken in");
		return -EBUSY;
	}
	in->next_part++;
	in->touched = mono_now();
	return 0;
}

int
append_part(struct append *append, sqlite3 *db, const struct append_part *part,
    enum append_result *result, char why[static SCHEMA_WHY_SIZE])
{
	struct intake *in = intake_find(append, part);
	int rc;

	why[0] = '\0';
	if (part->part == 0) {
		if (in)
			intake_remove(append, in);
		rc = commit_known(db, part->file_id, part->rotation);
		if (rc == 1) {
			*result = APPEND_KNOWN;
			return 0;
		}
		if (rc < 0) {
			snprintf(why, SCHEMA_WHY_SIZE, "the database: %s",
			    sqlite3_errmsg(db));
			return rc;
		}
		rc = intake_begin(append, part, &in, why);
		if (rc < 0)
			return rc;
	} else if (!in || in->next_part != part->part) {
		if (in)
			intake_remove(append, in);
		snprintf(why, SCHEMA_WHY_SIZE,
		    "part %" PRIu64
		    " does not follow what came before: begin again at 0",
		    part->part);
		return -ESTALE;
	}

	rc = take_part(append, in, part, why);
	if (rc == 0 && !part->last) {
		*result = APPEND_MORE;
		return 0;
	}
	if (rc == 0)
		rc = check_books(in, why);
	if (rc == 0)
		rc = commit_map(db, append->encoder, &in->commit, why);
	intake_remove(append, in);
	if (rc < 0)
		return rc;
	*result = rc == 1 ? APPEND_KNOWN : APPEND_DURABLE;
	return 0;
}
