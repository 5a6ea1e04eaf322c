/* The set of interfaces as one (the CaptureManager of the design).
 *
 *	manager.c   who there is, rotate all
 *	plan.c      what other entries would change
 *	disabled.c  who was disabled and is gone
 *	follow.c    interfaces that come and go
 *	leftover.c  records of interfaces that are not counted any more
 *	reload.c    the configuration file again
 *	probe.c     whether an interface could be counted
 *	stop.c      the ordered end of everything
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_MANAGER_MANAGER_H
#define WEIR_SUPERVISOR_MANAGER_MANAGER_H

#include "common/config.h"
#include "supervisor/manager/plan.h"

struct supervisor;
struct worker;

void manager_init(struct supervisor *supervisor);
/* Frees the interfaces; their processes end, their records stay. */
void manager_fini(struct supervisor *supervisor);

/* The interface of that name, or NULL. */
struct worker *manager_find(struct supervisor *supervisor, const char *name);

/* Does what the plan says: what is not listed is drained, handed over and removed, new ones
 * are started, changed ones and those in ERROR opened again. The plan must be of this turn
 * of the loop, and its entries in force already (manager_set_entries). What could not be
 * done says so in its `error`; what there is no room for is done when there is. 0, or
 * -ENOMEM with what could be done done. */
int manager_apply(struct supervisor *supervisor, struct plan *plan);

/* The entries (copied) by which interfaces are taken from now on as they appear; who was
 * disabled before is no more. 0 or -ENOMEM. */
int manager_set_entries(
    struct supervisor *supervisor, const struct config_iface *entries, size_t count);

/* What an operator has disabled and is gone is enabled when it is there again. */
void manager_forget_disabled(struct supervisor *supervisor);

/* Ends the running interval of every interface with this label. */
void manager_rotate_all(struct supervisor *supervisor, int64_t end_ms);

/* leftover.c: hands over what a former supervisor has left in the records directory of
 * interfaces that are not counted now; says in the log which files cannot be. */
void manager_take_leftovers(struct supervisor *supervisor);

/* follow.c: begins to follow the links; then an event for each change. 0 or negative
 * errno. */
int manager_follow_start(struct supervisor *supervisor);
void manager_follow_stop(struct supervisor *supervisor);
/* An interface may be wanted that has no worker (yet, or any more). */
void manager_follow(struct supervisor *supervisor, const struct iface_name *name);
/* There may be room for those that there was none for. */
void manager_follow_more(struct supervisor *supervisor);
/* Who sees the same packets is to be looked at anew. */
void manager_overlap_changed(struct supervisor *supervisor);

/* reload.c */

/* A key outside of `interfaces` and `defaults` that is not what is in force. */
struct manager_setting {
	const char *key;
	bool now; /* takes effect with a reload; else with a restart */
};
#define MANAGER_SETTINGS_MAX 16
size_t manager_settings(const struct supervisor *supervisor,
    const struct config *config,
    struct manager_setting out[static MANAGER_SETTINGS_MAX]);
/* Takes what can be taken now. */
void manager_take_settings(struct supervisor *supervisor, const struct config *config);
/* SIGHUP: the file, the plan, and what it says; a file with faults changes nothing. */
void manager_reload(struct supervisor *supervisor);

/* stop.c */

/* From SIGTERM to the exit at most this, also when nothing answers. */
#define MANAGER_DRAIN_MS 20000
#define MANAGER_FLUSH_MS 6000
#define MANAGER_END_MS 2000

/* Begins the ordered end: drain, last rotation, hand-over, flush; the loop stops then. The
 * second call ends the loop at once. */
void manager_stop(struct supervisor *supervisor);
void manager_on_stage_timer(void *arg);
void manager_drained(struct supervisor *supervisor); /* no interface is left */

/* Told by the parts. */
void manager_store_ready(struct supervisor *supervisor);
void manager_store_gone(struct supervisor *supervisor);
void manager_handover_slot_free(struct supervisor *supervisor);
void manager_worker_gone(struct worker *worker); /* which is freed */
void manager_health_changed(struct supervisor *supervisor);
void manager_child_gone(struct supervisor *supervisor);

#endif
