#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/test_commands.h"

static bool
is_nil(const struct worker *worker, const char *key)
{
	const msgpack_object *value = view_get(worker->parsed.body, key);

	assert_non_null(value);
	return value->type == MSGPACK_OBJECT_NIL;
}

static enum msg_error
ask_release(struct worker *worker, uint64_t seq, uint64_t rotation)
{
	pack_key_u64(begin(worker, MSG_RELEASE), "seq", seq);
	pack_key_u64(&worker->request, "rotation", rotation);
	return ask(worker);
}

static enum msg_error
ask_disable(struct worker *worker, uint64_t seq)
{
	pack_key_u64(begin(worker, MSG_DISABLE), "seq", seq);
	return ask(worker);
}

static enum msg_error
ask_update(struct worker *worker, uint64_t seq, const struct capture_config *config)
{
	pack_key_u64(begin(worker, MSG_UPDATE), "seq", seq);
	pack_key_config(&worker->request, "config", config);
	return ask(worker);
}

static enum msg_error
ask_status(struct worker *worker)
{
	begin(worker, MSG_STATUS);
	return ask(worker);
}

static void
status_has_every_key_of_the_protocol(void **state)
{
	static const char *const keys[] = {"state", "reason", "reason_text", "file_id",
	    "seq", "frozen", "interval", "flows", "flow_limit", "total", "in_force",
	    "rotation", "adoption", "witness"};
	struct interval interval;
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	assert_int_equal(ask_status(&worker), MSG_OK);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(view_get(worker.parsed.body, keys[i]));
	assert_string_equal(string(&worker, "state"), "error");
	assert_string_equal(string(&worker, "reason"), "no_such_device");
	assert_string_equal(
	    string(&worker, "reason_text"), "no interface of this name");
	assert_int_equal(number(&worker, "file_id"), 99);
	assert_int_equal(number(&worker, "seq"), 0);
	assert_int_equal(number(&worker, "flow_limit"), 1000);
	assert_true(is_nil(&worker, "frozen"));
	assert_true(is_nil(&worker, "adoption"));
	assert_true(is_nil(&worker, "witness"));
	assert_true(is_nil(&worker, "in_force"));
	assert_int_equal(view_interval(worker.parsed.body, "interval", &interval), 0);
	assert_int_equal(interval.begin_ms, 1000);
	worker_end(&worker);
}

static void
commands_are_carried_out_in_order_only(void **state)
{
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	assert_int_equal(ask_rotate(&worker, 2, 2000), MSG_E_SEQUENCE);
	assert_int_equal(ask_rotate(&worker, 0, 2000), MSG_E_SEQUENCE);
	assert_int_equal(ask_rotate(&worker, 1, 2000), MSG_OK);
	assert_int_equal(ask_rotate(&worker, 3, 3000), MSG_E_SEQUENCE);
	/* The number of another command is not a repeat. */
	assert_int_equal(ask_disable(&worker, 1), MSG_E_SEQUENCE);
	assert_int_equal(ask_release(&worker, 2, 1), MSG_OK);
	assert_int_equal(ask_status(&worker), MSG_OK);
	assert_int_equal(number(&worker, "seq"), 2);
	/* A request without number is none. */
	begin(&worker, MSG_DISABLE);
	assert_int_equal(ask(&worker), MSG_E_BAD_MESSAGE);
	worker_end(&worker);
}

static void
a_repeated_rotation_is_answered_alike_and_done_once(void **state)
{
	struct interval first, again;
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	assert_int_equal(ask_rotate(&worker, 1, 2000), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &first), 0);
	assert_int_equal(number(&worker, "file_id"), 99);
	assert_int_equal(first.begin_ms, 1000);
	assert_int_equal(first.end_ms, 2000);
	assert_int_equal(ask_rotate(&worker, 1, 7777), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &again), 0);
	assert_int_equal(again.end_ms, 2000);
	assert_int_equal(ask_status(&worker), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &again), 0);
	assert_int_equal(again.begin_ms, 2000);
	worker_end(&worker);
}

static void
a_rotation_before_the_release_is_busy_and_takes_no_number(void **state)
{
	struct interval interval;
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	assert_int_equal(ask_rotate(&worker, 1, 2000), MSG_OK);
	assert_int_equal(ask_rotate(&worker, 2, 3000), MSG_E_BUSY);
	assert_int_equal(ask_release(&worker, 2, 1), MSG_OK);
	assert_int_equal(ask_rotate(&worker, 3, 4000), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &interval), 0);
	assert_int_equal(interval.begin_ms, 2000);
	assert_int_equal(interval.end_ms, 4000);
	assert_int_equal(interval.busy, 1);
	worker_end(&worker);
}

