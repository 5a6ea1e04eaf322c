/* Looks into nng's statistics, the only place where a failed connection shows. Ends are
 * counted by their error, those of pipes and those of connections that never became one
 * alike; how many pipes have ended is known from how many began and how many there are.
 * The search by nng_stat_find_listener() finds the first listener whatever was asked for,
 * so the tree is walked here. */
#include "proto/listener.h"

#include <errno.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/nng_errno.h"

static nng_stat *
find_listener(nng_stat *all, uint64_t id)
{
	nng_stat *at, *number;

	for (at = nng_stat_child(all); at; at = nng_stat_next(at)) {
		if (strcmp(nng_stat_name(at), "listener") != 0)
			continue;
		number = nng_stat_find(at, "id");
		if (number && nng_stat_value(number) == id)
			return at;
	}
	return NULL;
}

static uint64_t
value_of(nng_stat *listener, const char *name)
{
	nng_stat *stat = nng_stat_find(listener, name);

	return stat ? nng_stat_value(stat) : 0;
}

int
listener_failures(nng_listener listener, uint64_t *out)
{
	static const char *const ends[] = {"disconnect", "canceled", "other", "timeout",
	    "proto", "auth", "oom", "reject", "rcv_max"};
	uint64_t ended = 0, pipes_ended;
	nng_stat *all, *mine;
	int rc;

	rc = nng_stats_get(&all);
	if (rc != 0)
		return nng_errno(rc);
	mine = find_listener(all, (uint64_t)nng_listener_id(listener));
	if (mine) {
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			ended += value_of(mine, ends[i]);
		pipes_ended = value_of(mine, "accept") - value_of(mine, "pipes");
		*out = ended > pipes_ended ? ended - pipes_ended : 0;
	}
	nng_stats_free(all);
	return mine ? 0 : -ENOENT;
}
