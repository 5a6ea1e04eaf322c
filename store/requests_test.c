#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/flow_map.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "store/format.h"
#include "store/requests.h"
#include "store/testing.h"

#define FLOWS 100

/* Asks; the answer must be parsed with ask_fini() after. */
struct exchange {
	struct pack answer;
	struct msg msg;
};

static void
ask_store(struct store *store, struct pack *request, struct exchange *e)
{
	pack_init(&e->answer);
	assert_int_equal(pack_finish(request), 0);
	serve_request(request->buffer.data, request->buffer.size, MSG_ROLE_STORE,
	    store_requests, store, &e->answer);
	assert_int_equal(
	    msg_parse(&e->msg, e->answer.buffer.data, e->answer.buffer.size), 0);
}

static void
exchange_fini(struct exchange *e)
{
	msg_fini(&e->msg);
	pack_fini(&e->answer);
}

static void
ask_simple(struct store *store, enum msg_type type, struct exchange *e)
{
	struct pack request;

	pack_init(&request);
	pack_request(&request, type);
	ask_store(store, &request, e);
	pack_fini(&request);
}

/* A whole map in one part. The result in words, or the error's name. */
static void
append(struct store *store, uint64_t rotation, uint64_t lie, char out[static 32])
{
	struct flow_record flows[FLOWS];
	int64_t begin = TESTING_BEGIN_MS + (int64_t)rotation * TESTING_ROTATION_MS;
	struct pack request, chunk;
	struct exchange e;

	testing_flows(flows, FLOWS, rotation + 1, begin, TESTING_ROTATION_MS);
	struct interval interval =
	    testing_interval(flows, FLOWS, begin, begin + TESTING_ROTATION_MS);
	interval.flows += lie;
	pack_init(&chunk);
	for (int i = 0; i < FLOWS; i++)
		flow_map_pack(&chunk, &flows[i]);
	pack_init(&request);
	pack_request(&request, MSG_APPEND);
	pack_key_str(&request, "iface", "eth0");
	pack_key_u64(&request, "file_id", UINT64_MAX);
	pack_key_u64(&request, "rotation", rotation);
	pack_key_u64(&request, "part", 0);
	pack_key_bool(&request, "last", true);
	pack_key_interval(&request, "interval", &interval);
	pack_key_bin(&request, "chunk", chunk.buffer.data, chunk.buffer.size);
	ask_store(store, &request, &e);
	if (e.msg.error == MSG_OK)
		assert_int_equal(view_str(e.msg.body, "result", out, 32), 0);
	else
		strcpy(out, msg_error_name(e.msg.error));
	exchange_fini(&e);
	pack_fini(&request);
	pack_fini(&chunk);
}

static uint64_t
status_number(struct store *store, const char *key)
{
	struct exchange e;
	uint64_t number = 0;

	ask_simple(store, MSG_STATUS, &e);
	assert_int_equal(e.msg.error, MSG_OK);
	assert_int_equal(view_u64(e.msg.body, key, UINT64_MAX, &number), 0);
	exchange_fini(&e);
	return number;
}

static struct store *
start(uint64_t keep_ms)
{
	struct retention retention = {.keep_ms = keep_ms};
	char why[SCHEMA_WHY_SIZE];
	struct store *store = NULL;

	assert_int_equal(
	    store_start("/somewhere/" STORE_DB_NAME, &retention, &store, why), 0);
	return store;
}

