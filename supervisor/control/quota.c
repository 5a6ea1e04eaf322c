#include "supervisor/control/quota.h"

static struct quota_user *
quota_user(struct quota *quota, uid_t uid)
{
	struct quota_user *free_one = NULL;

	for (size_t i = 0; i < CLIENTS_ASKS_MAX; i++) {
		struct quota_user *user = &quota->users[i];

		if (user->count > 0 && user->uid == uid)
			return user;
		if (user->count == 0 && !free_one)
			free_one = user;
	}
	return free_one;
}

bool
quota_take(struct quota *quota, uid_t uid, size_t most)
{
	struct quota_user *user = quota_user(quota, uid);

	if (!user || user->count >= most)
		return false;
	user->uid = uid;
	user->count++;
	return true;
}

void
quota_give(struct quota *quota, uid_t uid)
{
	struct quota_user *user = quota_user(quota, uid);

	if (user && user->count > 0)
		user->count--;
}
