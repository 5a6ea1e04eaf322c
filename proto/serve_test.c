/* serve_request() alone, then a child that serves over a real socket while the test
 * plays the supervisor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/serve.h"
#include "proto/test_socket.h"
#include "proto/view.h"

static atomic_int calls;

/* The handlers of a child. */
static void
do_status(void *ctx, const struct msg *request, struct pack *answer)
{
	atomic_fetch_add(&calls, 1);
	pack_answer(answer, request->type);
	pack_key_str(answer, "state", ctx);
}

static void
do_fetch(void *ctx, const struct msg *request, struct pack *answer)
{
	static uint8_t chunk[MSG_CHUNK_MAX];

	(void)ctx;
	pack_answer(answer, request->type);
	pack_key_bin(answer, "chunk", chunk, sizeof(chunk));
}

static void
do_too_much(void *ctx, const struct msg *request, struct pack *answer)
{
	do_fetch(ctx, request, answer);
	for (int i = 0; i < 3; i++)
		pack_key_bin(answer, "more", "", 0);
	while (!answer->failed && answer->buffer.size <= MSG_SIZE_MAX)
		pack_key_str(answer, "more", "and more and more and more and more");
}

static void
do_too_many(void *ctx, const struct msg *request, struct pack *answer)
{
	(void)ctx;
	pack_answer(answer, request->type);
	pack_key_array(answer, "list");
	for (int i = 0; i <= MSG_OBJECTS_MAX; i++)
		pack_nil(answer);
	pack_end(answer);
}

static void
do_badly(void *ctx, const struct msg *request, struct pack *answer)
{
	(void)ctx;
	pack_answer(answer, request->type);
	pack_key_map(answer, "never ended");
}

static void
do_nothing(void *ctx, const struct msg *request, struct pack *answer)
{
	(void)ctx;
	(void)request;
	(void)answer;
}

static void
do_slowly(void *ctx, const struct msg *request, struct pack *answer)
{
	usleep(400 * 1000);
	do_status(ctx, request, answer);
}

static serve_handler *const table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = do_status,
    [MSG_FETCH] = do_fetch,
    [MSG_DISABLE] = do_too_much,
    [MSG_RELEASE] = do_too_many,
    [MSG_UPDATE] = do_badly,
    [MSG_ROTATE] = do_nothing,
    [MSG_APPEND] = do_status, /* not a worker's */
    [MSG_FLUSH] = do_slowly,
};

static char state_text[] = "active";

/* What a worker answers to these bytes. */
static enum msg_error
error_of(const void *data, size_t len, enum msg_type *type)
{
	struct pack answer;
	struct msg msg;

	pack_init(&answer);
	serve_request(data, len, MSG_ROLE_WORKER, table, state_text, &answer);
	assert_int_equal(msg_parse(&msg, answer.buffer.data, answer.buffer.size), 0);
	assert_true(msg.is_answer);
	if (msg.error != MSG_OK)
		assert_non_null(view_get(msg.body, "text"));
	if (type)
		*type = msg.type;
	msg_fini(&msg);
	pack_fini(&answer);
	return msg.error;
}

static enum msg_error
error_of_type(enum msg_type asked)
{
	enum msg_type answered;
	enum msg_error error;
	struct pack request;

	pack_init(&request);
	pack_request(&request, asked);
	assert_int_equal(pack_finish(&request), 0);
	error = error_of(request.buffer.data, request.buffer.size, &answered);
	assert_int_equal(answered, asked);
	pack_fini(&request);
	return error;
}

static void
a_served_request_is_answered(void **state)
{
	(void)state;
	assert_int_equal(error_of_type(MSG_STATUS), MSG_OK);
	assert_int_equal(error_of_type(MSG_FETCH), MSG_OK);
}

static void
ping_needs_no_handler(void **state)
{
	(void)state;
	assert_int_equal(error_of_type(MSG_PING), MSG_OK);
}

static void
what_the_role_does_not_serve_is_refused_before_the_table(void **state)
{
	int before = atomic_load(&calls);

	(void)state;
	assert_int_equal(error_of_type(MSG_APPEND), MSG_E_UNKNOWN_TYPE);
	assert_int_equal(error_of_type(MSG_FLUSH), MSG_E_UNKNOWN_TYPE);
	assert_int_equal(error_of_type(MSG_MAP), MSG_E_UNKNOWN_TYPE);
	assert_int_equal(atomic_load(&calls), before);
}

