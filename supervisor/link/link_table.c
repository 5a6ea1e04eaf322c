/* Two hash tables of the same size. A link has a row of its own; a name has one too,
 * since a name can have something to tell when no link has it any more. Between two
 * messages of the kernel two links may claim one name (the older is gone or renamed,
 * which is told next): the name is the last claimant's, and both stay in the table
 * by index. */
#include "supervisor/link/link_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LINK_TABLE_FIRST_BUCKETS 64

static struct link_rows *
link_table_rows(const struct link_table *table, int index)
{
	/* The kernel counts indexes up: that is spread well enough. */
	return &table->rows[(size_t)index & (table->buckets - 1)];
}

static struct link_names *
link_table_names(const struct link_table *table, const char *name)
{
	uint64_t hash = XXH3_64bits(name, strnlen(name, IFACE_NAME_SIZE));

	return &table->names[hash & (table->buckets - 1)];
}

int
link_table_init(struct link_table *table)
{
	struct link_table made = {
	    .rows = calloc(LINK_TABLE_FIRST_BUCKETS, sizeof(*made.rows)),
	    .names = calloc(LINK_TABLE_FIRST_BUCKETS, sizeof(*made.names)),
	    .buckets = LINK_TABLE_FIRST_BUCKETS};

	if (!made.rows || !made.names) {
		free(made.rows);
		free(made.names);
		return -ENOMEM;
	}
	*table = made;
	TAILQ_INIT(&table->changed);
	return 0;
}

void
link_table_fini(struct link_table *table)
{
	for (size_t i = 0; i < table->buckets; i++) {
		struct link_row *row;
		struct link_name *name;

		while ((row = LIST_FIRST(&table->rows[i])) != NULL) {
			LIST_REMOVE(row, entry);
			free(row);
		}
		while ((name = LIST_FIRST(&table->names[i])) != NULL) {
			LIST_REMOVE(name, entry);
			free(name);
		}
	}
	free(table->rows);
	free(table->names);
	*table = (struct link_table){0};
}

/* Without memory the lists just become longer. */
static void
link_table_grow(struct link_table *table)
{
	struct link_table old = *table;
	struct link_rows *rows = calloc(2 * old.buckets, sizeof(*rows));
	struct link_names *names = calloc(2 * old.buckets, sizeof(*names));

	if (!rows || !names) {
		free(rows);
		free(names);
		return;
	}
	table->rows = rows;
	table->names = names;
	table->buckets = 2 * old.buckets;
	for (size_t i = 0; i < old.buckets; i++) {
		struct link_row *row;
		struct link_name *name;

		while ((row = LIST_FIRST(&old.rows[i])) != NULL) {
			LIST_REMOVE(row, entry);
			LIST_INSERT_HEAD(
			    link_table_rows(table, row->link.index), row, entry);
		}
		while ((name = LIST_FIRST(&old.names[i])) != NULL) {
			LIST_REMOVE(name, entry);
			LIST_INSERT_HEAD(
			    link_table_names(table, name->name.s), name, entry);
		}
	}
	free(old.rows);
	free(old.names);
}

struct link_row *
link_table_find(const struct link_table *table, int index)
{
	struct link_row *row;

	LIST_FOREACH(row, link_table_rows(table, index), entry) {
		if (row->link.index == index)
			return row;
	}
	return NULL;
}

static struct link_name *
link_table_name(const struct link_table *table, const char *name)
{
	struct link_name *found;

	LIST_FOREACH(found, link_table_names(table, name), entry) {
		if (strcmp(found->name.s, name) == 0)
			return found;
	}
	return NULL;
}

struct link_row *
link_table_find_name(const struct link_table *table, const char *name)
{
	struct link_name *found = link_table_name(table, name);

	return found ? found->row : NULL;
}

static struct link_name *
link_table_want_name(struct link_table *table, const struct iface_name *name)
{
	struct link_name *found = link_table_name(table, name->s);

	if (found)
		return found;
	found = calloc(1, sizeof(*found));
	if (found) {
		found->name = *name;
		LIST_INSERT_HEAD(link_table_names(table, name->s), found, entry);
	}
	return found;
}

static void
link_table_mark(struct link_table *table, struct link_name *name)
{
	if (name->changed)
		return;
	name->changed = true;
	TAILQ_INSERT_TAIL(&table->changed, name, changed_entry);
}

/* Gives up the row's name, unless another link has claimed it. */
static void
link_table_release(struct link_table *table, const struct link_row *row)
{
	struct link_name *name = link_table_name(table, row->link.name.s);

	if (!name || name->row != row)
		return;
	name->row = NULL;
	link_table_mark(table, name);
}

/* Whether anything but the counts differs. */
static bool
link_table_differs(const struct link *a, const struct link *b)
{
	return a->flags != b->flags || a->mtu != b->mtu ||
	    a->promiscuity != b->promiscuity || a->master != b->master ||
	    a->lower != b->lower || a->lower_elsewhere != b->lower_elsewhere ||
	    strcmp(a->kind, b->kind) != 0 || strcmp(a->name.s, b->name.s) != 0;
}

int
link_table_put(struct link_table *table, const struct link *link)
{
	struct link_row *row = link_table_find(table, link->index);
	struct link_name *name = link_table_want_name(table, &link->name);

	if (!name)
		return -ENOMEM;
	if (!row) {
		row = calloc(1, sizeof(*row));
		if (!row) {
			if (!name->row && !name->changed) {
				LIST_REMOVE(name, entry);
				free(name);
			}
			return -ENOMEM;
		}
		row->link = *link;
		LIST_INSERT_HEAD(link_table_rows(table, link->index), row, entry);
		if (++table->count > table->buckets)
			link_table_grow(table);
	} else if (strcmp(row->link.name.s, link->name.s) != 0) {
		link_table_release(table, row);
	}
	if (name->row != row || link_table_differs(&row->link, link))
		link_table_mark(table, name);
	name->row = row;
	row->link = *link;
	row->reading = table->reading;
	return 0;
}

static void
link_table_drop(struct link_table *table, struct link_row *row)
{
	link_table_release(table, row);
	LIST_REMOVE(row, entry);
	table->count--;
	free(row);
}

void
link_table_remove(struct link_table *table, int index)
{
	struct link_row *row = link_table_find(table, index);

	if (row)
		link_table_drop(table, row);
}

void
link_table_begin(struct link_table *table)
{
	table->reading++;
}

void
link_table_sweep(struct link_table *table)
{
	for (size_t i = 0; i < table->buckets; i++) {
		struct link_row *next;

		for (struct link_row *row = LIST_FIRST(&table->rows[i]); row;
		     row = next) {
			next = LIST_NEXT(row, entry);
			if (row->reading != table->reading)
				link_table_drop(table, row);
		}
	}
}

bool
link_table_next_changed(struct link_table *table, struct iface_name *out)
{
	struct link_name *name = TAILQ_FIRST(&table->changed);

	if (!name)
		return false;
	*out = name->name;
	TAILQ_REMOVE(&table->changed, name, changed_entry);
	name->changed = false;
	if (!name->row) {
		LIST_REMOVE(name, entry);
		free(name);
	}
	return true;
}
