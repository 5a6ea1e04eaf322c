/* weir-store gets its directory as a descriptor, opened while the supervisor had the
 * right to, enters it by fchdir, and then gives up its rights. The directory may lie
 * below one that the store's user cannot pass (a home of mode 0700 in a trial run). The
 * kernel then still resolves names relative to the working directory, but not
 * absolute ones. SQLite's default layer makes every name absolute first, and looks at
 * each component on the way. So this one is the default with one function changed: the
 * full name of a file is the name as given. The process never changes its directory
 * after that, which keeps relative names as good as absolute ones. */
#include "store/vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

static sqlite3_vfs here;

static int
here_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	size_t len = strlen(name);

	(void)vfs;
	if (size <= 0 || len >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, name, len + 1);
	return SQLITE_OK;
}

int
store_vfs_register(void)
{
	if (here.zName)
		return 0;
	/* Initialises SQLite and answers the default layer, or NULL. */
	sqlite3_vfs *base = sqlite3_vfs_find(NULL);
	if (!base)
		return -ENOMEM;
	here = *base;
	here.pNext = NULL;
	here.zName = STORE_VFS_NAME;
	here.xFullPathname = here_full_pathname;
	if (sqlite3_vfs_register(&here, 0) != SQLITE_OK) {
		here.zName = NULL;
		return -ENOMEM;
	}
	return 0;
}
