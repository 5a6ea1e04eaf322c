/* Records that a former supervisor has left: those of interfaces that are counted are taken
 * over by their workers. For each of the others a worker without a capture is started, as
 * one that leaves: it takes the records over, what it holds is handed over to the store, and
 * it is removed together with the file. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/iface/records.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

static void
leftover_hand_over(struct supervisor *supervisor, const struct iface_name *iface)
{
	struct config_iface entry = {.kind = CONFIG_IFACE_NAMED, .name = *iface};
	struct worker *worker;
	int rc;

	log_iface_info("records", iface->s,
	    "is not counted now, but its records are there; they are handed over");
	capture_config_default(&entry.capture);
	rc = worker_new(&worker, supervisor, iface, &entry, false);
	if (rc != 0) {
		log_iface_warn("records", iface->s,
		    "its records are kept for the next start: %s", strerror(-rc));
		return;
	}
	/* Should it be wanted before it is gone, then to count. */
	worker->enabled = true;
	worker_leave(worker);
}

static void
leftover_look(void *arg, const char *file_name)
{
	struct supervisor *supervisor = arg;
	int dir_fd = supervisor->runtime.records_fd;
	struct iface_name iface;
	struct stat st;

	if (fstatat(dir_fd, file_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (records_iface(file_name, &iface) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid()) {
		log_warn("records",
		    "%s/%s cannot be taken over and is kept; remove it when nobody needs "
		    "it",
		    supervisor->runtime.records, file_name);
		return;
	}
	if (manager_find(supervisor, iface.s))
		return;
	/* One that nobody has counted in has nothing to hand over. */
	if (st.st_size == 0)
		records_remove(dir_fd, &iface);
	else
		leftover_hand_over(supervisor, &iface);
}

void
manager_take_leftovers(struct supervisor *supervisor)
{
	records_each(supervisor->runtime.records_fd, leftover_look, supervisor);
}
