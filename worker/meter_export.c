/* A generation as flow records, oriented: what the walk along the array sees as endpoints
 * a and b leaves as source and destination. */
#include <errno.h>
#include <string.h>

#include "proto/flow_map.h"
#include "worker/meter_private.h"

static void
export_record(const struct record *record, bool overflow, struct flow_record *out)
{
	/* Overflow records count forward as a and reverse as b. */
	unsigned initiator =
	    overflow ? ENDPOINT_A : record->state.side & SIDE_INITIATOR;

	memset(out, 0, sizeof(*out));
	out->family = overflow ? FAMILY_NONE : record->key.family;
	out->proto = record->key.proto;
	out->orientation = overflow ? ORIENT_NONE : record->state.orientation;
	if (!overflow) {
		memcpy(out->src, record->key.address[initiator], sizeof(out->src));
		memcpy(out->dst, record->key.address[!initiator], sizeof(out->dst));
		out->sport = record->key.port[initiator];
		out->dport = record->key.port[!initiator];
	}
	out->tcp_flags[FWD] = record->state.tcp_flags[initiator];
	out->tcp_flags[REV] = record->state.tcp_flags[!initiator];
	out->conversations = 1;
	out->first_ns = record->state.first_ns;
	out->last_ns = record->state.last_ns;
	for (int observed = RECEIVED; observed <= SENT; observed++) {
		out->count[observed][FWD] = record->count[observed][initiator];
		out->count[observed][REV] = record->count[observed][!initiator];
	}
}

int
meter_fetch(struct meter *meter, uint64_t rotation, uint64_t cursor, struct pack *out,
    uint64_t *next, bool *last, uint64_t *flows)
{
	const struct records *records = &meter->records;
	unsigned g = !meter_current(meter);
	const struct generation *generation = &records->header->generation[g];
	size_t limit = out->buffer.size + MSG_CHUNK_MAX - FLOW_MAP_RECORD_MAX;
	struct flow_record flow;

	if (rotation == 0 || generation->rotation != rotation)
		return -ESTALE;
	if (cursor > generation->count)
		return -EINVAL;
	*flows = 0;
	for (; cursor < generation->count && out->buffer.size <= limit; cursor++) {
		const struct record *record = &records->record[g][cursor];
		bool overflow = cursor < RECORDS_OVERFLOW;
		if (overflow && !record_used(record))
			continue;
		export_record(record, overflow, &flow);
		flow_map_pack(out, &flow);
		(*flows)++;
	}
	*next = cursor;
	*last = cursor == generation->count;
	return 0;
}

uint64_t
meter_look_end(const struct meter *meter)
{
	return meter->records.header->generation[meter_current(meter)].count;
}

size_t
meter_look(const struct meter *meter, uint64_t *cursor, uint64_t end,
    struct flow_record *out, size_t most)
{
	const struct record *records = meter->records.record[meter_current(meter)];
	uint64_t stop = meter_look_end(meter);
	size_t count = 0;

	if (end < stop)
		stop = end;
	if (*cursor < stop && stop - *cursor > most)
		stop = *cursor + most;
	else if (*cursor >= stop)
		*cursor = end; /* another generation: nothing is left of this one */
	for (; *cursor < stop; (*cursor)++) {
		bool overflow = *cursor < RECORDS_OVERFLOW;

		if (!overflow || record_used(&records[*cursor]))
			export_record(&records[*cursor], overflow, &out[count++]);
	}
	return count;
}
