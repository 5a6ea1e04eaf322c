/* Users and groups as a configuration names them: by name, or by a number, which needs no
 * entry in the databases. Not to be called from several threads (getpwnam). */
#ifndef WEIR_COMMON_ACCOUNT_H
#define WEIR_COMMON_ACCOUNT_H

#include <sys/types.h>

/* The user and its group: that of its entry, or of a number without one the same number.
 * 0, -ENOENT when there is no such user, or another negative errno when that cannot be
 * told (outputs untouched). */
int account_user(const char *text, uid_t *uid, gid_t *gid);

/* The same. */
int account_group(const char *text, gid_t *gid);

#endif
