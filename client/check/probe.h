/* Asking a worker, in a process of its own, whether it could count on an interface
 * (`weir-worker --check`, PROTOCOL.md). Nothing of the interface is changed by it. */
#ifndef WEIR_CLIENT_CHECK_PROBE_H
#define WEIR_CLIENT_CHECK_PROBE_H

#include <sys/types.h>

#include "common/capture_config.h"
#include "common/iface.h"
#include "proto/check.h"

struct check_probe {
	/* what to ask */
	const char *iface;
	const struct capture_config *config; /* the caller's */
	/* what came */
	bool answered;
	char reason[CHECK_REASON_SIZE]; /* as in a worker's status; "" when it could */
	char text[CHECK_TEXT_SIZE]; /* in pcap's words; safe to print */
	bool no_rights; /* it could not become what a worker must be */
	char failure[128]; /* why there is no answer */
	/* private, while it runs */
	pid_t pid;
	int fd;
};

/* Fills in what came, of several at the same time as long as their buffers are not large.
 * `user` is "UID:GID" or NULL: as whoever asks. Every worker has ended afterwards, within seconds. */
void check_probe_all(const char *worker_path, const char *user,
    struct check_probe *probes, size_t count);

#endif
