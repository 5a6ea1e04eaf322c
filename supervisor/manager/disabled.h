/* Interfaces that an operator has disabled and that have gone with their device: what a
 * pattern or any-up takes has no worker then that could remember. Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_MANAGER_DISABLED_H
#define WEIR_SUPERVISOR_MANAGER_DISABLED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/iface.h"

#define DISABLED_MAX 1024 /* then the one that has been gone longest is forgotten */

struct disabled {
	struct iface_name names[DISABLED_MAX]; /* private */
	size_t count;
	size_t oldest;
};

/* A zeroed struct remembers nobody. */
void disabled_remember(struct disabled *disabled, const struct iface_name *name);

/* Whether it is remembered; it is not any more then. */
bool disabled_take(struct disabled *disabled, const struct iface_name *name);

void disabled_forget(struct disabled *disabled);

#endif