static void
an_empty_place_in_the_table_is_refused(void **state)
{
	static serve_handler *const nobody[MSG_TYPE_MAX];
	struct pack request, answer;
	struct msg msg;

	(void)state;
	pack_init(&request);
	pack_init(&answer);
	pack_request(&request, MSG_STATUS);
	assert_int_equal(pack_finish(&request), 0);
	serve_request(request.buffer.data, request.buffer.size, MSG_ROLE_STORE, nobody,
	    NULL, &answer);
	assert_int_equal(msg_parse(&msg, answer.buffer.data, answer.buffer.size), 0);
	assert_int_equal(msg.error, MSG_E_UNKNOWN_TYPE);
	msg_fini(&msg);
	pack_fini(&request);
	pack_fini(&answer);
}

static void
answers_that_nobody_could_read_become_failures(void **state)
{
	(void)state;
	assert_int_equal(error_of_type(MSG_DISABLE), MSG_E_FAILED);
	assert_int_equal(error_of_type(MSG_RELEASE), MSG_E_FAILED);
	assert_int_equal(error_of_type(MSG_UPDATE), MSG_E_FAILED);
	assert_int_equal(error_of_type(MSG_ROTATE), MSG_E_FAILED);
}

static void
malformed_requests_are_refused(void **state)
{
	uint8_t nest[64];
	enum msg_type type;
	struct pack answer;

	(void)state;
	assert_int_equal(error_of("", 0, &type), MSG_E_BAD_MESSAGE);
	assert_int_equal(type, MSG_NONE);
	assert_int_equal(error_of("\xdd\xff\0\0\0", 5, NULL), MSG_E_BAD_MESSAGE);
	assert_int_equal(error_of("\x80", 1, NULL), MSG_E_BAD_MESSAGE);
	memset(nest, 0x91, sizeof(nest));
	nest[40] = 0xc0;
	assert_int_equal(error_of(nest, 41, NULL), MSG_E_BAD_MESSAGE);
	assert_int_equal(
	    error_of("\x82\xa4weir\x02\xa4type\xa4ping", 16 + 1, NULL), MSG_E_VERSION);
	assert_int_equal(error_of("\x82\xa4weir\x01\xa4type\xa4pong", 16 + 1, NULL),
	    MSG_E_UNKNOWN_TYPE);

	/* an answer is no request */
	pack_init(&answer);
	pack_answer(&answer, MSG_PING);
	assert_int_equal(pack_finish(&answer), 0);
	assert_int_equal(
	    error_of(answer.buffer.data, answer.buffer.size, NULL), MSG_E_BAD_MESSAGE);
	pack_error(&answer, MSG_NONE, MSG_E_BUSY, "-");
	assert_int_equal(pack_finish(&answer), 0);
	assert_int_equal(
	    error_of(answer.buffer.data, answer.buffer.size, NULL), MSG_E_BAD_MESSAGE);
	pack_fini(&answer);
}

static void
a_request_over_the_size_limit_is_refused(void **state)
{
	struct pack request;
	uint8_t *data = calloc(1, MSG_SIZE_MAX);

	(void)state;
	assert_non_null(data);
	pack_init(&request);
	pack_request(&request, MSG_STATUS);
	pack_key_bin(&request, "x", data, MSG_SIZE_MAX - 64);
	assert_int_equal(pack_finish(&request), 0);
	assert_true(request.buffer.size <= MSG_SIZE_MAX);
	assert_int_equal(
	    error_of(request.buffer.data, request.buffer.size, NULL), MSG_OK);
	pack_request(&request, MSG_STATUS);
	pack_key_bin(&request, "x", data, MSG_SIZE_MAX);
	assert_int_equal(pack_finish(&request), 0);
	assert_int_equal(error_of(request.buffer.data, request.buffer.size, NULL),
	    MSG_E_BAD_MESSAGE);
	pack_fini(&request);
	free(data);
}

/* A child on a thread, the supervisor's REQ socket in the test. */
struct child {
	nng_socket supervisor;
	pthread_t thread;
	serve_ready *ready;
	int rc;
};

static void *
run_child(void *arg)
{
	struct child *child = arg;

	child->rc = serve_child(
	    test_socket_path, MSG_ROLE_WORKER, table, child->ready, state_text);
	return NULL;
}

