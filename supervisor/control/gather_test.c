/* Answers about several interfaces, and the room that a message has for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/testing/testing.h"

static void
what_has_no_room_in_an_answer_is_named_in_it(void **state)
{
	struct daemon *daemon = *state;
	const msgpack_object *ifaces;
	const msgpack_object *left_out;
	const msgpack_object *name;
	struct answer answer;
	const void *chunk;
	size_t len;

	daemon_start(daemon, true);
	daemon_ask(daemon, MSG_FLOWS, &answer);
	assert_int_equal(answer.msg.error, MSG_OK);
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	assert_int_equal(ifaces->via.map.size, 1);
	assert_int_equal(
	    view_bin(&ifaces->via.map.ptr[0].val, "chunk", &chunk, &len), 0);
	assert_int_equal(len, MSG_CHUNK_MAX);
	assert_int_equal(view_array(answer.msg.body, "left_out", &left_out), 0);
	assert_int_equal(left_out->via.array.size, 1);
	name = &left_out->via.array.ptr[0];
	assert_int_equal(name->type, MSGPACK_OBJECT_STR);
	assert_true(name->via.str.size == 2 || name->via.str.size == 5);
	assert_memory_equal(name->via.str.ptr, name->via.str.size == 2 ? "lo" : "fake0",
	    name->via.str.size);
	assert_null(view_get(ifaces, name->via.str.size == 2 ? "lo" : "fake0"));
	answer_fini(&answer);
	/* What fits is told without a list. */
	daemon_ask(daemon, MSG_STATUS, &answer);
	assert_null(view_get(answer.msg.body, "left_out"));
	answer_fini(&answer);
}

static void
a_worker_that_says_too_much_takes_no_room_from_others(void **state)
{
	struct daemon *daemon = *state;
	const msgpack_object *ifaces;
	const msgpack_object *part;
	struct answer answer;
	char text[64];

	daemon_start(daemon, true);
	daemon_ask(daemon, MSG_ERRORS, &answer);
	assert_int_equal(answer.msg.error, MSG_OK);
	assert_null(view_get(answer.msg.body, "left_out"));
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	assert_int_equal(ifaces->via.map.size, 2);
	assert_int_equal(view_map(ifaces, "lo", &part), 0);
	assert_int_equal(view_get(part, "worker")->type, MSGPACK_OBJECT_NIL);
	assert_int_equal(view_str(part, "worker_error", text, sizeof(text)), 0);
	assert_string_equal(text, "the worker's answer is too large");
	answer_fini(&answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_has_no_room_in_an_answer_is_named_in_it),
	    TEST(a_worker_that_says_too_much_takes_no_room_from_others),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: the supervisor must be started as root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
