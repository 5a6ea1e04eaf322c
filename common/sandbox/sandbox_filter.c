/* One loop over rows of data; libseccomp makes the program. What is on no row is trapped
 * (sandbox_report.c). Rows whose test depends on the process, its number or its
 * descriptors, become rules with the numbers of this moment: nothing opens descriptors
 * afterwards but what a list allows to, and none can be moved to another number. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_private.h"

#define FILTER_DESCRIPTORS 1024 /* children may not have more, see the supervisor */

static bool
filter_is_outlet(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	if (fcntl(fd, F_GETFD) < 0)
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
	    domain != AF_PACKET;
}

static struct scmp_arg_cmp
filter_test(const struct sandbox_argument *argument)
{
	const unsigned number = argument->number;

	switch (argument->test) {
	case SANDBOX_IS:
		return SCMP_CMP64(number, SCMP_CMP_EQ, argument->value);
	case SANDBOX_WITHOUT:
		return SCMP_CMP64(number, SCMP_CMP_MASKED_EQ, argument->value, 0);
	case SANDBOX_KIND:
		return SCMP_CMP64(
		    number, SCMP_CMP_MASKED_EQ, argument->mask, argument->value);
	case SANDBOX_OWN_PID:
		return SCMP_CMP64(number, SCMP_CMP_EQ, (uint64_t)getpid());
	case SANDBOX_ANY:
	case SANDBOX_OUTLET:
		break;
	}
	return (struct scmp_arg_cmp){.arg = number};
}

/* A rule that is there already is no failure: groups may overlap. */
static int
filter_rule(scmp_filter_ctx filter, uint32_t action, int number, unsigned count,
    const struct scmp_arg_cmp *tests)
{
	int rc = seccomp_rule_add_array(filter, action, number, count, tests);

	return rc == -EEXIST ? 0 : rc;
}

static int
filter_add(scmp_filter_ctx filter, const struct sandbox_call *call)
{
	const uint32_t action =
	    call->answer == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)call->answer);
	const int number = seccomp_syscall_resolve_name(call->name);
	struct scmp_arg_cmp tests[SANDBOX_ARGUMENTS_MAX];
	struct scmp_arg_cmp *outlet = NULL;
	unsigned count = 0;
	int rc = 0;

	/* Negative: this architecture has no such call, or not as one of its own. */
	if (number < 0)
		return 0;
	while (count < SANDBOX_ARGUMENTS_MAX &&
	    call->arguments[count].test != SANDBOX_ANY) {
		tests[count] = filter_test(&call->arguments[count]);
		if (call->arguments[count].test == SANDBOX_OUTLET)
			outlet = &tests[count];
		count++;
	}
	if (!outlet)
		return filter_rule(filter, action, number, count, tests);
	for (int fd = 0; rc == 0 && fd < FILTER_DESCRIPTORS; fd++) {
		if (!filter_is_outlet(fd))
			continue;
		*outlet = SCMP_CMP64(outlet->arg, SCMP_CMP_EQ, (uint64_t)fd);
		rc = filter_rule(filter, action, number, count, tests);
	}
	return rc;
}

int
sandbox_filter(const struct sandbox_group *const groups[], size_t count,
    enum sandbox_mode mode, const char *line_head)
{
	scmp_filter_ctx filter;
	int rc;

	if (mode == SANDBOX_OFF)
		return 0;
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (!filter)
		return -ENOMEM;
	/* Numbers of another architecture mean other calls: trapped as well. */
	rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The error of the kernel, not -ECANCELED for all of them. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	for (size_t g = 0; rc == 0 && g < count; g++) {
		for (size_t i = 0; rc == 0 && i < groups[g]->count; i++)
			rc = filter_add(filter, &groups[g]->calls[i]);
	}
	if (rc == 0)
		rc = sandbox_report_install(line_head, mode == SANDBOX_TRAP);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}
