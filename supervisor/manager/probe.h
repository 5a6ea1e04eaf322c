/* Whether an interface could be counted with certain settings: a worker that opens the
 * capture, says how that went, and ends (PROTOCOL.md, "A worker that only checks").
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_MANAGER_PROBE_H
#define WEIR_SUPERVISOR_MANAGER_PROBE_H

#include "common/capture_config.h"
#include "common/iface.h"
#include "proto/check.h"

struct supervisor;
struct probe;

struct probe_result {
	char reason
	    [CHECK_REASON_SIZE]; /* "": it could; a reason of the worker; "failed" */
	char text[CHECK_TEXT_SIZE];
};

/* `done` is called once, later. 0 or negative errno, and then it is not. */
int probe_start(struct probe **out, struct supervisor *supervisor,
    const struct iface_name *iface, const struct capture_config *config,
    void (*done)(void *arg, const struct probe_result *result), void *arg);

/* `done` will not be called. Only before it was; accepts NULL. */
void probe_cancel(struct probe *probe);

#endif
