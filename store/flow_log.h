/* One line per flow row in the log (topic `flow`, level info) when a map has been stored:
 *
 *	iface=eth0 begin=2026-01-31T23:55:00Z end=2026-02-01T00:00:00Z src=10.0.0.7
 *	dst=192.0.2.1 dport=443 proto=6 conversations=3 confidence=sure
 *	received_fwd_packets=12 received_fwd_bytes=1800 received_rev_packets=0 ...
 *
 * all in one line; the numbers of {received, sent} x {fwd, rev} as `weirctl query` has them.
 * There is no client's port: aggregation drops it. Every packet of every stored map is in
 * one line: maps of the same interval have lines of their own, which add up. One thread at a
 * time. */
#ifndef WEIR_STORE_FLOW_LOG_H
#define WEIR_STORE_FLOW_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/flow.h"
#include "common/iface.h"
#include "common/interval.h"

/* Whoever reads the log may take so long altogether; what is waited comes back within four
 * times that. It keeps an append far from its deadline, however many come at once. */
#define FLOW_LOG_WAIT_MS 15000

struct flow_log {
	int64_t budget_ms; /* that may still be waited */
	struct mono filled;
	uint64_t lost; /* lines, not told yet */
};

void flow_log_init(struct flow_log *log);

/* Waits where the log is full. Lines that are lost all the same are counted, and told in a
 * line as soon as one finds room. */
void flow_log_rows(struct flow_log *log, const struct iface_name *iface,
    const struct interval *interval, const struct flow_record *rows, size_t count);

#endif