static void
only_the_frozen_rotation_is_fetched_and_released(void **state)
{
	struct worker worker;
	const void *chunk;
	size_t len;
	bool last;

	(void)state;
	worker_start(&worker, "nosuch0");
	assert_int_equal(ask_fetch(&worker, 1, 0), MSG_E_SEQUENCE);
	assert_int_equal(ask_rotate(&worker, 1, 2000), MSG_OK);
	assert_int_equal(ask_fetch(&worker, 1, 0), MSG_OK);
	assert_int_equal(number(&worker, "cursor"), 0);
	assert_int_equal(number(&worker, "flows"), 0);
	assert_int_equal(view_bool(worker.parsed.body, "last", &last), 0);
	assert_true(last);
	assert_int_equal(view_bin(worker.parsed.body, "chunk", &chunk, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(ask_fetch(&worker, 1, UINT64_MAX), MSG_E_BAD_MESSAGE);
	assert_int_equal(ask_fetch(&worker, 2, 0), MSG_E_SEQUENCE);
	assert_int_equal(ask_release(&worker, 2, 5), MSG_E_SEQUENCE);
	assert_int_equal(ask_release(&worker, 2, 1), MSG_OK);
	/* Again, as a repeat and as a new command. */
	assert_int_equal(ask_release(&worker, 2, 1), MSG_OK);
	assert_int_equal(ask_release(&worker, 3, 1), MSG_OK);
	worker_end(&worker);
}

static void
a_successor_repeats_the_answers_of_its_predecessor(void **state)
{
	struct interval interval;
	struct capture_config config;
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	config = worker.config;
	assert_int_equal(ask_rotate(&worker, 1, 2000), MSG_OK);
	worker_close(&worker);
	worker_open(&worker, "nosuch0");
	assert_int_equal(ask_rotate(&worker, 1, 5000), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &interval), 0);
	assert_int_equal(interval.end_ms, 2000);
	assert_int_equal(ask_status(&worker), MSG_OK);
	assert_false(is_nil(&worker, "adoption"));
	assert_false(is_nil(&worker, "frozen"));
	assert_int_equal(ask_update(&worker, 2, &config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "successor");
	worker_close(&worker);
	worker_open(&worker, "nosuch0");
	assert_int_equal(ask_update(&worker, 2, &config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "successor");
	assert_string_equal(string(&worker, "state"), "error");
	assert_string_equal(string(&worker, "reason"), "no_such_device");
	worker_end(&worker);
}

static void
disabling_what_is_not_open_is_well(void **state)
{
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	for (uint64_t seq = 1; seq <= 2; seq++) {
		assert_int_equal(ask_disable(&worker, seq), MSG_OK);
		assert_string_equal(string(&worker, "state"), "uninitialized");
		assert_true(is_nil(&worker, "witness"));
	}
	assert_int_equal(ask_status(&worker), MSG_OK);
	assert_string_equal(string(&worker, "state"), "uninitialized");
	assert_string_equal(string(&worker, "reason"), "");
	worker_end(&worker);
}

static void
update_changes_a_filter_in_place_and_nothing_else(void **state)
{
	struct capture_config config;
	struct interval interval;
	struct worker worker;

	(void)state;
	net_require();
	worker_start(&worker, "v0");
	config = worker.config;
	assert_int_equal(ask_update(&worker, 1, &config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "unchanged");
	assert_string_equal(string(&worker, "state"), "active");
	snprintf(config.filter, sizeof(config.filter), "udp port 5000");
	assert_int_equal(ask_update(&worker, 2, &config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "applied");
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_send_udp("v1", 5001, 10));

	config.snaplen = 200;
	assert_int_equal(ask_update(&worker, 3, &config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "successor");
	config = worker.config;
	snprintf(config.filter, sizeof(config.filter), "no such word");
	assert_int_equal(ask_update(&worker, 4, &config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "successor");
	assert_string_equal(string(&worker, "state"), "active");
	assert_non_null(view_get(worker.parsed.body, "text"));

	assert_int_equal(ask_disable(&worker, 5), MSG_OK);
	assert_false(is_nil(&worker, "witness"));
	assert_int_equal(ask_rotate(&worker, 6, 2000), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &interval), 0);
	assert_int_equal(interval.books.received.packets, 10);
	assert_int_equal(interval.kernel.received, 10);
	assert_int_equal(ask_update(&worker, 7, &worker.config), MSG_OK);
	assert_string_equal(string(&worker, "result"), "successor");
	worker_end(&worker);
}

static void
a_configuration_out_of_range_is_a_bad_message(void **state)
{
	struct capture_config config;
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	config = worker.config;
	config.timeout_ms = 0;
	assert_int_equal(ask_update(&worker, 1, &config), MSG_E_BAD_MESSAGE);
	assert_int_equal(ask_status(&worker), MSG_OK);
	assert_int_equal(number(&worker, "seq"), 0);
	worker_end(&worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_has_every_key_of_the_protocol),
	    cmocka_unit_test(commands_are_carried_out_in_order_only),
	    cmocka_unit_test(a_repeated_rotation_is_answered_alike_and_done_once),
	    cmocka_unit_test(a_rotation_before_the_release_is_busy_and_takes_no_number),
	    cmocka_unit_test(only_the_frozen_rotation_is_fetched_and_released),
	    cmocka_unit_test(a_successor_repeats_the_answers_of_its_predecessor),
	    cmocka_unit_test(disabling_what_is_not_open_is_well),
	    cmocka_unit_test(update_changes_a_filter_in_place_and_nothing_else),
	    cmocka_unit_test(a_configuration_out_of_range_is_a_bad_message),
	};

	return cmocka_run_group_tests_name("commands of a worker", tests, NULL, NULL);
}
