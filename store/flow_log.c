/* Written by this process because it is the one that decodes flows: for the supervisor they
 * are bytes. */
#include "store/flow_log.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"

#define FLOW_LOG_REFILL 4 /* milliseconds for one of the budget */

void
flow_log_init(struct flow_log *log)
{
	*log = (struct flow_log){.budget_ms = FLOW_LOG_WAIT_MS, .filled = mono_now()};
}

static void
flow_log_fill(struct flow_log *log)
{
	struct mono now = mono_now();
	int64_t gained = mono_ms_between(log->filled, now) / FLOW_LOG_REFILL;

	if (gained <= 0)
		return;
	log->filled = mono_plus_ms(log->filled, gained * FLOW_LOG_REFILL);
	if (gained > FLOW_LOG_WAIT_MS - log->budget_ms)
		log->budget_ms = FLOW_LOG_WAIT_MS;
	else
		log->budget_ms += gained;
}

/* What every line of a map has in common. */
struct flow_log_labels {
	const char *iface;
	char begin[32];
	char end[32];
};

static int
flow_log_row(struct flow_log *log, const struct flow_log_labels *labels,
    const struct flow_record *row)
{
	const struct counter(*count)[2] = row->count;
	char src[46], dst[46];

	return log_iface_wait(LOG_LEVEL_INFO, "flow", labels->iface, &log->budget_ms,
	    "begin=%s end=%s src=%s dst=%s dport=%u proto=%u"
	    " conversations=%" PRIu64 " confidence=%s"
	    " received_fwd_packets=%" PRIu64 " received_fwd_bytes=%" PRIu64
	    " received_rev_packets=%" PRIu64 " received_rev_bytes=%" PRIu64
	    " sent_fwd_packets=%" PRIu64 " sent_fwd_bytes=%" PRIu64
	    " sent_rev_packets=%" PRIu64 " sent_rev_bytes=%" PRIu64,
	    labels->begin, labels->end, flow_address(row->family, row->src, src),
	    flow_address(row->family, row->dst, dst), (unsigned)row->dport,
	    (unsigned)row->proto, row->conversations,
	    orientation_confidence(row->orientation), count[RECEIVED][FWD].packets,
	    count[RECEIVED][FWD].bytes, count[RECEIVED][REV].packets,
	    count[RECEIVED][REV].bytes, count[SENT][FWD].packets,
	    count[SENT][FWD].bytes, count[SENT][REV].packets, count[SENT][REV].bytes);
}

static void
flow_log_tell_lost(struct flow_log *log)
{
	if (log->lost == 0)
		return;
	if (log_iface_wait(LOG_LEVEL_WARNING, "flow", NULL, &log->budget_ms,
		"%" PRIu64 " lines of flows were lost: the log does not take them fast "
		"enough; they are in the store",
		log->lost) == 0)
		log->lost = 0;
}

void
flow_log_rows(struct flow_log *log, const struct iface_name *iface,
    const struct interval *interval, const struct flow_record *rows, size_t count)
{
	struct flow_log_labels labels = {.iface = iface->s};

	wall_text_ms(interval->begin_ms, labels.begin);
	wall_text_ms(interval->end_ms, labels.end);
	flow_log_fill(log);
	flow_log_tell_lost(log);
	for (size_t i = 0; i < count; i++) {
		if (flow_log_row(log, &labels, &rows[i]) != 0)
			log->lost++;
	}
	flow_log_tell_lost(log);
}
