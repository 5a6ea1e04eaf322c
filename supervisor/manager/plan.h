/* What making the set of interfaces what the entries say would do, interface by interface:
 * decided in one place, so that a dry run says what the real one does. Changes nothing.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_MANAGER_PLAN_H
#define WEIR_SUPERVISOR_MANAGER_PLAN_H

#include "common/config.h"

struct supervisor;

enum plan_action {
	PLAN_KEPT = 0, /* listed, equal, and counting or waiting for its interface */
	PLAN_CHANGED, /* other settings */
	PLAN_NEW,
	PLAN_ENABLE, /* listed and equal, but disabled or in ERROR */
	PLAN_REMOVED,
};
const char *plan_action_name(enum plan_action action);

struct plan_part {
	struct iface_name iface;
	enum plan_action action;
	const struct config_iface *entry; /* of the entries given; NULL when removed */
	int error; /* 0; -E2BIG: no room for it; of manager_apply also -ENOMEM */
	const char *keys[CAPTURE_CONFIG_KEYS]; /* that differ, with PLAN_CHANGED */
	size_t key_count;
};

struct plan {
	/* Kept, changed and new ones by name, then removed and those that a pattern took
	 * and keeps. */
	struct plan_part *parts;
	size_t count;
};

/* The entries must outlive the plan. 0 or -ENOMEM. Free with plan_fini. */
int plan_make(struct plan *plan, struct supervisor *supervisor,
    const struct config_iface *entries, size_t count);
void plan_fini(struct plan *plan);

#endif
