/* Interfaces that come and go. An interface that has a worker is the worker's matter
 * (worker_link.c); one that has none gets one when an entry of the configuration takes it.
 *
 * Which interfaces see the same packets is looked at a moment after the last change: it
 * compares every pair, and links rarely come alone. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

#define FOLLOW_OVERLAP_MS 500

static const struct config_iface *
follow_entry(const struct supervisor *supervisor, const struct link *link)
{
	return config_iface_for(supervisor->config.ifaces,
	    supervisor->config.iface_count, link->name.s, (link->flags & IFF_UP) != 0,
	    (link->flags & IFF_LOOPBACK) != 0);
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
		/* It was being removed because it had gone, and is there again. */
		worker_set_entry(worker, entry);
		worker_stay(worker);
		worker_set_enabled(worker, true);
		return;
	}
	log_iface_info("link", name->s, "has appeared (index %d) and is taken by %s",
	    link->index, config_iface_text(entry));
	if (worker_new(&worker, supervisor, name, entry) == -ENOMEM)
		log_iface_err("link", name->s, "cannot be counted: out of memory");
}

static void
follow_on_changed(void *arg, const struct iface_name *name)
{
	struct supervisor *supervisor = arg;
	struct worker *worker = manager_find(supervisor, name->s);

	if (worker)
		worker_link_changed(worker);
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
overlap_look(struct worker *worker)
{
	struct supervisor *supervisor = worker->supervisor;
	const struct link *link = overlap_link(worker);
	char text[OVERLAP_TEXT_SIZE] = "";
	const struct worker *other;

	if (link) {
		TAILQ_FOREACH(other, &supervisor->workers, entry) {
			const struct link *second = overlap_link(other);

			if (other != worker && second &&
			    overlap_between(supervisor->links, link, second, text))
				break;
			text[0] = '\0';
		}
	}
	if (strcmp(worker->link.overlap, text) == 0)
		return;
	memcpy(worker->link.overlap, text, sizeof(text));
	if (text[0] != '\0')
		log_iface_warn("link", worker->iface.s,
		    "%s: who adds both up counts these packets twice", text);
}

static void
follow_on_overlap(void *arg)
{
	struct supervisor *supervisor = arg;
	struct worker *worker;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		overlap_look(worker);
	}
}

void
manager_overlap_changed(struct supervisor *supervisor)
{
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
	return links_new(&supervisor->links, supervisor->loop, &events, supervisor);
}

void
manager_follow_stop(struct supervisor *supervisor)
{
	loop_timer_clear(supervisor->loop, &supervisor->overlap_timer);
	links_free(supervisor->links);
	supervisor->links = NULL;
}
