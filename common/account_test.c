#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>

#include "common/account.h"

#define UNUSED_ID 3999999999U

static void
a_name_is_looked_up(void **state)
{
	uid_t uid = 7;
	gid_t gid = 7;

	(void)state;
	assert_int_equal(account_user("root", &uid, &gid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	gid = 7;
	assert_int_equal(account_group("root", &gid), 0);
	assert_int_equal(gid, 0);
}

static void
a_number_needs_no_entry(void **state)
{
	uid_t uid = 7;
	gid_t gid = 7;

	(void)state;
	assert_int_equal(account_user("3999999999", &uid, &gid), 0);
	assert_int_equal(uid, UNUSED_ID);
	assert_int_equal(gid, UNUSED_ID);
	assert_int_equal(account_group("3999999998", &gid), 0);
	assert_int_equal(gid, UNUSED_ID - 1);
}

/* The last one means "no change" to chown, and is no number of anybody. */
static void
what_is_nobody_is_refused(void **state)
{
	static const char *const texts[] = {
	    "no such account", "4294967295", "4294967296", "-1", "1x", ""};
	uid_t uid = 7;
	gid_t gid = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(account_user(texts[i], &uid, &gid), -ENOENT);
		assert_int_equal(account_group(texts[i], &gid), -ENOENT);
	}
	assert_int_equal(uid, 7);
	assert_int_equal(gid, 7);
}

static void
what_cannot_be_looked_up_is_not_missing(void **state)
{
	struct rlimit before;
	struct rlimit none;
	uid_t uid = 7;
	gid_t gid = 7;
	int user, number, group;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* root itself is known to the C library's systemd module */
	user = account_user("daemon", &uid, &gid);
	number = account_user("3999999999", &uid, &gid);
	group = account_group("daemon", &gid);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(user, -EMFILE);
	assert_int_equal(number, -EMFILE);
	assert_int_equal(group, -EMFILE);
	assert_int_equal(uid, 7);
	assert_int_equal(gid, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_looked_up),
	    cmocka_unit_test(a_number_needs_no_entry),
	    cmocka_unit_test(what_is_nobody_is_refused),
	    cmocka_unit_test(what_cannot_be_looked_up_is_not_missing),
	};

	return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
