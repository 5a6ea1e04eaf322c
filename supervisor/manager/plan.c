#include "supervisor/manager/plan.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

const char *
plan_action_name(enum plan_action action)
{
	static const char *const names[] = {[PLAN_KEPT] = "kept",
	    [PLAN_CHANGED] = "changed",
	    [PLAN_NEW] = "new",
	    [PLAN_ENABLE] = "enable",
	    [PLAN_REMOVED] = "removed"};

	return names[action];
}

/* The parts of a plan while they are gathered. */
struct plan_work {
	struct plan *plan;
	struct supervisor *supervisor;
	const struct config_iface *entries;
	size_t entry_count;
	size_t room;
};

/* There is room for every entry, link and worker once. */
static struct plan_part *
plan_add(struct plan_work *work, const struct iface_name *iface)
{
	struct plan_part *part = &work->plan->parts[work->plan->count];

	if (work->plan->count == work->room)
		return NULL;
	work->plan->count++;
	part->iface = *iface;
	return part;
}

static void
plan_judge(struct plan_work *work, struct plan_part *part)
{
	struct worker *worker = manager_find(work->supervisor, part->iface.s);
	const char *reason;
	const char *text;

	if (!worker || worker->leaving) {
		part->action = PLAN_NEW;
		return;
	}
	part->key_count = capture_config_differences(
	    &worker->config, &part->entry->capture, part->keys);
	if (part->key_count > 0)
		part->action = PLAN_CHANGED;
	else if (!worker->enabled)
		part->action = PLAN_ENABLE;
	else if (worker_shown_state(worker, &reason, &text) == WORKER_ERROR &&
	    worker_link_presence(worker) == LINK_UP)
		part->action = PLAN_ENABLE;
	else
		part->action = PLAN_KEPT;
}

static void
plan_take_link(void *arg, const struct link *link)
{
	struct plan_work *work = arg;
	const struct config_iface *entry;
	struct plan_part *part;

	entry = config_iface_for(work->entries, work->entry_count, link->name.s,
	    (link->flags & IFF_UP) != 0, (link->flags & IFF_LOOPBACK) != 0);
	if (!entry || entry->kind == CONFIG_IFACE_NAMED)
		return;
	part = plan_add(work, &link->name);
	if (part)
		part->entry = entry;
}

static int
plan_compare(const void *a, const void *b)
{
	const struct plan_part *x = a;
	const struct plan_part *y = b;

	return strcmp(x->iface.s, y->iface.s);
}

/* What is counted through any-up and is down at the moment stays: it was taken when it was
 * up, and goes on when it is again. */
static const struct config_iface *
plan_keeps(const struct plan_work *work, const struct worker *worker)
{
	const struct link *link = links_find(work->supervisor->links, worker->iface.s);

	if (!link)
		return NULL;
	return config_iface_for(work->entries, work->entry_count, worker->iface.s, true,
	    (link->flags & IFF_LOOPBACK) != 0);
}

static void
plan_take_workers(struct plan_work *work)
{
	size_t listed = work->plan->count;
	const struct worker *worker;

	TAILQ_FOREACH(worker, &work->supervisor->workers, entry) {
		struct plan_part key = {.iface = worker->iface};
		const struct config_iface *entry;
		struct plan_part *part;

		if (worker->leaving ||
		    bsearch(&key, work->plan->parts, listed, sizeof(key), plan_compare))
			continue;
		part = plan_add(work, &worker->iface);
		if (!part)
			continue;
		entry = plan_keeps(work, worker);
		part->entry = entry;
		part->action = PLAN_REMOVED;
		if (entry)
			plan_judge(work, part);
	}
}

/* New ones have the room that is left: first those that are listed by their name. */
static void
plan_limit(struct plan *plan)
{
	size_t room = WORKERS_MAX;

	for (size_t i = 0; i < plan->count; i++) {
		enum plan_action action = plan->parts[i].action;

		if (action != PLAN_NEW && action != PLAN_REMOVED && room > 0)
			room--;
	}
	for (int named = 1; named >= 0; named--) {
		for (size_t i = 0; i < plan->count; i++) {
			struct plan_part *part = &plan->parts[i];

			if (part->action != PLAN_NEW ||
			    (part->entry->kind == CONFIG_IFACE_NAMED) != named)
				continue;
			if (room > 0)
				room--;
			else
				part->error = -E2BIG;
		}
	}
}

int
plan_make(struct plan *plan, struct supervisor *supervisor,
    const struct config_iface *entries, size_t count)
{
	struct plan_work work = {.plan = plan,
	    .supervisor = supervisor,
	    .entries = entries,
	    .entry_count = count};
	const struct worker *worker;

	work.room = count + links_count(supervisor->links);
	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		work.room++;
	}
	*plan = (struct plan){.parts = calloc(work.room + 1, sizeof(*plan->parts))};
	if (!plan->parts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct plan_part *part;

		if (entries[i].kind != CONFIG_IFACE_NAMED)
			continue;
		part = plan_add(&work, &entries[i].name);
		if (part)
			part->entry = &entries[i];
	}
	links_each(supervisor->links, plan_take_link, &work);
	qsort(plan->parts, plan->count, sizeof(plan->parts[0]), plan_compare);
	for (size_t i = 0; i < plan->count; i++)
		plan_judge(&work, &plan->parts[i]);
	plan_take_workers(&work);
	plan_limit(plan);
	return 0;
}

void
plan_fini(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->parts);
	*plan = (struct plan){.parts = NULL};
}