static void
listen_as_supervisor(struct child *child)
{
	assert_int_equal(nng_req0_open(&child->supervisor), 0);
	assert_int_equal(nng_socket_set_ms(child->supervisor, NNG_OPT_REQ_RESENDTIME,
			     NNG_DURATION_INFINITE),
	    0);
	assert_int_equal(
	    nng_socket_set_ms(child->supervisor, NNG_OPT_RECVTIMEO, 5000), 0);
	assert_int_equal(
	    nng_socket_set_ms(child->supervisor, NNG_OPT_SENDTIMEO, 5000), 0);
	assert_int_equal(
	    nng_socket_set_size(child->supervisor, NNG_OPT_RECVMAXSZ, MSG_SIZE_MAX), 0);
	assert_int_equal(nng_listen(child->supervisor, test_socket_url, NULL, 0), 0);
}

static void
start_child(struct child *child)
{
	assert_int_equal(pthread_create(&child->thread, NULL, run_child, child), 0);
}

/* Closes the supervisor's side; the child must return 0 soon. */
static void
end_child(struct child *child)
{
	struct mono before;

	nng_close(child->supervisor);
	before = mono_now();
	assert_int_equal(pthread_join(child->thread, NULL), 0);
	assert_true(mono_ms_between(before, mono_now()) < 2000);
	assert_int_equal(child->rc, 0);
}

static void
send_request(struct child *child, enum msg_type type, size_t padding)
{
	struct pack request;
	uint8_t *data = calloc(1, padding + 1);

	assert_non_null(data);
	pack_init(&request);
	pack_request(&request, type);
	if (padding > 0)
		pack_key_bin(&request, "padding", data, padding);
	assert_int_equal(pack_finish(&request), 0);
	assert_int_equal(
	    nng_send(child->supervisor, request.buffer.data, request.buffer.size, 0),
	    0);
	pack_fini(&request);
	free(data);
}

/* Receives the answer; its size. */
static size_t
receive_answer(struct child *child, enum msg_error expected)
{
	struct msg msg;
	void *data;
	size_t len;

	assert_int_equal(nng_recv(child->supervisor, &data, &len, NNG_FLAG_ALLOC), 0);
	assert_int_equal(msg_parse(&msg, data, len), 0);
	assert_int_equal(msg.error, expected);
	msg_fini(&msg);
	nng_free(data, len);
	return len;
}

static void
a_child_answers_one_request_after_the_other(void **state)
{
	struct child child = {.ready = NULL};

	(void)state;
	listen_as_supervisor(&child);
	start_child(&child);
	for (int i = 0; i < 100; i++) {
		send_request(&child, i % 2 ? MSG_PING : MSG_STATUS, 0);
		receive_answer(&child, MSG_OK);
	}
	send_request(&child, MSG_FETCH, 0);
	assert_true(receive_answer(&child, MSG_OK) > MSG_CHUNK_MAX);
	send_request(&child, MSG_APPEND, 0);
	receive_answer(&child, MSG_E_UNKNOWN_TYPE);
	end_child(&child);
}

static void
a_child_ends_when_the_supervisor_closes_before_any_request(void **state)
{
	struct child child = {.ready = NULL};

	(void)state;
	for (int i = 0; i < 5; i++) {
		listen_as_supervisor(&child);
		start_child(&child);
		usleep(i * 5000);
		/* the child has dialled when it is asked; closing earlier is the next test */
		send_request(&child, MSG_PING, 0);
		receive_answer(&child, MSG_OK);
		end_child(&child);
	}
}

static void
a_child_ends_when_the_supervisor_closes_while_it_works(void **state)
{
	struct child child = {.ready = NULL};

	(void)state;
	listen_as_supervisor(&child);
	start_child(&child);
	send_request(&child, MSG_FLUSH, 0);
	/* It is working on it now. Not later: nng 1.5.2 may stand still when a socket is
	 * closed in the moment in which a message arrives. */
	usleep(100 * 1000);
	end_child(&child);
}

static void
a_child_does_not_dial_again(void **state)
{
	struct child child = {.ready = NULL}, other = {.ready = NULL};
	int rc;

	(void)state;
	listen_as_supervisor(&child);
	start_child(&child);
	send_request(&child, MSG_PING, 0);
	receive_answer(&child, MSG_OK);
	end_child(&child);
	/* somebody listens there again, and nobody comes */
	listen_as_supervisor(&other);
	assert_int_equal(
	    nng_socket_set_ms(other.supervisor, NNG_OPT_SENDTIMEO, 300), 0);
	rc = nng_send(other.supervisor, "x", 1, 0);
	assert_int_equal(rc, NNG_ETIMEDOUT);
	nng_close(other.supervisor);
}

