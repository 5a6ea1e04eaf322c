/* What the parts of the supervisor share: one struct, owned by the loop's thread.
 *
 *	loop        descriptors, timers, posts            (loop.h)
 *	children    processes, the pipes to them          (child.h, ask.h, spawn.h)
 *	links       the interfaces that there are         (link/links.h)
 *	workers     one per interface: process, commands,
 *	            hand-over to the store                (worker.h)
 *	store       the process weir-store                (store_link.h)
 *	control     requests of clients                   (control.h, commands.h)
 *	manager     the set of interfaces, the end        (manager.h)
 *	rotation    when an interval ends                 (rotation.h) */
#ifndef WEIR_SUPERVISOR_SUPERVISOR_H
#define WEIR_SUPERVISOR_SUPERVISOR_H

#include <sys/queue.h>

#include "common/config.h"
#include "supervisor/child/child.h"
#include "supervisor/link/links.h"
#include "supervisor/loop/loop.h"
#include "supervisor/loop/rotation.h"
#include "supervisor/manager/disabled.h"
#include "supervisor/host/runtime.h"
#include "supervisor/host/settings.h"
#include "supervisor/store_link.h"

struct worker;
struct control;
struct log_target;

enum supervisor_stage {
	SUPERVISOR_RUNS = 0,
	SUPERVISOR_DRAINS, /* the workers end, each after its last hand-over */
	SUPERVISOR_FLUSHES, /* the store writes its last */
	SUPERVISOR_ENDS, /* waits for processes to be gone */
};

struct supervisor {
	struct loop *loop;
	struct children *children;
	int program_dir; /* the executables of the children */
	struct links *links;
	struct config config; /* its ifaces: the entries in force, also of `update` */
	const char *config_path;
	struct settings settings;
	struct log_target *log; /* NULL: stderr */
	struct runtime runtime;
	struct store_link store;
	struct rotation rotation;
	struct control *control;
	TAILQ_HEAD(worker_list, worker) workers;
	struct disabled disabled;
	bool more_due; /* some are not counted for want of room */
	struct mono started;
	enum supervisor_stage stage;
	struct loop_timer stage_timer; /* at the latest then the next stage */
	struct loop_timer health_timer;
	struct loop_timer overlap_timer;
	bool overlap_changed; /* since the last look began */
	struct loop_timer more_timer; /* there may be room now */
};

#endif
