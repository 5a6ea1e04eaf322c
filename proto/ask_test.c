/* ask() as the client of a daemon in the test, which answers, is late, or is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/ask.h"
#include "proto/serve.h"
#include "proto/test_socket.h"
#include "proto/view.h"

static void
do_status(void *ctx, const struct msg *request, struct pack *answer)
{
	(void)ctx;
	pack_answer(answer, request->type);
	pack_key_str(answer, "state", "active");
}

static serve_handler *const table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = do_status, [MSG_APPEND] = do_status, /* not a worker's */
};

struct daemon {
	nng_socket sock;
	pthread_t thread;
	int delay_ms;
	bool garbage;
	int rounds;
};

static void *
run_daemon(void *arg)
{
	struct daemon *daemon = arg;
	struct pack answer;
	nng_msg *msg;

	pack_init(&answer);
	for (int i = 0; i < daemon->rounds; i++) {
		if (nng_recvmsg(daemon->sock, &msg, 0) != 0)
			break;
		serve_request(nng_msg_body(msg), nng_msg_len(msg), MSG_ROLE_WORKER,
		    table, NULL, &answer);
		nng_msg_free(msg);
		usleep((useconds_t)daemon->delay_ms * 1000);
		if (daemon->garbage)
			(void)nng_send(daemon->sock, (void *)"\xdd\xff\0\0", 4, 0);
		else
			(void)nng_send(
			    daemon->sock, answer.buffer.data, answer.buffer.size, 0);
	}
	pack_fini(&answer);
	return NULL;
}

static void
start_daemon(struct daemon *daemon)
{
	assert_int_equal(nng_rep0_open(&daemon->sock), 0);
	assert_int_equal(nng_socket_set_ms(daemon->sock, NNG_OPT_RECVTIMEO, 5000), 0);
	assert_int_equal(nng_listen(daemon->sock, test_socket_url, NULL, 0), 0);
	assert_int_equal(pthread_create(&daemon->thread, NULL, run_daemon, daemon), 0);
}

static void
end_daemon(struct daemon *daemon)
{
	assert_int_equal(pthread_join(daemon->thread, NULL), 0);
	nng_close(daemon->sock);
}

static int
ask_path(const char *socket_path, int timeout_ms)
{
	struct answer answer = {.data = NULL};
	struct pack request;
	int rc;

	pack_init(&request);
	pack_request(&request, MSG_PING);
	assert_int_equal(pack_finish(&request), 0);
	rc = ask(socket_path, &request, timeout_ms, &answer);
	answer_fini(&answer);
	pack_fini(&request);
	return rc;
}

static int
ask_daemon(int delay_ms, bool garbage, enum msg_type type, int timeout_ms,
    struct answer *answer)
{
	struct daemon daemon = {.delay_ms = delay_ms, .garbage = garbage, .rounds = 1};
	struct pack request;
	int rc;

	start_daemon(&daemon);
	pack_init(&request);
	pack_request(&request, type);
	assert_int_equal(pack_finish(&request), 0);
	rc = ask(test_socket_path, &request, timeout_ms, answer);
	pack_fini(&request);
	end_daemon(&daemon);
	return rc;
}

static void
asking_brings_the_answer(void **state)
{
	struct answer answer = {.data = NULL};
	char text[16];

	(void)state;
	assert_int_equal(ask_daemon(0, false, MSG_STATUS, 3000, &answer), 0);
	assert_int_equal(answer.msg.type, MSG_STATUS);
	assert_int_equal(answer.msg.error, MSG_OK);
	assert_int_equal(view_str(answer.msg.body, "state", text, sizeof(text)), 0);
	assert_string_equal(text, "active");
	answer_fini(&answer);
	answer_fini(&answer);
	answer_fini(NULL);
}

/* What ask() does before it dials must leave a listener of nng well, see ask.c. */
static void
asking_a_hundred_times_brings_a_hundred_answers(void **state)
{
	struct daemon daemon = {.rounds = 100};

	(void)state;
	start_daemon(&daemon);
	for (int i = 0; i < daemon.rounds; i++)
		assert_int_equal(ask_path(test_socket_path, 3000), 0);
	end_daemon(&daemon);
}

static void
a_refusal_is_an_answer_too(void **state)
{
	struct answer answer;

	(void)state;
	assert_int_equal(ask_daemon(0, false, MSG_APPEND, 3000, &answer), 0);
	assert_int_equal(answer.msg.error, MSG_E_UNKNOWN_TYPE);
	answer_fini(&answer);
}

static void
an_answer_held_back_times_out(void **state)
{
	struct answer answer;
	struct mono before = mono_now();

	(void)state;
	assert_int_equal(ask_daemon(600, false, MSG_STATUS, 200, &answer), -ETIMEDOUT);
	assert_true(mono_ms_between(before, mono_now()) >= 200);
}

static void
a_malformed_answer_is_told(void **state)
{
	struct answer answer;

	(void)state;
	assert_int_equal(ask_daemon(0, true, MSG_STATUS, 3000, &answer), -EPROTO);
}

static int
listen_plainly(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, test_socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void
a_path_where_nobody_listens_is_told_at_once(void **state)
{
	struct mono before = mono_now();
	char longer[200];

	(void)state;
	assert_int_equal(ask_path(test_socket_path, 5000), -ENOENT);
	close(listen_plainly());
	assert_int_equal(ask_path(test_socket_path, 5000), -ECONNREFUSED);
	unlink(test_socket_path);
	memset(longer, 'x', sizeof(longer));
	longer[108] = '\0';
	assert_int_equal(ask_path(longer, 5000), -ENAMETOOLONG);
	longer[107] = '\0';
	assert_int_equal(ask_path(longer, 5000), -ENOENT);
	assert_int_equal(ask_path("", 5000), -EINVAL);
	assert_true(mono_ms_between(before, mono_now()) < 1000);
}

static void
a_peer_that_is_silent_times_out(void **state)
{
	struct mono before;
	int fd = listen_plainly();

	(void)state;
	before = mono_now();
	assert_int_equal(ask_path(test_socket_path, 300), -ETIMEDOUT);
	assert_true(mono_ms_between(before, mono_now()) < 2000);
	close(fd);
	unlink(test_socket_path);
}

static void
a_request_that_is_not_finished_is_not_sent(void **state)
{
	struct answer answer;
	struct pack request;

	(void)state;
	pack_init(&request);
	assert_int_equal(ask(test_socket_path, &request, 100, &answer), -EINVAL);
	pack_request(&request, MSG_PING);
	assert_int_equal(ask(test_socket_path, &request, 100, &answer), -EINVAL);
	pack_fini(&request);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, test_socket_make, test_socket_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(asking_brings_the_answer),
	    TEST(asking_a_hundred_times_brings_a_hundred_answers),
	    TEST(a_refusal_is_an_answer_too),
	    TEST(an_answer_held_back_times_out),
	    TEST(a_malformed_answer_is_told),
	    TEST(a_path_where_nobody_listens_is_told_at_once),
	    TEST(a_peer_that_is_silent_times_out),
	    TEST(a_request_that_is_not_finished_is_not_sent),
	};

	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	nng_fini(); /* waits for what nng frees on its own threads */
	return rc;
}
