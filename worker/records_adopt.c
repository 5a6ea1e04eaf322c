/* Taking over the records of a dead predecessor. It may have died between any two
 * stores, so at most one record is half changed (the journal names it) and at most one
 * rotation half done. Nothing in the file is believed before it is checked: a worker
 * that was taken over may have written anything. */
#include <errno.h>
#include <string.h>

#include "proto/msg.h"
#include "worker/records.h"

static int
roll_back(struct records *records, bool *repaired)
{
	struct records_header *header = records->header;
	const struct journal *journal = &header->journal;
	struct generation *generation;
	struct record *record;

	*repaired = false;
	if (journal->state == JOURNAL_EMPTY)
		return 0;
	if (journal->generation > 1)
		return -EBADMSG;
	generation = &header->generation[journal->generation];
	switch (journal->state) {
	case JOURNAL_RECORD:
		if (journal->index >= generation->count || journal->observed > SENT ||
		    journal->sender > ENDPOINT_B)
			return -EBADMSG;
		record = &records->record[journal->generation][journal->index];
		record->count[journal->observed][journal->sender] = journal->count;
		record->state = journal->record;
		break;
	case JOURNAL_REFUSED:
		if (journal->index >= REFUSED_MAX)
			return -EBADMSG;
		generation->books.refused[journal->index] = journal->count;
		break;
	default:
		return -EBADMSG;
	}
	records_barrier();
	header->journal.state = JOURNAL_EMPTY;
	*repaired = true;
	return 0;
}

static void
settle_rotation(struct records *records)
{
	struct records_header *header = records->header;
	uint64_t frozen = header->generation[!header->current].rotation;

	/* Marked but not changed over: it did not happen, the supervisor will ask again. */
	header->generation[header->current].rotation = 0;
	/* Changed over but not noted as the last command: it did happen. */
	if (frozen > header->command >> 16)
		header->command = frozen << 16 | (uint64_t)MSG_ROTATE << 8;
}

static int
recompute(struct records *records, unsigned g)
{
	struct generation *generation = &records->header->generation[g];
	struct counter in_flows = {0, 0}, overflow = {0, 0};
	struct counter refused;

	for (uint64_t i = 0; i < generation->count; i++) {
		const struct record *record = &records->record[g][i];
		struct counter *into = i < RECORDS_OVERFLOW ? &overflow : &in_flows;
		if (i >= RECORDS_OVERFLOW && record->key.family != FAMILY_IPV4 &&
		    record->key.family != FAMILY_IPV6)
			return -EBADMSG;
		for (int observed = RECEIVED; observed <= SENT; observed++) {
			counter_add(into, &record->count[observed][ENDPOINT_A]);
			counter_add(into, &record->count[observed][ENDPOINT_B]);
		}
	}
	counter_add(&in_flows, &overflow);
	generation->books.in_flows = in_flows;
	generation->books.overflow = overflow;
	generation->books.refused[REFUSED_NONE] = (struct counter){0, 0};
	refused = books_refused(&generation->books);
	counter_add(&refused, &in_flows);
	generation->books.received = refused;
	return 0;
}

int
records_adopt(struct records *records, bool *repaired)
{
	int rc = roll_back(records, repaired);

	if (rc != 0)
		return rc;
	settle_rotation(records);
	for (unsigned g = 0; g < 2 && rc == 0; g++)
		rc = recompute(records, g);
	return rc;
}
