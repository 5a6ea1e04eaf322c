#include "store/testing_disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "store/testing.h"

#define SECTOR 512
#define FILES_MAX 4 /* that can be lost: the database and its log */

/* A test that cannot go on. */
#define must(condition) \
	do { \
		if (!(condition)) { \
			fprintf( \
			    stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

struct change {
	STAILQ_ENTRY(change) entry;
	int64_t at; /* of a write; of a change of length, the length */
	size_t size; /* 0: a change of length */
	uint8_t data[];
};

struct disk_file {
	char name[64];
	uint8_t *certain;
	int64_t size;
	STAILQ_HEAD(changes, change) changes;
	unsigned pending;
};

static struct {
	struct disk_file files[FILES_MAX];
	void (*operation)(void);
	bool inside; /* the test looks at a cut: that is not noted */
} disk;

static struct disk_file *
disk_find(const char *name)
{
	struct disk_file *file = disk.files;

	while (file < disk.files + FILES_MAX && file->name[0] != '\0' &&
	    strcmp(file->name, name) != 0)
		file++;
	must(file < disk.files + FILES_MAX);
	if (file->name[0] == '\0') {
		snprintf(file->name, sizeof(file->name), "%s", name);
		STAILQ_INIT(&file->changes);
	}
	return file;
}

static void
image_resize(uint8_t **image, int64_t *size, int64_t wanted)
{
	if (wanted > *size) {
		*image = realloc(*image, (size_t)wanted);
		must(*image != NULL);
		memset(*image + *size, 0, (size_t)(wanted - *size));
	}
	*size = wanted;
}

/* As much of a write as is given. */
static void
image_apply(uint8_t **image, int64_t *size, const struct change *change, size_t most)
{
	if (change->size == 0) {
		image_resize(image, size, change->at);
		return;
	}
	if (change->at + (int64_t)most > *size)
		image_resize(image, size, change->at + (int64_t)most);
	memcpy(*image + change->at, change->data, most);
}

static void
disk_note(struct disk_file *file, int64_t at, const void *data, size_t size)
{
	struct change *change = malloc(sizeof(*change) + size);

	must(change != NULL);
	change->at = at;
	change->size = size;
	if (size > 0)
		memcpy(change->data, data, size);
	STAILQ_INSERT_TAIL(&file->changes, change, entry);
	file->pending++;
}

static void
disk_settle(struct disk_file *file)
{
	struct change *change;

	while ((change = STAILQ_FIRST(&file->changes)) != NULL) {
		STAILQ_REMOVE_HEAD(&file->changes, entry);
		image_apply(&file->certain, &file->size, change, change->size);
		free(change);
	}
	file->pending = 0;
}

static uint64_t
cut_file(const char *dir, const struct disk_file *file, enum testing_kept kept,
    uint64_t *state)
{
	uint64_t lost = 0;
	uint8_t *image = malloc((size_t)file->size + 1);
	int64_t size = file->size;
	const struct change *change;
	unsigned first =
	    file->pending > 0 ? (unsigned)(testing_random(state) % file->pending) : 0;
	unsigned n = 0;
	char path[256];
	int fd;

	must(image != NULL);
	if (size > 0)
		memcpy(image, file->certain, (size_t)size);
	STAILQ_FOREACH(change, &file->changes, entry)
	{
		uint64_t random = testing_random(state);
		size_t most = change->size;
		bool keep = kept == TESTING_KEPT_ALL ||
		    (kept == TESTING_KEPT_SOME && random % 2) ||
		    (kept == TESTING_KEPT_FIRST && n <= first);

		/* A write is torn at a sector. */
		if (most > SECTOR && kept == TESTING_KEPT_SOME && random % 16 < 4)
			most = (random >> 8) % (most / SECTOR + 1) * SECTOR;
		if (keep && (most > 0 || change->size == 0))
			image_apply(&image, &size, change, most);
		else
			lost++;
		n++;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, file->name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0);
	must(write(fd, image, (size_t)size) == size);
	close(fd);
	free(image);
	return lost;
}

uint64_t
testing_disk_cut(const char *dir, enum testing_kept kept, uint64_t *random)
{
	uint64_t lost = 0;

	for (struct disk_file *file = disk.files; file < disk.files + FILES_MAX;
	     file++) {
		if (file->name[0] != '\0')
			lost += cut_file(dir, file, kept, random);
	}
	return lost;
}

static void
disk_operation(void)
{
	disk.inside = true;
	disk.operation();
	disk.inside = false;
}

/*
 * The file layer.
 */

static sqlite3_vfs *below;

struct noted {
	sqlite3_file base;
	struct disk_file *file; /* NULL: of no interest */
	sqlite3_file *real;
};

static struct noted *
noted_of(sqlite3_file *file)
{
	return (struct noted *)(void *)file;
}

static int
noted_close(sqlite3_file *file)
{
	return noted_of(file)->real->pMethods->xClose(noted_of(file)->real);
}

static int
noted_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xRead(real, data, size, at);
}

static int
noted_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	struct noted *noted = noted_of(file);

	if (noted->file && !disk.inside) {
		disk_operation();
		disk_note(noted->file, at, data, (size_t)size);
	}
	return noted->real->pMethods->xWrite(noted->real, data, size, at);
}

static int
noted_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct noted *noted = noted_of(file);

	if (noted->file && !disk.inside) {
		disk_operation();
		disk_note(noted->file, size, NULL, 0);
	}
	return noted->real->pMethods->xTruncate(noted->real, size);
}

