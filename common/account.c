#include "common/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>

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

int
account_user(const char *text, uid_t *uid, gid_t *gid)
{
	const struct passwd *entry;
	uint32_t number;

	if (account_number(text, &number)) {
		entry = getpwuid(number);
		*uid = number;
		*gid = entry ? entry->pw_gid : number;
		return 0;
	}
	entry = getpwnam(text);
	if (!entry)
		return -ENOENT;
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return 0;
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
	entry = getgrnam(text);
	if (!entry)
		return -ENOENT;
	*gid = entry->gr_gid;
	return 0;
}
