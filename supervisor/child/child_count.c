/* Nobody but nng sees an answer that was not asked for: it drops what belongs to no request.
 * So the messages that came in are counted, in nng's statistics, against the requests that
 * went out: each has one answer at most, in time or late. A snapshot of the statistics is of
 * all sockets, so it is taken for all children at once. */
#include <string.h>

#include "supervisor/child/child_private.h"

static uint64_t
child_stat(nng_stat *pipe, const char *name)
{
	nng_stat *stat = nng_stat_find(pipe, name);

	return stat ? nng_stat_value(stat) : 0;
}

static struct child *
child_of_pipe(struct children *children, uint64_t id)
{
	struct child *child;

	LIST_FOREACH(child, &children->all, entry) {
		int pipe;

		pthread_mutex_lock(&child->lock);
		pipe = child->pipe;
		pthread_mutex_unlock(&child->lock);
		if (pipe != 0 && (uint64_t)pipe == id)
			return child;
	}
	return NULL;
}

static void
child_count_look(void *arg)
{
	struct children *children = arg;
	nng_stat *all;
	nng_stat *at;

	loop_timer_set(children->loop, &children->count_timer, CHILD_COUNT_MS);
	if (LIST_EMPTY(&children->all) || nng_stats_get(&all) != 0)
		return;
	for (at = nng_stat_child(all); at; at = nng_stat_next(at)) {
		struct child *child;

		if (strcmp(nng_stat_name(at), "pipe") != 0)
			continue;
		child = child_of_pipe(children, child_stat(at, "id"));
		if (child && child_stat(at, "rx_msgs") > child->asked)
			child_kill(child, "it answers what it was not asked");
	}
	nng_stats_free(all);
}

void
child_count_start(struct children *children)
{
	children->count_timer =
	    (struct loop_timer){.fire = child_count_look, .arg = children};
	loop_timer_set(children->loop, &children->count_timer, CHILD_COUNT_MS);
}

void
child_count_stop(struct children *children)
{
	loop_timer_clear(children->loop, &children->count_timer);
}
