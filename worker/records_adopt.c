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

/* Adds what a record or a class says to have counted. False for what no worker writes:
 * bytes without a packet (a record without packets is left out of what is handed over,
 * and its bytes would be missing there), and sums that nobody would take. */
static bool
add_checked(struct counter *sum, const struct counter *more)
{
	if (more->packets == 0 && more->bytes != 0)
		return false;
	if (more->packets > RECORDS_COUNT_MAX || more->bytes > RECORDS_COUNT_MAX)
		return false;
	counter_add(sum, more);
	return sum->packets <= RECORDS_COUNT_MAX && sum->bytes <= RECORDS_COUNT_MAX;
}

static bool
add_record(struct counter *sum, const struct record *record)
{
	return add_checked(sum, &record->count[RECEIVED][ENDPOINT_A]) &&
	    add_checked(sum, &record->count[RECEIVED][ENDPOINT_B]) &&
	    add_checked(sum, &record->count[SENT][ENDPOINT_A]) &&
	    add_checked(sum, &record->count[SENT][ENDPOINT_B]);
}

static int
recompute(struct records *records, unsigned g)
{
	struct generation *generation = &records->header->generation[g];
	struct books *books = &generation->books;
	struct counter in_flows = {0, 0}, overflow = {0, 0};
	struct counter received;

	for (uint64_t i = 0; i < generation->count; i++) {
		const struct record *record = &records->record[g][i];

		if (i >= RECORDS_OVERFLOW && record->key.family != FAMILY_IPV4 &&
		    record->key.family != FAMILY_IPV6)
			return -EBADMSG;
		if (!add_record(i < RECORDS_OVERFLOW ? &overflow : &in_flows, record))
			return -EBADMSG;
	}
	if (!add_checked(&in_flows, &overflow))
		return -EBADMSG;
	received = in_flows;
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		if (!add_checked(&received, &books->refused[class]))
			return -EBADMSG;
	}
	books->refused[REFUSED_NONE] = (struct counter){0, 0};
	books->in_flows = in_flows;
	books->overflow = overflow;
	books->received = received;
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
