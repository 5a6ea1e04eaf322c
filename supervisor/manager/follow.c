/* Interfaces that come and go. An interface that has a worker is the worker's matter
 * (worker_link.c); one that has none gets one when an entry of the configuration takes it.
 *
 * Which interfaces see the same packets is looked at a moment after a change: it compares
 * every pair, and links rarely come alone. With a thousand interfaces that are two tenths of
 * a second, so a few of them are looked at in a turn of the loop. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

#define FOLLOW_OVERLAP_MS 500
#define FOLLOW_OVERLAP_TURN 32 /* interfaces that are looked at in one turn */
#define FOLLOW_OVERLAP_PAUSE_MS 20

static const struct config_iface *
follow_entry(const struct supervisor *supervisor, const struct link *link)
{
	return config_iface_for(supervisor->config.ifaces,
	    supervisor->config.iface_count, link->name.s, (link->flags & IFF_UP) != 0,
	    (link->flags & IFF_LOOPBACK) != 0);
}

static void
follow_new(struct supervisor *supervisor, const struct iface_name *name,
    const struct config_iface *entry)
{
	bool enabled = !disabled_take(&supervisor->disabled, name);
	struct worker *worker;
	int rc = worker_new(&worker, supervisor, name, entry, enabled);

	if (rc == 0) {
		if (!enabled)
			log_iface_info("link", name->s, "stays disabled, as it was");
		return;
	}
	if (!enabled)
		disabled_remember(&supervisor->disabled, name);
	if (rc == -E2BIG)
		supervisor->more_due = true;
	else
		log_iface_err("link", name->s, "cannot be counted: out of memory");
}

/* It was being removed, because it had gone or was not listed, and is wanted again. */
static void
follow_stay(struct worker *worker, const struct config_iface *entry)
{
	worker_set_entry(worker, entry);
	worker_stay(worker);
	worker_set_enabled(worker, worker->enabled);
}

void
manager_follow(struct supervisor *supervisor, const struct iface_name *name)
{
	const struct link *link;
	const struct config_iface *entry;
	struct worker *worker = manager_find(supervisor, name->s);

	if (supervisor->stage != SUPERVISOR_RUNS)
		return;
	link = links_find(supervisor->links, name->s);
	entry = link ? follow_entry(supervisor, link) : NULL;
	if (!entry || (worker && !worker->leaving))
		return;
	if (worker) {
		follow_stay(worker, entry);
		return;
	}
	log_iface_info("link", name->s, "has appeared (index %d) and is taken by %s",
	    link->index, config_iface_text(entry));
	follow_new(supervisor, name, entry);
}

/* Also those that are listed by their name and are not there. */
static void
follow_on_more(void *arg)
{
	struct supervisor *supervisor = arg;
	struct plan plan;
	int rc;

	if (supervisor->stage != SUPERVISOR_RUNS)
		return;
	rc = plan_make(&plan, supervisor, supervisor->config.ifaces,
	    supervisor->config.iface_count);
	if (rc != 0) {
		log_err("link", "who is not counted yet stays so: out of memory");
		return;
	}
	supervisor->more_due = false;
	for (size_t i = 0; i < plan.count; i++) {
		const struct plan_part *part = &plan.parts[i];
		struct worker *worker = manager_find(supervisor, part->iface.s);

		if (part->action != PLAN_NEW)
			continue;
		if (part->error != 0)
			supervisor->more_due = true;
		else if (worker)
			follow_stay(worker, part->entry);
		else
			follow_new(supervisor, &part->iface, part->entry);
	}
	plan_fini(&plan);
}

void
manager_follow_more(struct supervisor *supervisor)
{
	/* Not from within what has made the room. */
	if (supervisor->more_due && !supervisor->more_timer.armed)
		loop_timer_set(supervisor->loop, &supervisor->more_timer, 0);
}

static void
follow_on_changed(void *arg, const struct iface_name *name)
{
	struct supervisor *supervisor = arg;
	struct worker *worker = manager_find(supervisor, name->s);

	if (worker)
		worker_link_changed(worker);
	/* Also what nobody counts may be what two that are counted have in common. */
	manager_overlap_changed(supervisor);
	manager_follow(supervisor, name);
}

