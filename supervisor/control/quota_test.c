#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "supervisor/control/quota.h"

static void
a_user_has_so_many_and_takes_none_of_others(void **state)
{
	struct quota quota = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(quota_take(&quota, 1000, 3));
	assert_false(quota_take(&quota, 1000, 3));
	for (int i = 0; i < 3; i++)
		assert_true(quota_take(&quota, 0, 3));
	assert_false(quota_take(&quota, 0, 3));
	quota_give(&quota, 1000);
	assert_false(quota_take(&quota, 0, 3));
	assert_true(quota_take(&quota, 1000, 3));
}

static void
as_many_users_as_requests_have_room(void **state)
{
	struct quota quota = {0};

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uid_t uid = 0; uid < CLIENTS_ASKS_MAX; uid++)
			assert_true(quota_take(&quota, uid + 7 * (uid_t)round, 1));
		for (uid_t uid = 0; uid < CLIENTS_ASKS_MAX; uid++)
			quota_give(&quota, uid + 7 * (uid_t)round);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_user_has_so_many_and_takes_none_of_others),
	    cmocka_unit_test(as_many_users_as_requests_have_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