static void
append_status_and_flush_answer_as_documented(void **state)
{
	struct store *store = start(0);
	char text[256], result[32];
	struct exchange e;

	(void)state;
	assert_int_equal(status_number(store, "intervals"), 0);
	assert_int_equal(status_number(store, "oldest_ms"), 0);
	append(store, 0, 0, result);
	assert_string_equal(result, "durable");
	append(store, 1, 0, result);
	assert_string_equal(result, "durable");
	append(store, 1, 0, result);
	assert_string_equal(result, "known");
	append(store, 2, 1, result);
	assert_string_equal(result, "failed");

	ask_simple(store, MSG_STATUS, &e);
	assert_int_equal(view_str(e.msg.body, "path", text, sizeof(text)), 0);
	assert_string_equal(text, "/somewhere/" STORE_DB_NAME);
	assert_int_equal(view_str(e.msg.body, "last_error", text, sizeof(text)), 0);
	assert_non_null(strstr(text, "eth0"));
	assert_non_null(strstr(text, "101"));
	exchange_fini(&e);
	assert_int_equal(status_number(store, "intervals"), 2);
	assert_int_equal(status_number(store, "appends"), 2);
	assert_int_equal(status_number(store, "oldest_ms"), TESTING_BEGIN_MS);
	assert_int_equal(status_number(store, "newest_ms"),
	    TESTING_BEGIN_MS + 2 * TESTING_ROTATION_MS);
	assert_true(status_number(store, "bytes") > 8192);

	ask_simple(store, MSG_FLUSH, &e);
	assert_int_equal(e.msg.error, MSG_OK);
	exchange_fini(&e);
	append(store, 2, 0, result);
	assert_string_equal(result, "durable");
	ask_simple(store, MSG_STATUS, &e);
	assert_int_equal(view_str(e.msg.body, "last_error", text, sizeof(text)), 0);
	assert_string_equal(text, "");
	exchange_fini(&e);
	store_stop(store);
}

static void
requests_with_missing_keys_are_refused(void **state)
{
	static const char *const keys[] = {
	    "iface", "file_id", "rotation", "part", "last", "interval", "chunk"};
	struct store *store = start(0);
	struct interval interval = testing_interval(NULL, 0, 0, 1);

	(void)state;
	for (size_t missing = 0; missing <= 7; missing++) {
		struct pack request;
		struct exchange e;
		pack_init(&request);
		pack_request(&request, MSG_APPEND);
		for (size_t k = 0; k < 7; k++) {
			if (k == missing)
				continue;
			if (k == 0)
				pack_key_str(&request, keys[k], "eth0");
			else if (k < 4)
				pack_key_u64(&request, keys[k], 0);
			else if (k == 4)
				pack_key_bool(&request, keys[k], true);
			else if (k == 5)
				pack_key_interval(&request, keys[k], &interval);
			else
				pack_key_bin(&request, keys[k], "", 0);
		}
		ask_store(store, &request, &e);
		assert_int_equal(e.msg.error, missing < 7 ? MSG_E_BAD_MESSAGE : MSG_OK);
		exchange_fini(&e);
		pack_fini(&request);
	}
	store_stop(store);
}

static void
types_of_others_are_refused(void **state)
{
	struct store *store = start(0);
	struct exchange e;

	(void)state;
	ask_simple(store, MSG_FETCH, &e);
	assert_int_equal(e.msg.error, MSG_E_UNKNOWN_TYPE);
	exchange_fini(&e);
	ask_simple(store, MSG_PING, &e);
	assert_int_equal(e.msg.error, MSG_OK);
	exchange_fini(&e);
	store_stop(store);
}

static void
retention_works_beside_the_requests(void **state)
{
	struct store *store = start(1);
	char result[32];

	(void)state;
	/* All of them lie years back: only the newest stays. */
	for (uint64_t rotation = 0; rotation < 40; rotation++) {
		append(store, rotation, 0, result);
		assert_string_equal(result, "durable");
	}
	for (int wait = 0; wait < 500 && status_number(store, "intervals") > 1; wait++)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	assert_int_equal(status_number(store, "intervals"), 1);
	append(store, 39, 0, result);
	assert_string_equal(result, "known");
	store_stop(store);
}

static void
a_database_that_was_removed_is_made_anew(void **state)
{
	struct store *store = start(0);
	char result[32];

	(void)state;
	append(store, 0, 0, result);
	assert_string_equal(result, "durable");
	assert_int_equal(unlink(STORE_DB_NAME), 0);
	append(store, 1, 0, result);
	assert_string_equal(result, "durable");
	assert_int_equal(access(STORE_DB_NAME, R_OK), 0);
	assert_int_equal(status_number(store, "intervals"), 1);
	store_stop(store);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(append_status_and_flush_answer_as_documented),
	    TEST(requests_with_missing_keys_are_refused),
	    TEST(types_of_others_are_refused),
	    TEST(retention_works_beside_the_requests),
	    TEST(a_database_that_was_removed_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
