/* A disk that forgets, for tests of power cuts: a file layer of SQLite, under the store's own,
 * that notes every write and every change of length until the file is synchronised. What was
 * synchronised is certain; what came after that a cut may keep in any selection, and a write
 * in part. The files of the running database are the real ones, so it does not notice. */
#ifndef WEIR_STORE_TESTING_DISK_H
#define WEIR_STORE_TESTING_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum testing_kept {
	TESTING_KEPT_NONE, /* nothing but what was synchronised */
	TESTING_KEPT_ALL,
	TESTING_KEPT_SOME, /* any selection, some of them torn */
	TESTING_KEPT_FIRST, /* in order, up to some point */
	TESTING_KEPT_MAX,
};

/* Makes it the default layer of this process, once, before the store is opened. `operation`
 * is called in front of every write, change of length and synchronisation of a database or
 * its log, but not by itself. 0 or -1. */
int testing_disk_install(void (*operation)(void));

/* Makes up what a cut at this moment leaves, as files in the directory. Answers how many
 * changes it left out. */
uint64_t testing_disk_cut(const char *dir, enum testing_kept kept, uint64_t *random);

/* Forgets what it knows; to be called when the database is closed. */
void testing_disk_fini(void);

#endif
