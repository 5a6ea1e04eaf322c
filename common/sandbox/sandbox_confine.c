#include "common/sandbox/sandbox.h"

int
sandbox_confine(const struct sandbox_limits *limits,
    const struct sandbox_group *const groups[], size_t count, const char *line_head,
    const char **failed)
{
	int rc = 0;

	/* Sanitizers end with a thread of theirs, so a build without a list has no limits
	 * either. */
	*failed = "limits";
	if (limits && WEIR_SANDBOX_MODE != SANDBOX_OFF)
		rc = sandbox_limit(limits);
	if (rc != 0)
		return rc;
	*failed = "the list of system calls";
	return sandbox_filter(groups, count, WEIR_SANDBOX_MODE, line_head);
}
