/* One line of the log as one message of RFC 5424:
 *
 *	<27>1 2026-01-31T23:59:59.123Z host weir-worker 77 capture [weir@32473 iface="eth0"] text
 *
 * Facility daemon. 32473 is the enterprise number that RFC 5612 sets aside for whoever has
 * none. Without an interface the structured data are `-`. */
#ifndef WEIR_SUPERVISOR_LOG_LOG_MESSAGE_H
#define WEIR_SUPERVISOR_LOG_LOG_MESSAGE_H

#include <stddef.h>

#include "common/clock.h"
#include "common/log.h"

#define LOG_MESSAGE_SIZE \
	1024 /* what every receiver should take (RFC 5424, 6.1: 2048) */

/* Returns the length; there is no NUL at the end. The text is cut, between characters, to
 * what has room. `host` may be any text, NULL too. */
size_t log_message_format(char out[static LOG_MESSAGE_SIZE], struct wall now,
    const char *host, const struct log_record *record);

#endif
