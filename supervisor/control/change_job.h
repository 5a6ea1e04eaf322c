/* A request that wants something of several interfaces, until each has got there or cannot:
 * command_change.c decides what, this waits and answers.
 *
 * Use: change_job_new(), then for each interface change_job_add() and either a result at
 * once, or change_job_settle(), or change_job_probe(); at the end change_job_begun(), after
 * which the job is its own. Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_CONTROL_CHANGE_JOB_H
#define WEIR_SUPERVISOR_CONTROL_CHANGE_JOB_H

#include "supervisor/control/control.h"
#include "supervisor/iface/settle.h"
#include "supervisor/manager/manager.h"
#include "supervisor/manager/probe.h"

#define CHANGE_MS 20000

/* Requests of one user that are under way at the same time. */
#define CHANGE_USER_MAX (CONTROL_REQUESTS / 4)

enum change_result {
	CHANGE_PENDING = 0,
	CHANGE_DONE,
	CHANGE_UNCHANGED,
	CHANGE_FAILED,
	CHANGE_PLANNED,
	CHANGE_WILL_FAIL,
};

struct change_job;

struct change_part {
	struct change_job *job;
	struct iface_name iface;
	const char *action; /* static */
	const char *keys[CAPTURE_CONFIG_KEYS]; /* static */
	size_t key_count;
	bool in_place; /* nothing is opened again, so its interface may be down */
	enum change_result result;
	char error[32];
	char text[4 * MSG_TEXT_MAX + 1];
	struct settle_wait wait;
	struct capture_config *to_probe; /* owned; NULL: none, or its probe has begun */
	struct probe *probe;
	uint64_t rings; /* bytes that its probe may take */
};

struct change_job {
	struct request *request;
	bool dry_run;
	struct manager_setting settings[MANAGER_SETTINGS_MAX];
	size_t setting_count;
	struct loop_timer timer; /* private from here */
	size_t pending;
	size_t probes; /* under way */
	uint64_t rings; /* of theirs */
	size_t count;
	size_t room;
	struct change_part parts[];
};

/* For at most `count` interfaces. NULL: the request has been answered with an error. */
struct change_job *change_job_new(struct request *request, size_t count);
/* Before change_job_begun(); the request is not answered. Accepts NULL. */
void change_job_drop(struct change_job *job);

struct change_part *change_job_add(
    struct change_job *job, const struct iface_name *iface, const char *action);
void change_part_keys(struct change_part *part, const char *const *keys, size_t count);

/* Waits for the worker of that name. */
void change_job_settle(struct change_part *part, enum settle_goal goal);
/* Has it tried (config is copied). */
void change_job_probe(struct change_part *part, const struct capture_config *config);

/* Everything has been begun: the answer goes out when nothing is pending. */
void change_job_begun(struct change_job *job);

#endif
