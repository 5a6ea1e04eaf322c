/* Where the lines of all processes of weir go: the sink of common/log.h that belongs to the
 * key `log` of the configuration.
 *
 *	stderr  no sink: common/log.c writes the lines of all
 *	syslog  syslog(3), ident weir-supervisor, facility daemon: `iface=eth0 topic: text`,
 *	        of a child `program=weir-worker iface=eth0 topic: text`
 *	udp     one message of RFC 5424 per datagram (log_message.h)
 *
 * Nobody who listens is no fault, and nobody who logs waits for whoever listens. */
#ifndef WEIR_SUPERVISOR_LOG_LOG_TARGET_H
#define WEIR_SUPERVISOR_LOG_LOG_TARGET_H

#include "common/config.h"

#define LOG_TARGET_WHY_SIZE 160

struct log_target;

/* Opens the target and makes it the sink. Call before other threads exist. 0 and *out,
 * which is NULL for stderr; or negative errno and a sentence, and nothing has changed. */
int log_target_open(struct log_target **out, const struct config_log *config,
    char why[static LOG_TARGET_WHY_SIZE]);

/* Call when threads may exist: syslog(3), which waits for its daemon, is called on a
 * thread of its own from now on. 0 or negative errno, and then it goes on as before. NULL
 * is fine, and so is a second call. */
int log_target_start(struct log_target *target);

/* Waits until what was logged has been handed on, at most 2 s. NULL is fine. */
void log_target_drain(struct log_target *target);

/* The same, and stderr again. Only when no other thread logs any more. NULL is fine. */
void log_target_close(struct log_target *target);

#endif
