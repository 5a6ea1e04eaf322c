/* A process of root that executes a file gets the bounding set as its permitted set: so
 * the supervisor itself need not hold what only its children use. What took is asked of
 * the kernel, since libcap-ng answers from its own notes. */
#include "supervisor/host/rights.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>

static bool
rights_is_own(unsigned capability)
{
	return capability == CAP_CHOWN || capability == CAP_KILL;
}

static bool
rights_is_bound(unsigned capability)
{
	return rights_is_own(capability) || capability == CAP_SETUID ||
	    capability == CAP_SETGID || capability == CAP_SETPCAP ||
	    capability == CAP_NET_RAW;
}

static int
rights_verify(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_get_caps_process() != 0)
		return -EPERM;
	for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
		int bound = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);

		if (bound < 0)
			break; /* one more than this kernel knows */
		if ((bound > 0 && !rights_is_bound(capability)) ||
		    (capng_have_capability(CAPNG_PERMITTED, capability) &&
			!rights_is_own(capability)))
			return -EPERM;
	}
	return 0;
}

int
rights_reduce(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
		if (rights_is_own(capability) &&
		    capng_update(
			CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability) != 0)
			return -EPERM;
		if (rights_is_bound(capability) &&
		    capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, capability) != 0)
			return -EPERM;
	}
	/* The bounding set first: dropping from it needs a capability that goes next. */
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return rights_verify();
}
