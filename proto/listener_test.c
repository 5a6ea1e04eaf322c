#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/listener.h"
#include "proto/test_socket.h"

#ifdef WEIR_SANITIZED
/* A peer that waited at a silent listener is never freed by nng, about 4 KiB. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libnng.so";
}
#endif

static nng_socket rep;
static nng_listener listener;

/* Whether a client's message arrives. */
static bool
reached(void)
{
	nng_socket client;
	nng_msg *msg;
	int rc;

	assert_int_equal(nng_req0_open(&client), 0);
	assert_int_equal(nng_dial(client, test_socket_url, NULL, 0), 0);
	assert_int_equal(nng_send(client, "x", 1, 0), 0);
	rc = nng_recvmsg(rep, &msg, 0);
	if (rc == 0)
		nng_msg_free(msg);
	nng_close(client);
	return rc == 0;
}

static void
hang_up_before_the_greeting(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, test_socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void
ordinary_clients_are_no_failures(void **state)
{
	uint64_t failures = 42;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(reached());
	/* The end of the last pipe may be counted before the pipe is taken away. */
	for (int i = 0; i < 100 && failures != 0; i++) {
		nng_msleep(10);
		assert_int_equal(listener_failures(listener, &failures), 0);
	}
	assert_int_equal(failures, 0);
}

static void
a_listener_that_never_was_is_not_found(void **state)
{
	nng_listener none = {.id = 12345};
	uint64_t failures = 42;

	(void)state;
	assert_int_equal(listener_failures(none, &failures), -ENOENT);
	assert_int_equal(failures, 42);
}

static void
a_listener_that_fell_silent_shows_and_is_mended_by_listening_again(void **state)
{
	uint64_t failures = 0;
	nng_listener other;
	char other_url[128];

	(void)state;
	snprintf(other_url, sizeof(other_url), "%s2", test_socket_url);
	assert_int_equal(nng_listen(rep, other_url, &other, 0), 0);
	for (int i = 0; i < 50; i++) {
		hang_up_before_the_greeting();
		nng_msleep(20);
	}
	assert_int_equal(listener_failures(listener, &failures), 0);
	if (!reached())
		assert_true(failures > 0);
	assert_int_equal(listener_failures(other, &failures), 0);
	assert_int_equal(failures, 0);
	assert_int_equal(nng_listener_close(listener), 0);
	assert_int_equal(nng_listen(rep, test_socket_url, &listener, 0), 0);
	assert_true(reached());
}

static int
set_up(void **state)
{
	if (test_socket_make(state) != 0)
		return -1;
	if (nng_rep0_open(&rep) != 0 ||
	    nng_socket_set_ms(rep, NNG_OPT_RECVTIMEO, 1000) != 0)
		return -1;
	return nng_listen(rep, test_socket_url, &listener, 0);
}

static int
tear_down(void **state)
{
	nng_close(rep);
	return test_socket_remove(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(ordinary_clients_are_no_failures),
	    TEST(a_listener_that_never_was_is_not_found),
	    TEST(a_listener_that_fell_silent_shows_and_is_mended_by_listening_again),
	};

	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	nng_fini(); /* waits for what nng frees on its own threads */
	return rc;
}