static void
a_child_waits_for_a_supervisor_that_listens_late(void **state)
{
	struct child child = {.ready = NULL};

	(void)state;
	start_child(&child);
	usleep(200 * 1000);
	listen_as_supervisor(&child);
	send_request(&child, MSG_STATUS, 0);
	receive_answer(&child, MSG_OK);
	end_child(&child);
}

static void
a_child_is_not_reached_by_a_message_over_the_limit(void **state)
{
	struct child child = {.ready = NULL};
	struct mono before;
	int calls_before = atomic_load(&calls);

	(void)state;
	listen_as_supervisor(&child);
	start_child(&child);
	send_request(&child, MSG_PING, MSG_SIZE_MAX - 100);
	receive_answer(&child, MSG_OK);
	send_request(&child, MSG_STATUS, MSG_SIZE_MAX + 4096);
	/* nng drops the pipe at the length, which is the child's end */
	before = mono_now();
	assert_int_equal(pthread_join(child.thread, NULL), 0);
	assert_true(mono_ms_between(before, mono_now()) < 2000);
	assert_int_equal(child.rc, 0);
	assert_int_equal(atomic_load(&calls), calls_before);
	nng_close(child.supervisor);
}

static int
count_threads(void)
{
	char line[128];
	FILE *file = fopen("/proc/self/status", "r");
	int threads = 0;

	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "Threads: %d", &threads);
	if (file)
		fclose(file);
	return threads;
}

static atomic_int threads_when_ready;

static int
note_threads(void *ctx)
{
	atomic_store(&threads_when_ready, count_threads());
	return ctx == state_text ? 0 : -EINVAL;
}

static void
a_child_is_told_once_when_it_has_dialled(void **state)
{
	struct child child = {.ready = note_threads};
	int threads;

	(void)state;
	atomic_store(&threads_when_ready, 0);
	listen_as_supervisor(&child);
	start_child(&child);
	send_request(&child, MSG_STATUS, 0);
	receive_answer(&child, MSG_OK);
	threads = atomic_exchange(&threads_when_ready, 0);
	assert_true(threads > 0);
	send_request(&child, MSG_STATUS, 0);
	receive_answer(&child, MSG_OK);
	/* A request starts no further thread, and nothing is told again. */
	assert_int_equal(count_threads(), threads);
	assert_int_equal(atomic_load(&threads_when_ready), 0);
	end_child(&child);
}

static int
be_not_ready(void *ctx)
{
	(void)ctx;
	/* nng does not take it well when a socket is closed that has only just begun. */
	nng_msleep(100);
	return -EPERM;
}

static void
a_child_that_is_not_ready_serves_nothing(void **state)
{
	const int calls_before = atomic_load(&calls);
	struct child child = {.ready = be_not_ready};

	(void)state;
	listen_as_supervisor(&child);
	start_child(&child);
	assert_int_equal(pthread_join(child.thread, NULL), 0);
	assert_int_equal(child.rc, -EPERM);
	assert_int_equal(atomic_load(&calls), calls_before);
	nng_close(child.supervisor);
}

static void
a_path_too_long_is_told_at_once(void **state)
{
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[108] = '\0';
	assert_int_equal(
	    serve_child(longer, MSG_ROLE_WORKER, table, NULL, NULL), -EINVAL);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, test_socket_make, test_socket_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_served_request_is_answered),
	    cmocka_unit_test(ping_needs_no_handler),
	    cmocka_unit_test(what_the_role_does_not_serve_is_refused_before_the_table),
	    cmocka_unit_test(an_empty_place_in_the_table_is_refused),
	    cmocka_unit_test(answers_that_nobody_could_read_become_failures),
	    cmocka_unit_test(malformed_requests_are_refused),
	    cmocka_unit_test(a_request_over_the_size_limit_is_refused),
	    TEST(a_child_answers_one_request_after_the_other),
	    TEST(a_child_ends_when_the_supervisor_closes_before_any_request),
	    TEST(a_child_ends_when_the_supervisor_closes_while_it_works),
	    TEST(a_child_does_not_dial_again),
	    TEST(a_child_waits_for_a_supervisor_that_listens_late),
	    TEST(a_child_is_not_reached_by_a_message_over_the_limit),
	    TEST(a_child_is_told_once_when_it_has_dialled),
	    TEST(a_child_that_is_not_ready_serves_nothing),
	    cmocka_unit_test(a_path_too_long_is_told_at_once),
	};

	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	nng_fini(); /* waits for what nng frees on its own threads */
	return rc;
}
