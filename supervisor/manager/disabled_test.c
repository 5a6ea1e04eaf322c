#include "supervisor/manager/disabled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct disabled disabled;

static int
begin(void **state)
{
	(void)state;
	memset(&disabled, 0, sizeof(disabled));
	return 0;
}

static struct iface_name
name_of(unsigned number)
{
	struct iface_name name;

	snprintf(name.s, sizeof(name.s), "veth%u", number);
	return name;
}

static void
remember(unsigned number)
{
	struct iface_name name = name_of(number);

	disabled_remember(&disabled, &name);
}

static bool
take(unsigned number)
{
	struct iface_name name = name_of(number);

	return disabled_take(&disabled, &name);
}

static void
test_once(void **state)
{
	(void)state;
	assert_false(take(1));
	remember(1);
	remember(2);
	remember(1);
	assert_false(take(3));
	assert_true(take(1));
	assert_false(take(1));
	assert_true(take(2));
	assert_false(take(2));
}

static void
test_forget(void **state)
{
	(void)state;
	remember(1);
	remember(2);
	disabled_forget(&disabled);
	assert_false(take(1));
	assert_false(take(2));
}

static void
test_full(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DISABLED_MAX + 3; i++)
		remember(i);
	for (unsigned i = 0; i < DISABLED_MAX + 3; i++)
		assert_int_equal(take(i), i >= 3);
}

static const struct CMUnitTest tests[] = {
    {"who is remembered is told once, however often it was remembered", test_once,
	begin, NULL, NULL},
    {"all are forgotten at once", test_forget, begin, NULL, NULL},
    {"when there are too many the oldest are forgotten", test_full, begin, NULL, NULL},
};

int
main(void)
{
	return cmocka_run_group_tests_name("disabled", tests, NULL, NULL);
}
