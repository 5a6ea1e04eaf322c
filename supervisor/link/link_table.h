/* The links that are known, by index and by name, and which names have something new to
 * tell. Each look-up takes the same time whatever their number.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_LINK_LINK_TABLE_H
#define WEIR_SUPERVISOR_LINK_LINK_TABLE_H

#include <sys/queue.h>

#include "supervisor/link/links.h"

struct link_row {
	struct link link;
	uint32_t reading; /* the last one that it was part of */
	bool offload_asked; /* since anything about it was told */
	int offload_rc; /* of link_offload() */
	char offload[LINK_OFFLOAD_SIZE];
	LIST_ENTRY(link_row) entry;
};

/* Lives while a link has the name, or until the last change of it is told. */
struct link_name {
	struct iface_name name;
	struct link_row *row; /* NULL: nobody has it any more */
	bool changed;
	LIST_ENTRY(link_name) entry;
	TAILQ_ENTRY(link_name) changed_entry;
};

LIST_HEAD(link_rows, link_row);
LIST_HEAD(link_names, link_name);

struct link_table {
	struct link_rows *rows; /* by index */
	struct link_names *names;
	size_t buckets; /* of either: a power of 2 */
	size_t count; /* links */
	uint32_t reading; /* the present one */
	TAILQ_HEAD(, link_name) changed;
};

/* 0 or -ENOMEM. */
int link_table_init(struct link_table *table);
void link_table_fini(struct link_table *table); /* accepts a zeroed one */

struct link_row *link_table_find(const struct link_table *table, int index);
struct link_row *link_table_find_name(const struct link_table *table, const char *name);

/* What the link is now: adds it, or brings it up to date. 0, or -ENOMEM: the table
 * is as before. */
int link_table_put(struct link_table *table, const struct link *link);

/* Takes the link out, if it is there. */
void link_table_remove(struct link_table *table, int index);

/* A new reading of all links begins; afterwards those that were not put are taken
 * out. */
void link_table_begin(struct link_table *table);
void link_table_sweep(struct link_table *table);

/* The next name with something new, once each. False when there is none. */
bool link_table_next_changed(struct link_table *table, struct iface_name *out);

#endif
