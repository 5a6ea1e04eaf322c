/* The kernel's headers may be older or newer than the kernel, so what we use of Landlock
 * is written down here, by version of its interface, and cut to what the kernel answers
 * that it knows. A version that is newer than these has more that could be given up, and
 * nothing that works differently. */
#include <errno.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/sandbox/sandbox.h"

#define FILES_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */

#define FILES_ALL_1 UINT64_C(0x1fff) /* execute ... make symbolic links */
#define FILES_REFER_2 (UINT64_C(1) << 13)
#define FILES_TRUNCATE_3 (UINT64_C(1) << 14)
#define FILES_TCP_4 UINT64_C(3) /* bind, connect */
#define FILES_DEVICE_5 (UINT64_C(1) << 15)
#define FILES_SCOPE_6 UINT64_C(3) /* abstract sockets, signals */

/* What plain files in one directory need; links to other directories are none of it. */
#define FILES_OF_DIRECTORY \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | FILES_TRUNCATE_3)

/* struct landlock_ruleset_attr of version 6; shorter for older kernels. */
struct files_rights {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};

static size_t
files_rights(int abi, struct files_rights *out)
{
	*out = (struct files_rights){.files = FILES_ALL_1};
	if (abi >= 2)
		out->files |= FILES_REFER_2;
	if (abi >= 3)
		out->files |= FILES_TRUNCATE_3;
	if (abi >= 5)
		out->files |= FILES_DEVICE_5;
	if (abi >= 4)
		out->net = FILES_TCP_4;
	if (abi >= 6)
		out->scoped = FILES_SCOPE_6;
	return abi >= 6 ? sizeof(*out)
	    : abi >= 4  ? offsetof(struct files_rights, scoped)
			: offsetof(struct files_rights, net);
}

static int
files_allow(int ruleset, int directory, const struct files_rights *rights)
{
	const struct landlock_path_beneath_attr rule = {
	    .allowed_access = FILES_OF_DIRECTORY & rights->files,
	    .parent_fd = directory};

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		   &rule, 0) == 0
	    ? 0
	    : -errno;
}

int
sandbox_files(int directory, int *abi)
{
	const long version =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, FILES_VERSION);
	struct files_rights rights;
	size_t size;
	int ruleset;
	int rc = 0;

	if (version <= 0) {
		/* Not built in, or switched off at boot. */
		if (errno != ENOSYS && errno != EOPNOTSUPP)
			return -errno;
		*abi = 0;
		return 0;
	}
	size = files_rights((int)version, &rights);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, size, 0);
	if (ruleset < 0)
		return -errno;
	if (directory >= 0)
		rc = files_allow(ruleset, directory, &rights);
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		rc = -errno;
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		rc = -errno;
	close(ruleset);
	if (rc == 0)
		*abi = (int)version;
	return rc;
}
