/* One loop over rows of data; libseccomp makes the program. What is on no row is trapped
 * (sandbox_report.c). Rows whose test depends on the process, its number or its
 * descriptors, become rules with the numbers of this moment: nothing opens descriptors
 * afterwards but what a list allows to, and none can be moved to another number. What a
 * descriptor is, is told by its file system: that asks for no path, as fstat() of libc
 * does. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_private.h"

#define FILTER_DESCRIPTORS 1024 /* children may not have more, see the supervisor */

struct filter {
	scmp_filter_ctx rules;
	/* By number, the test of descriptors that it passes; SANDBOX_ANY: none. */
	enum sandbox_test passes[FILTER_DESCRIPTORS];
};

static bool
filter_is_packets(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	    domain == AF_PACKET;
}

static bool
filter_is_outlet(int fd)
{
	struct statfs fs;

	if (fd <= STDERR_FILENO)
		return fd == STDERR_FILENO;
	if (fstatfs(fd, &fs) != 0)
		return false;
	switch (fs.f_type) {
	case PIPEFS_MAGIC:
	case ANON_INODE_FS_MAGIC:
		return true;
	case SOCKFS_MAGIC:
		return !filter_is_packets(fd);
	default:
		return false;
	}
}

static void
filter_look(struct filter *filter)
{
	struct rlimit limit = {0, 0};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 0; fd < FILTER_DESCRIPTORS; fd++) {
		enum sandbox_test passes = SANDBOX_ANY;

		if (fcntl(fd, F_GETFD) < 0) {
			if (fd < SANDBOX_LATER_MAX && (rlim_t)fd < limit.rlim_cur)
				passes = SANDBOX_LATER;
		} else if (filter_is_packets(fd)) {
			passes = SANDBOX_PACKETS;
		} else if (filter_is_outlet(fd)) {
			passes = SANDBOX_OUTLET;
		}
		filter->passes[fd] = passes;
	}
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
	case SANDBOX_BELOW:
		return SCMP_CMP64(number, SCMP_CMP_LT, argument->value);
	case SANDBOX_OWN_PID:
		return SCMP_CMP64(number, SCMP_CMP_EQ, (uint64_t)getpid());
	case SANDBOX_ANY:
	case SANDBOX_WITH:
	case SANDBOX_OUTLET:
	case SANDBOX_PACKETS:
	case SANDBOX_LATER:
		break;
	}
	return (struct scmp_arg_cmp){.arg = number};
}

/* The tests that take one rule for each value that passes. */
static bool
filter_is_many(enum sandbox_test test)
{
	return test == SANDBOX_WITH || test == SANDBOX_OUTLET ||
	    test == SANDBOX_PACKETS || test == SANDBOX_LATER;
}

/* A rule that is there already is no failure: groups may overlap. */
static int
filter_rule(struct filter *filter, uint32_t action, int number, unsigned count,
    const struct scmp_arg_cmp *tests)
{
	int rc = seccomp_rule_add_array(filter->rules, action, number, count, tests);

	return rc == -EEXIST ? 0 : rc;
}

/* One rule for each bit that `argument` names, or each descriptor that passes; `test` is
 * its place among the tests. */
static int
filter_rules(struct filter *filter, uint32_t action, int number, unsigned count,
    const struct scmp_arg_cmp *tests, struct scmp_arg_cmp *test,
    const struct sandbox_argument *argument)
{
	int rc = 0;

	if (argument->test == SANDBOX_WITH) {
		for (unsigned i = 0; rc == 0 && i < 64; i++) {
			const uint64_t bit = UINT64_C(1) << i;

			if (!(argument->value & bit))
				continue;
			*test = SCMP_CMP64(test->arg, SCMP_CMP_MASKED_EQ, bit, bit);
			rc = filter_rule(filter, action, number, count, tests);
		}
		return rc;
	}
	for (int fd = 0; rc == 0 && fd < FILTER_DESCRIPTORS; fd++) {
		if (filter->passes[fd] != argument->test)
			continue;
		*test = SCMP_CMP64(test->arg, SCMP_CMP_EQ, (uint64_t)fd);
		rc = filter_rule(filter, action, number, count, tests);
	}
	return rc;
}

static int
filter_add(struct filter *filter, const struct sandbox_call *call)
{
	const uint32_t action =
	    call->answer == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)call->answer);
	const int number = seccomp_syscall_resolve_name(call->name);
	struct scmp_arg_cmp tests[SANDBOX_ARGUMENTS_MAX];
	const struct sandbox_argument *many = NULL; /* at most one in a row */
	unsigned count = 0;

	/* Negative: this architecture has no such call, or not as one of its own. */
	if (number < 0)
		return 0;
	while (count < SANDBOX_ARGUMENTS_MAX &&
	    call->arguments[count].test != SANDBOX_ANY) {
		tests[count] = filter_test(&call->arguments[count]);
		if (filter_is_many(call->arguments[count].test))
			many = &call->arguments[count];
		count++;
	}
	if (!many)
		return filter_rule(filter, action, number, count, tests);
	return filter_rules(
	    filter, action, number, count, tests, &tests[many - call->arguments], many);
}

int
sandbox_filter(const struct sandbox_group *const groups[], size_t count,
    enum sandbox_mode mode, const char *line_head)
{
	struct filter filter;
	int rc;

	if (mode == SANDBOX_OFF)
		return 0;
	filter.rules = seccomp_init(SCMP_ACT_TRAP);
	if (!filter.rules)
		return -ENOMEM;
	filter_look(&filter);
	/* Numbers of another architecture mean other calls: trapped as well. */
	rc = seccomp_attr_set(filter.rules, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
	if (rc == 0)
		rc = seccomp_attr_set(filter.rules, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The error of the kernel, not -ECANCELED for all of them. */
	if (rc == 0)
		rc = seccomp_attr_set(filter.rules, SCMP_FLTATR_API_SYSRAWRC, 1);
	for (size_t g = 0; rc == 0 && g < count; g++) {
		for (size_t i = 0; rc == 0 && i < groups[g]->count; i++)
			rc = filter_add(&filter, &groups[g]->calls[i]);
	}
	if (rc == 0)
		rc = sandbox_report_install(line_head, mode == SANDBOX_TRAP);
	if (rc == 0)
		rc = seccomp_load(filter.rules);
	seccomp_release(filter.rules);
	return rc;
}
