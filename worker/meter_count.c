/* The path of every packet: decode, hash, and in batches look up and count. One store
 * protocol protects each change against the death of the process: see records.h. */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "worker/decode.h"
#include "worker/meter_private.h"

uint32_t
meter_hash(const struct meter *meter, const struct flow_key *key)
{
	return (uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), meter->seed);
}

static void
journal_close(struct records_header *header)
{
	records_barrier();
	header->journal.state = JOURNAL_EMPTY;
	records_barrier();
}

/* The row of undecodable packets: `not_ip` and `link_type` are understood well enough,
 * and anybody can send them, so they never count and end it. */
static void
count_undecodable(struct meter *meter, enum refusal class, int64_t ts_ns)
{
	if (class != REFUSED_TRUNCATED && class != REFUSED_BAD_HEADER) {
		meter->undecodable = 0;
		return;
	}
	if (meter->undecodable++ == 0)
		meter->undecodable_since_ns = ts_ns;
	meter->undecodable_last_ns = ts_ns;
}

static void
count_refused(struct meter *meter, enum refusal class, uint32_t wire_len)
{
	struct records_header *header = meter->records.header;
	struct counter *refused =
	    &header->generation[header->current].books.refused[class];
	struct journal *journal = &header->journal;

	journal->generation = header->current;
	journal->index = (uint64_t) class;
	journal->count = *refused;
	records_barrier();
	journal->state = JOURNAL_REFUSED;
	records_barrier();
	refused->packets++;
	refused->bytes += wire_len;
	journal_close(header);
}

/* Who is the initiator after this packet. Stronger evidence turns the flow over; without
 * any, the side of the earliest packet time is, and may still change as the two handles
 * of an interface deliver out of order. */
static void
update_orientation(struct record *record, const struct decoded *packet)
{
	uint8_t side = record->state.side;

	if (packet->orientation > record->state.orientation) {
		record->state.orientation = packet->orientation;
		record->state.side = (uint8_t)((side & SIDE_FIRST) |
		    (packet->initiator & SIDE_INITIATOR));
	} else if (record->state.orientation == ORIENT_FIRST &&
	    !(side & SIDE_CARRIED)) {
		record->state.side =
		    (side & SIDE_FIRST) ? SIDE_FIRST | SIDE_INITIATOR : 0;
	}
}

static void
count_in_record(struct meter *meter, uint32_t number, const struct pending *p)
{
	struct records_header *header = meter->records.header;
	unsigned g = header->current;
	struct record *record = &meter->records.record[g][number];
	const struct decoded *packet = &p->packet;
	struct counter *count = &record->count[packet->observed][packet->sender];
	struct journal *journal = &header->journal;

	journal->generation = g;
	journal->index = number;
	journal->observed = packet->observed;
	journal->sender = packet->sender;
	journal->count = *count;
	journal->record = record->state;
	records_barrier();
	journal->state = JOURNAL_RECORD;
	records_barrier();

	count->packets++;
	count->bytes += p->wire_len;
	record->state.tcp_flags[packet->sender] |= packet->tcp_flags;
	if (p->ts_ns > record->state.last_ns)
		record->state.last_ns = p->ts_ns;
	if (p->ts_ns < record->state.first_ns) {
		record->state.first_ns = p->ts_ns;
		record->state.side = (uint8_t)((record->state.side & ~SIDE_FIRST) |
		    (packet->sender == ENDPOINT_B ? SIDE_FIRST : 0));
	}
	if (number >= RECORDS_OVERFLOW)
		update_orientation(record, packet);
	journal_close(header);
}

/* A flow that is new in this interval keeps the initiator it had in the last one. */
static void
carry_orientation(struct meter *meter, struct record *record)
{
	unsigned frozen = !meter_current(meter);
	const struct record *records = meter->records.record[frozen];
	uint32_t number = flow_index_find(&meter->index[frozen], records,
	    meter->records.header->generation[frozen].count, &record->key,
	    record->state.hash);

	if (number == FLOW_INDEX_NONE)
		return;
	record->state.orientation = records[number].state.orientation;
	record->state.side = (uint8_t)((record->state.side & SIDE_FIRST) |
	    SIDE_CARRIED | (records[number].state.side & SIDE_INITIATOR));
}

/* Room for another flow record in the current generation? */
static bool
have_room(struct meter *meter)
{
	unsigned g = meter_current(meter);
	struct generation *generation = &meter->records.header->generation[g];

	if (meter->no_room || generation->count - RECORDS_OVERFLOW >= meter->flow_limit)
		return false;
	if (flow_index_reserve(
		&meter->index[g], meter->records.record[g], generation->count) != 0 ||
	    (generation->count == generation->allocated &&
		records_grow(&meter->records, g) != 0)) {
		/* Asking again for every packet would cost more than it could give. */
		meter->no_room = true;
		return false;
	}
	return true;
}

