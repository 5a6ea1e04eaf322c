/* libcap-ng makes the changes; whether they took is asked of the kernel with calls of
 * our own (prctl, getresuid and a fresh capget), because libcap-ng answers from its own
 * notes and skips quietly what it was not allowed to do. */
#include "common/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One bit per capability, as the kernel reports the calling thread. */
struct capability_sets {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t bounding;
	uint64_t ambient;
};

static int
read_sets(struct capability_sets *out)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
	struct capability_sets sets = {0, 0, 0, 0, 0};

	if (syscall(SYS_capget, &header, data) != 0)
		return -errno;
	sets.effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	sets.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	sets.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	for (int cap = 0; cap < 64; cap++) {
		int in_set = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (in_set < 0)
			break; /* one more than this kernel knows */
		if (in_set > 0)
			sets.bounding |= UINT64_C(1) << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) > 0)
			sets.ambient |= UINT64_C(1) << cap;
	}
	*out = sets;
	return 0;
}

static int
set_no_new_privs(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}

/* A change of user does this too, but not where user and group stay the same, and its
 * result is an administrator's choice (fs.suid_dumpable). */
static int
set_not_dumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -errno;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -EPERM;
}

int
privilege_become(uid_t uid, gid_t gid, bool keep_net_raw)
{
	const uint64_t wanted = keep_net_raw ? UINT64_C(1) << CAP_NET_RAW : 0;
	struct capability_sets sets;
	uid_t uids[3];
	gid_t gids[3];
	int rc;

	/* Ambient capabilities would survive the change of the other sets. A kernel that
	 * has none answers EINVAL, and then there are none. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	capng_clear(CAPNG_SELECT_ALL);
	if (keep_net_raw &&
	    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW) !=
		0)
		return -EPERM;
	if (capng_change_id(
		(int)uid, (int)gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
		return -EPERM;
	rc = set_no_new_privs();
	if (rc == 0)
		rc = set_not_dumpable();
	if (rc == 0)
		rc = read_sets(&sets);
	if (rc != 0)
		return rc;
	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		return -errno;
	for (int i = 0; i < 3; i++) {
		if (uids[i] != uid || gids[i] != gid)
			return -EPERM;
	}
	if (getgroups(0, NULL) != 0)
		return -EPERM;
	if (sets.effective != wanted || sets.permitted != wanted ||
	    sets.inheritable != 0 || sets.ambient != 0 || sets.bounding != 0)
		return -EPERM;
	return 0;
}

int
privilege_drop_unprivileged(void)
{
	int rc = set_no_new_privs();

	if (rc == 0)
		rc = set_not_dumpable();
	if (rc != 0)
		return rc;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* Needs CAP_SETPCAP; an ordinary user has none, and none in the other sets, and
	 * with no_new_privs the bounding set has nothing left to bound. */
	for (int cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			break;
	}
	return privilege_drop_all();
}

int
privilege_drop_all(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return privilege_verify_none(false, true);
}

int
privilege_verify_none(bool bounding_too, bool allow_root)
{
	struct capability_sets sets;
	uid_t uids[3];
	gid_t gids[3];

	if (read_sets(&sets) != 0)
		return -EPERM;
	if ((sets.effective | sets.permitted | sets.inheritable | sets.ambient) != 0)
		return -EPERM;
	if (bounding_too && sets.bounding != 0)
		return -EPERM;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -EPERM;
	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		return -EPERM;
	for (int i = 0; i < 3 && !allow_root; i++) {
		if (uids[i] == 0 || gids[i] == 0)
			return -EPERM;
	}
	return 0;
}