static int
noted_sync(sqlite3_file *file, int flags)
{
	struct noted *noted = noted_of(file);

	(void)flags;
	if (noted->file && !disk.inside) {
		disk_operation();
		disk_settle(noted->file);
	}
	return SQLITE_OK; /* this disk is quick */
}

static int
noted_size(sqlite3_file *file, sqlite3_int64 *size)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xFileSize(real, size);
}

static int
noted_lock(sqlite3_file *file, int lock)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xLock(real, lock);
}

static int
noted_unlock(sqlite3_file *file, int lock)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xUnlock(real, lock);
}

static int
noted_check_lock(sqlite3_file *file, int *locked)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xCheckReservedLock(real, locked);
}

static int
noted_control(sqlite3_file *file, int what, void *arg)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xFileControl(real, what, arg);
}

static int
noted_sector(sqlite3_file *file)
{
	(void)file;
	return SECTOR;
}

static int
noted_abilities(sqlite3_file *file)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xDeviceCharacteristics(real);
}

static int
noted_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xShmMap(real, region, size, extend, out);
}

static int
noted_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xShmLock(real, at, n, flags);
}

static void
noted_shm_barrier(sqlite3_file *file)
{
	sqlite3_file *real = noted_of(file)->real;

	real->pMethods->xShmBarrier(real);
}

static int
noted_shm_unmap(sqlite3_file *file, int remove)
{
	sqlite3_file *real = noted_of(file)->real;

	return real->pMethods->xShmUnmap(real, remove);
}

static const sqlite3_io_methods noted_methods = {
    .iVersion = 2, /* no mapped reads */
    .xClose = noted_close,
    .xRead = noted_read,
    .xWrite = noted_write,
    .xTruncate = noted_truncate,
    .xSync = noted_sync,
    .xFileSize = noted_size,
    .xLock = noted_lock,
    .xUnlock = noted_unlock,
    .xCheckReservedLock = noted_check_lock,
    .xFileControl = noted_control,
    .xSectorSize = noted_sector,
    .xDeviceCharacteristics = noted_abilities,
    .xShmMap = noted_shm_map,
    .xShmLock = noted_shm_lock,
    .xShmBarrier = noted_shm_barrier,
    .xShmUnmap = noted_shm_unmap,
};

static int
noted_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct noted *noted = noted_of(file);
	int kinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL;
	int rc;

	(void)vfs;
	memset(noted, 0, sizeof(*noted));
	noted->real = (sqlite3_file *)(void *)(noted + 1);
	rc = below->xOpen(below, name, noted->real, flags, out_flags);
	if (rc != SQLITE_OK)
		return rc;
	noted->base.pMethods = &noted_methods;
	if (!disk.inside && name && (flags & kinds))
		noted->file = disk_find(name);
	return SQLITE_OK;
}

int
testing_disk_install(void (*operation)(void))
{
	static sqlite3_vfs layer;

	disk.operation = operation;
	below = sqlite3_vfs_find(NULL);
	if (!below)
		return -1;
	layer = *below;
	layer.pNext = NULL;
	layer.zName = "noted";
	layer.szOsFile = (int)sizeof(struct noted) + below->szOsFile;
	layer.xOpen = noted_open;
	/* The store's own layer (store/vfs.c) is made on top of the default one. */
	return sqlite3_vfs_register(&layer, 1) == SQLITE_OK ? 0 : -1;
}

void
testing_disk_fini(void)
{
	for (struct disk_file *file = disk.files; file < disk.files + FILES_MAX;
	     file++) {
		if (file->name[0] == '\0')
			continue;
		disk_settle(file);
		free(file->certain);
	}
	memset(disk.files, 0, sizeof(disk.files));
}