static void
count_new_flow(struct meter *meter, const struct pending *p)
{
	unsigned g = meter_current(meter);
	struct generation *generation = &meter->records.header->generation[g];
	const struct decoded *packet = &p->packet;
	uint32_t number = (uint32_t)generation->count;
	struct record *record = &meter->records.record[g][number];

	memset(record->count, 0, sizeof(record->count));
	record->count[packet->observed][packet->sender] =
	    (struct counter){1, p->wire_len};
	record->key = packet->key;
	record->state.first_ns = p->ts_ns;
	record->state.last_ns = p->ts_ns;
	record->state.orientation = ORIENT_FIRST;
	record->state.side =
	    packet->sender == ENDPOINT_B ? SIDE_FIRST | SIDE_INITIATOR : 0;
	record->state.tcp_flags[ENDPOINT_A] = 0;
	record->state.tcp_flags[ENDPOINT_B] = 0;
	record->state.tcp_flags[packet->sender] = packet->tcp_flags;
	record->state.hash = p->hash;
	carry_orientation(meter, record);
	update_orientation(record, packet);
	records_barrier();
	generation->count++; /* now it is a flow */
	records_barrier();
	flow_index_insert(&meter->index[g], p->hash, number);
}

/* The table is full: the packet is counted by protocol, without addresses and ports.
 * `sender` then means forward or reverse, as far as the packet itself tells. */
static void
count_overflow(struct meter *meter, const struct pending *p)
{
	struct records_header *header = meter->records.header;
	struct record *record =
	    &meter->records.record[header->current][p->packet.key.proto];
	struct pending nameless = *p;

	nameless.packet.sender = p->packet.orientation != ORIENT_NONE &&
	    p->packet.initiator != p->packet.sender;
	nameless.packet.tcp_flags = 0;
	if (!record_used(record)) {
		record->state.first_ns = p->ts_ns;
		record->state.last_ns = p->ts_ns;
		record->key.proto = p->packet.key.proto;
	}
	count_in_record(meter, p->packet.key.proto, &nameless);
	header->generation[header->current].books.overflow.packets++;
	header->generation[header->current].books.overflow.bytes += p->wire_len;
}

static void
count_packet(struct meter *meter, const struct pending *p)
{
	unsigned g = meter_current(meter);
	struct generation *generation = &meter->records.header->generation[g];
	uint32_t number = flow_index_find(&meter->index[g], meter->records.record[g],
	    generation->count, &p->packet.key, p->hash);

	if (number != FLOW_INDEX_NONE)
		count_in_record(meter, number, p);
	else if (have_room(meter))
		count_new_flow(meter, p);
	else
		count_overflow(meter, p);
	generation->books.in_flows.packets++;
	generation->books.in_flows.bytes += p->wire_len;
}

void
meter_flush(struct meter *meter)
{
	unsigned g = meter_current(meter);
	struct generation *generation = &meter->records.header->generation[g];
	const struct record *records = meter->records.record[g];

	for (unsigned i = 0; i < meter->pending_count; i++) {
		uint32_t number =
		    flow_index_guess(&meter->index[g], meter->pending[i].hash);
		if (number == FLOW_INDEX_NONE) {
			flow_index_prefetch(&meter->index[!g], meter->pending[i].hash);
			continue;
		}
		__builtin_prefetch(&records[number], 1);
		__builtin_prefetch(&records[number].key, 1);
	}
	for (unsigned i = 0; i < meter->pending_count; i++)
		count_packet(meter, &meter->pending[i]);
	meter->pending_count = 0;
	counter_add(&generation->books.received, &meter->pending_sum);
	counter_add(&meter->total, &meter->pending_sum);
	meter->pending_sum = (struct counter){0, 0};
}

void
meter_packet(struct meter *meter, const struct packet *packet)
{
	struct pending *p = &meter->pending[meter->pending_count];
	enum refusal class = decode_packet(packet, &p->packet);

	meter->pending_sum.packets++;
	meter->pending_sum.bytes += packet->wire_len;
	if (class != REFUSED_NONE) {
		count_refused(meter, class, packet->wire_len);
		count_undecodable(meter, class, packet->ts_ns);
		refusals_add(&meter->refusals, class, packet);
		return;
	}
	meter->undecodable = 0;
	if (p->packet.fragment != FRAGMENT_NONE)
		fragments_packet(meter->fragments, &p->packet, packet->ts_ns);
	p->ts_ns = packet->ts_ns;
	p->wire_len = packet->wire_len;
	p->hash = meter_hash(meter, &p->packet.key);
	flow_index_prefetch(&meter->index[meter_current(meter)], p->hash);
	if (++meter->pending_count == METER_BATCH)
		meter_flush(meter);
}
