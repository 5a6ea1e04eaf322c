/* What is not there and what cannot be looked at are told apart, since only the first is
 * repaired by making it: a lookup fails, too, when no descriptor is left or a disk does not
 * answer. */
#include "common/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/text.h"

static bool
account_number(const char *text, uint32_t *out)
{
	uint64_t value;

	/* All bits set means "no change" to chown and its kind. */
	if (text_to_number(text, &value) != 0 || value >= UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* Whether all of a database's file can be read: 0 or negative errno. Where several sources
 * are asked in turn, what the last one says hides that the file could not be opened. */
static int
account_database(const char *path)
{
	FILE *file = fopen(path, "re");
	char buffer[4096];
	int rc = 0;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (fread(buffer, 1, sizeof(buffer), file) > 0)
		;
	if (ferror(file))
		rc = -EIO;
	fclose(file);
	return rc;
}

/* Of a lookup that found nothing, with errno as it left it: why. */
static int
account_why_not(const char *database)
{
	int rc = -errno;

	switch (-rc) {
	case 0: /* the values for "there is none" (getpwnam(3)) */
	case ENOENT:
	case ESRCH:
	case EBADF:
	case EPERM:
		rc = account_database(database);
		return rc != 0 ? rc : -ENOENT;
	default:
		return rc;
	}
}

int
account_user(const char *text, uid_t *uid, gid_t *gid)
{
	const struct passwd *entry;
	uint32_t number = 0;
	bool numeric = account_number(text, &number);
	int rc;

	errno = 0;
	entry = numeric ? getpwuid(number) : getpwnam(text);
	rc = entry ? 0 : account_why_not("/etc/passwd");
	if (entry) {
		*uid = entry->pw_uid;
		*gid = entry->pw_gid;
	} else if (numeric && rc == -ENOENT) {
		*uid = number;
		*gid = number;
		rc = 0;
	}
	return rc;
}

int
account_group(const char *text, gid_t *gid)
{
	const struct group *entry;
	uint32_t number;

	if (account_number(text, &number)) {
		*gid = number;
		return 0;
	}
	errno = 0;
	entry = getgrnam(text);
	if (!entry)
		return account_why_not("/etc/group");
	*gid = entry->gr_gid;
	return 0;
}
