#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "supervisor/host/settings.h"

static struct config config;
static char said[4096];

static void
take_fault(void *arg, const char *line)
{
	(void)arg;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", line);
}

/* What can be told of any host: numbers need no entry. */
static int
setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	strcpy(config.worker_user, "64501");
	strcpy(config.store_user, "64502");
	strcpy(config.client_group, "64503");
	strcpy(config.runtime, "/tmp/weir");
	strcpy(config.store, "/tmp/store");
	said[0] = '\0';
	return 0;
}

static int
resolve(struct settings *settings)
{
	said[0] = '\0';
	return settings_resolve(settings, &config, take_fault, NULL);
}

static void
numbers_are_taken_as_they_are(void **state)
{
	struct settings settings;

	(void)state;
	assert_int_equal(resolve(&settings), 0);
	assert_string_equal(said, "");
	assert_int_equal(settings.worker_uid, 64501);
	assert_int_equal(settings.worker_gid, 64501);
	assert_int_equal(settings.store_uid, 64502);
	assert_int_equal(settings.client_gid, 64503);
}

static void
root_is_nobody_and_no_group_of_clients(void **state)
{
	static const char *const texts[] = {"root", "0"};
	struct settings settings;
	char expected[256];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		strcpy(config.client_group, texts[i]);
		assert_int_equal(resolve(&settings), -EINVAL);
		snprintf(expected, sizeof(expected),
		    "client_group: '%s' is root's group; choose another one\n",
		    texts[i]);
		assert_string_equal(said, expected);
	}
	strcpy(config.client_group, "64503");
	strcpy(config.worker_user, "root");
	assert_int_equal(resolve(&settings), -EINVAL);
	assert_string_equal(
	    said, "worker_user: 'root' is root or in its group; choose another user\n");
	/* A worker in the clients' group could ask the daemon. */
	strcpy(config.worker_user, "64503");
	assert_int_equal(resolve(&settings), -EINVAL);
	assert_non_null(
	    strstr(said, "client_group: must not be the group of the workers"));
}

static void
what_is_missing_is_told_with_the_command_that_makes_it(void **state)
{
	struct settings settings;

	(void)state;
	strcpy(config.client_group, "no-such-group");
	assert_int_equal(resolve(&settings), -EINVAL);
	assert_string_equal(said,
	    "client_group: there is no group 'no-such-group'; create it: groupadd "
	    "--system no-such-group\n");
	strcpy(config.client_group, "64503");
	strcpy(config.runtime, "/tmp/no such/dir/weir");
	assert_int_equal(resolve(&settings), -EINVAL);
	assert_string_equal(said,
	    "runtime: the directory /tmp/no such/dir does not exist; create it: mkdir -p "
	    "'/tmp/no such/dir'\n");
}

static void
what_cannot_be_looked_up_is_not_told_to_be_missing(void **state)
{
	struct rlimit before;
	struct rlimit none;
	struct settings settings;
	int rc;

	(void)state;
	strcpy(config.worker_user, "daemon");
	strcpy(config.client_group, "daemon");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rc = resolve(&settings);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(rc, -EINVAL);
	assert_string_equal(said,
	    "worker_user: the user 'daemon' cannot be looked up: Too many open files\n"
	    "store_user: the user '64502' cannot be looked up: Too many open files\n"
	    "client_group: the group 'daemon' cannot be looked up: Too many open "
	    "files\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(numbers_are_taken_as_they_are, setup),
	    cmocka_unit_test_setup(root_is_nobody_and_no_group_of_clients, setup),
	    cmocka_unit_test_setup(
		what_is_missing_is_told_with_the_command_that_makes_it, setup),
	    cmocka_unit_test_setup(
		what_cannot_be_looked_up_is_not_told_to_be_missing, setup),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