/*
 * Who sees the same packets.
 */

static const struct link *
overlap_link(const struct worker *worker)
{
	if (!worker->enabled || worker->leaving || worker->link.lost)
		return NULL;
	return links_find(worker->supervisor->links, worker->iface.s);
}

static void
overlap_look(struct worker *worker, const struct link *const *counted, size_t count)
{
	const struct links *links = worker->supervisor->links;
	const struct link *link = overlap_link(worker);
	char text[OVERLAP_TEXT_SIZE] = "";

	for (size_t i = 0; link && i < count; i++) {
		if (overlap_between(links, link, counted[i], text))
			break;
		text[0] = '\0';
	}
	if (strcmp(worker->link.overlap, text) == 0)
		return;
	memcpy(worker->link.overlap, text, sizeof(text));
	if (text[0] != '\0')
		log_iface_warn("link", worker->iface.s,
		    "%s: who adds both up counts these packets twice", text);
}

/* The links that are counted, for this turn, in an array that the caller frees; NULL when
 * there is no memory for it. */
static const struct link **
overlap_counted(struct supervisor *supervisor, size_t *count)
{
	const struct link **counted;
	const struct worker *worker;
	size_t room = 0;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		room++;
	}
	counted = calloc(room + 1, sizeof(counted[0]));
	if (!counted)
		return NULL;
	*count = 0;
	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		counted[*count] = overlap_link(worker);
		if (counted[*count])
			(*count)++;
	}
	return counted;
}

static bool
overlap_is_due(struct supervisor *supervisor)
{
	const struct worker *worker;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		if (worker->link.overlap_due)
			return true;
	}
	return false;
}

static void
follow_on_overlap(void *arg)
{
	struct supervisor *supervisor = arg;
	unsigned turn = FOLLOW_OVERLAP_TURN;
	struct worker *worker;
	size_t count;
	const struct link **counted = overlap_counted(supervisor, &count);

	if (!counted) {
		loop_timer_set(
		    supervisor->loop, &supervisor->overlap_timer, FOLLOW_OVERLAP_MS);
		return;
	}
	/* What changes during a round is for the next one, else none would end. */
	if (!overlap_is_due(supervisor)) {
		supervisor->overlap_changed = false;
		TAILQ_FOREACH(worker, &supervisor->workers, entry) {
			worker->link.overlap_due = true;
		}
	}
	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		if (!worker->link.overlap_due || turn == 0)
			continue;
		worker->link.overlap_due = false;
		overlap_look(worker, counted, count);
		turn--;
	}
	free(counted);
	if (overlap_is_due(supervisor))
		loop_timer_set(supervisor->loop, &supervisor->overlap_timer,
		    FOLLOW_OVERLAP_PAUSE_MS);
	else if (supervisor->overlap_changed)
		loop_timer_set(
		    supervisor->loop, &supervisor->overlap_timer, FOLLOW_OVERLAP_MS);
}

void
manager_overlap_changed(struct supervisor *supervisor)
{
	supervisor->overlap_changed = true;
	if (!supervisor->overlap_timer.armed)
		loop_timer_set(
		    supervisor->loop, &supervisor->overlap_timer, FOLLOW_OVERLAP_MS);
}

int
manager_follow_start(struct supervisor *supervisor)
{
	static const struct links_events events = {.changed = follow_on_changed};

	supervisor->overlap_timer =
	    (struct loop_timer){.fire = follow_on_overlap, .arg = supervisor};
	supervisor->more_timer =
	    (struct loop_timer){.fire = follow_on_more, .arg = supervisor};
	return links_new(&supervisor->links, supervisor->loop, &events, supervisor);
}

void
manager_follow_stop(struct supervisor *supervisor)
{
	loop_timer_clear(supervisor->loop, &supervisor->overlap_timer);
	loop_timer_clear(supervisor->loop, &supervisor->more_timer);
	links_free(supervisor->links);
	supervisor->links = NULL;
}
