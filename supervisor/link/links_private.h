/* The inside of links.c, for its test too. */
#ifndef WEIR_SUPERVISOR_LINK_LINKS_PRIVATE_H
#define WEIR_SUPERVISOR_LINK_LINKS_PRIVATE_H

#include "supervisor/link/link_table.h"
#include "supervisor/link/rtnl.h"

struct links {
	struct loop *loop;
	const struct links_events *events;
	void *arg;
	struct link_table table;
	struct rtnl follow;
	struct rtnl ask; /* links_refresh() */
	struct loop_watch *watch;
	struct loop_post tell; /* what links_refresh() found */
	struct loop_timer again; /* the reading that did not succeed */
	bool stale; /* events were lost: all links must be read again */
	bool reading; /* the list is on its way */
	bool interrupted; /* ... and may be incomplete */
	int error; /* ... or has ended with this */
	uint64_t readings; /* since the start */
};

#endif
