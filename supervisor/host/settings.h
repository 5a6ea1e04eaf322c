/* What the configuration means on this host: users and groups looked up, paths checked.
 * Everything here is decided before anything is started or changed. */
#ifndef WEIR_SUPERVISOR_SETTINGS_H
#define WEIR_SUPERVISOR_SETTINGS_H

#include <sys/types.h>

#include "common/config.h"

struct settings {
	uid_t worker_uid;
	gid_t worker_gid;
	uid_t store_uid;
	gid_t client_gid; /* also the store's group: its members read the database */
};

/* Looks up and checks; each fault is given to `fault` as one complete line that says what
 * to do. 0, or -EINVAL when there was a fault. Changes nothing. */
int settings_resolve(struct settings *out, const struct config *config,
    void (*fault)(void *arg, const char *line), void *arg);

#endif
