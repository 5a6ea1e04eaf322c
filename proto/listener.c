/* Looks into nng's statistics, the only place where a failed connection shows: "other"
 * counts every end of an accept that is no known error, success included. The search by
 * nng_stat_find_listener() finds the first listener whatever was asked for, so the tree
 * is walked here. */
#include "proto/listener.h"

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

int
listener_failures(nng_listener listener, uint64_t *out)
{
	nng_stat *all, *mine, *other, *accepted;
	uint64_t ended, good;
	int rc;

	rc = nng_stats_get(&all);
	if (rc != 0)
		return nng_errno(rc);
	rc = -ENOENT;
	mine = find_listener(all, (uint64_t)nng_listener_id(listener));
	if (!mine)
		goto out;
	other = nng_stat_find(mine, "other");
	accepted = nng_stat_find(mine, "accept");
	if (!other || !accepted)
		goto out;
	ended = nng_stat_value(other);
	good = nng_stat_value(accepted);
	*out = ended > good ? ended - good : 0;
	rc = 0;
out:
	nng_stats_free(all);
	return rc;
}
