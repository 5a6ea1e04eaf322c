/* The set of interfaces as one (the CaptureManager of the design): update, rotate all, and
 * the ordered end of everything. */
#ifndef WEIR_SUPERVISOR_MANAGER_H
#define WEIR_SUPERVISOR_MANAGER_H

#include "common/config.h"

struct supervisor;
struct worker;

/* From SIGTERM to the exit at most this, also when nothing answers. */
#define MANAGER_DRAIN_MS 20000
#define MANAGER_FLUSH_MS 6000
#define MANAGER_END_MS 2000

void manager_init(struct supervisor *supervisor);
/* Frees the interfaces; their processes end, their records stay. */
void manager_fini(struct supervisor *supervisor);

/* Makes the set of interfaces what the list says: new ones are started, those that are in
 * ERROR or changed are opened again, and what is not listed is drained, handed over and
 * removed. 0, or -ENOMEM with what could be done done. */
int manager_update(
    struct supervisor *supervisor, const struct config_iface *ifaces, size_t count);

/* Ends the running interval of every interface with this label. */
void manager_rotate_all(struct supervisor *supervisor, int64_t end_ms);

/* The interface of that name, or NULL. */
struct worker *manager_find(struct supervisor *supervisor, const char *name);

/* Reads the configuration file again; a file with faults changes nothing. */
void manager_reload(struct supervisor *supervisor);

/* Begins the ordered end: drain, last rotation, hand-over, flush; the loop stops then. The
 * second call ends the loop at once. */
void manager_stop(struct supervisor *supervisor);

/* Says in the log which files in the records directory belong to no interface. */
void manager_report_leftovers(struct supervisor *supervisor);

/* Told by the parts. */
void manager_store_ready(struct supervisor *supervisor);
void manager_store_gone(struct supervisor *supervisor);
void manager_handover_slot_free(struct supervisor *supervisor);
void manager_worker_gone(struct worker *worker); /* which is freed */
void manager_health_changed(struct supervisor *supervisor);
void manager_child_gone(struct supervisor *supervisor);

#endif
