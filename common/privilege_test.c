#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/privilege.h"

#define NET_RAW "0000000000002000"
#define NOTHING "0000000000000000"
#define USER 54321
#define GROUP 54322

/* A line of /proc/self/status, without name and white space before the value. */
static const char *
status_line(const char *name, char value[64])
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	value[0] = '\0';
	while (status && fgets(line, sizeof(line), status)) {
		size_t len = strlen(name);

		if (strncmp(line, name, len) == 0 && line[len] == ':')
			sscanf(line + len + 1, " %63[^\n]", value);
	}
	if (status)
		fclose(status);
	return value;
}

static int
line_is(const char *name, const char *wanted)
{
	char value[64];

	if (strcmp(status_line(name, value), wanted) == 0)
		return 1;
	fprintf(stderr, "%s is \"%s\", not \"%s\"\n", name, value, wanted);
	return 0;
}

/* Runs in a child of its own, since none of it can be undone. The child's exit code is
 * the number of its first failing step, 0 when there is none. */
static int
in_child(int (*run)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(run());
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void
skip_unless_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
}

static int
keep_net_raw(void)
{
	const gid_t some[] = {1, 2, 3};

	if (setgroups(3, some) != 0)
		return 1;
	if (privilege_become(USER, GROUP, true) != 0)
		return 2;
	if (!line_is("CapEff", NET_RAW) || !line_is("CapPrm", NET_RAW) ||
	    !line_is("CapInh", NOTHING) || !line_is("CapBnd", NOTHING) ||
	    !line_is("CapAmb", NOTHING) || !line_is("NoNewPrivs", "1"))
		return 3;
	if (!line_is("Uid", "54321\t54321\t54321\t54321") ||
	    !line_is("Gid", "54322\t54322\t54322\t54322") || !line_is("Groups", ""))
		return 4;
	if (socket(AF_PACKET, SOCK_RAW, 0) < 0)
		return 5;
	if (privilege_verify_none(true, false) != -EPERM)
		return 6; /* it still has one */
	if (privilege_drop_all() != 0 || privilege_verify_none(true, false) != 0)
		return 7;
	if (!line_is("CapEff", NOTHING) || !line_is("CapPrm", NOTHING))
		return 8;
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM)
		return 9;
	/* And there is no way back. */
	return setuid(0) == 0 ? 10 : 0;
}

static void
a_process_keeps_net_raw_alone_and_then_nothing(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(keep_net_raw), 0);
}

static int
keep_nothing(void)
{
	if (privilege_become(USER, GROUP, false) != 0)
		return 1;
	if (!line_is("CapEff", NOTHING) || !line_is("CapPrm", NOTHING) ||
	    !line_is("CapBnd", NOTHING) || !line_is("NoNewPrivs", "1"))
		return 2;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 4;
	return privilege_verify_none(true, false) == 0 ? 0 : 3;
}

static void
a_process_keeps_nothing_when_it_needs_nothing(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(keep_nothing), 0);
}

static int
become_without_rights(void)
{
	if (geteuid() == 0 && setresuid(USER, USER, USER) != 0)
		return 1;
	return privilege_become(USER + 1, GROUP, true) < 0 ? 0 : 2;
}

static void
becoming_somebody_without_the_right_to_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(in_child(become_without_rights), 0);
}

static int
drop_as_ordinary_user(void)
{
	if (geteuid() == 0 && setresuid(USER, USER, USER) != 0)
		return 1;
	/* The bounding set of an ordinary process is full and stays so. */
	if (privilege_drop_unprivileged() != 0)
		return 2;
	if (privilege_verify_none(false, true) != 0)
		return 3;
	if (!line_is("NoNewPrivs", "1"))
		return 4;
	/* Others of the same user cannot look into it; and that is asked for. */
	if (prctl(PR_GET_DUMPABLE) != 0 || access("/proc/self/mem", R_OK) == 0)
		return 5;
	if (prctl(PR_SET_DUMPABLE, 1) != 0)
		return 6;
	return privilege_verify_none(false, true) == -EPERM ? 0 : 7;
}

static void
an_ordinary_user_can_drop_what_there_is(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_as_ordinary_user), 0);
}

static int
root_is_not_nothing(void)
{
	if (privilege_drop_unprivileged() != 0)
		return 1;
	if (privilege_verify_none(true, true) != 0)
		return 2;
	return privilege_verify_none(true, false) == -EPERM ? 0 : 3;
}

static void
root_without_capabilities_is_still_root(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(root_is_not_nothing), 0);
}

static int
rights_are_seen(void)
{
	return privilege_verify_none(false, true) == -EPERM ? 0 : 1;
}

static void
a_process_with_rights_does_not_pass(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(rights_are_seen), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_keeps_net_raw_alone_and_then_nothing),
	    cmocka_unit_test(a_process_keeps_nothing_when_it_needs_nothing),
	    cmocka_unit_test(becoming_somebody_without_the_right_to_is_an_error),
	    cmocka_unit_test(an_ordinary_user_can_drop_what_there_is),
	    cmocka_unit_test(root_without_capabilities_is_still_root),
	    cmocka_unit_test(a_process_with_rights_does_not_pass),
	};

	return cmocka_run_group_tests_name("giving up privileges", tests, NULL, NULL);
}
