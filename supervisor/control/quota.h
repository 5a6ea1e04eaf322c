/* How many requests of a kind that takes long one user may have under way: whoever wants more
 * is told that he has to wait, and others are not. Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_QUOTA_H
#define WEIR_SUPERVISOR_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "supervisor/control/clients.h"

/* One that is all zero is empty. */
struct quota {
	struct quota_user {
		uid_t uid;
		size_t count; /* 0: free */
	} users[CLIENTS_ASKS_MAX]; /* more requests there are not */
};

/* False when the user has `most` of them already. */
bool quota_take(struct quota *quota, uid_t uid, size_t most);

/* Of what was taken. */
void quota_give(struct quota *quota, uid_t uid);

#endif
