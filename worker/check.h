/* The worker that only checks: weir-worker --check (PROTOCOL.md, "A worker that only
 * checks"). */
#ifndef WEIR_WORKER_CHECK_H
#define WEIR_WORKER_CHECK_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/iface.h"

struct check_options {
	struct iface_name iface;
	bool
	    has_user; /* become uid:gid with CAP_NET_RAW alone; else keep what there is */
	uid_t uid;
	gid_t gid;
};

/* Reads what to check from CHILD_FD_START, opens, closes, answers on CHILD_FD_OUTPUT.
 * The process ends by SIGALRM when that takes too long. Answers the exit code: 0 when the
 * answer was written, whatever it says. */
int check_run(const struct check_options *options);

#endif
