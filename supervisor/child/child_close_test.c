/* A child's socket is opened and closed thousands of times with a receive pending: nng 1.5.2
 * has stood still in that (child_socket.c). The child is the hostile one, which dials and
 * never answers. With WEIR_TEST_LONG=1 it is ten thousand times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/parts.h"
#include "supervisor/child/child.h"
#include "supervisor/loop/signals.h"

#define ROUNDS 500
#define ROUNDS_LONG 10000
#define ASKS 3

static struct loop *loop;
static struct children *children;
static struct signals signals;
static struct child *child;
static char dir[64];
static char script[96];
static int program_dir;
static bool connected;
static bool reaped;
static unsigned ended[ASKS];

static void
on_connected(void *arg, struct child *which)
{
	(void)arg;
	(void)which;
	connected = true;
}

static void
on_reaped(void *arg, struct child *which, int status)
{
	(void)arg;
	(void)which;
	(void)status;
	reaped = true;
	child = NULL;
}

static const struct child_events events = {
    .connected = on_connected, .reaped = on_reaped};

static void
on_signal(void *arg, int signal)
{
	(void)arg;
	if (signal == SIGCHLD)
		children_reap(children);
}

static void
on_answer(void *arg, int rc, struct reply *reply)
{
	unsigned *count = arg;

	assert_null(reply);
	assert_int_equal(rc, -ECONNRESET);
	(*count)++;
}

static int
setup(void **state)
{
	FILE *file;

	(void)state;
	strcpy(dir, "/tmp/weir-close-XXXXXX");
	if (!mkdtemp(dir) || setenv("WEIR_HOSTILE_DIR", dir, 1) != 0)
		return -1;
	snprintf(script, sizeof(script), "%s/h0", dir);
	file = fopen(script, "w");
	if (!file || fputs("silent\n", file) < 0 || fclose(file) != 0)
		return -1;
	program_dir = open(WEIR_TEST_HOSTILE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (program_dir < 0 || loop_new(&loop) != 0 ||
	    children_new(&children, loop, program_dir) != 0)
		return -1;
	return signals_watch(&signals, loop, on_signal, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	if (children_free(children) != 0)
		return -1;
	signals_fini(&signals);
	loop_free(loop);
	close(program_dir);
	unlink(script);
	return rmdir(dir);
}

static void
start(void)
{
	char user[32];
	const char *args[] = {"--user", user, "--", "h0", NULL};
	struct pack first;
	struct child_options options = {.program = "weir-worker",
	    .label = "weir-worker h0",
	    .args = args,
	    .socket_dir = dir,
	    .socket_uid = geteuid(),
	    .first = &first,
	    .data_fd = -1,
	    .errors_fd = -1};

	snprintf(user, sizeof(user), "%u:%u", (unsigned)geteuid(), (unsigned)getegid());
	connected = reaped = false;
	pack_init(&first);
	pack_request(&first, MSG_UPDATE);
	pack_key_u64(&first, "file_id", 1);
	assert_int_equal(pack_finish(&first), 0);
	assert_int_equal(child_start(&child, children, &options, &events, NULL), 0);
	pack_fini(&first);
}

static void
ask(unsigned *count)
{
	struct pack request;

	*count = 0;
	pack_init(&request);
	pack_request(&request, MSG_STATUS);
	assert_int_equal(pack_finish(&request), 0);
	assert_int_equal(
	    child_ask(NULL, child, MSG_STATUS, &request, 20000, on_answer, count), 0);
	pack_fini(&request);
}

static void
turn_until(const bool *what, int64_t most_ms)
{
	struct mono end = mono_plus_ms(mono_now(), most_ms);

	while (!*what && mono_ms_between(mono_now(), end) > 0)
		assert_int_equal(loop_turn(loop, 20), 0);
	assert_true(*what);
}

static long
resident(void)
{
	long size = 0;
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &size, &pages), 2);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static size_t
open_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(fds);
	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

/* The last ones may take a moment: their sockets are closed on threads of their own, and nng
 * does the last of it later still. */
static void
wait_until_gone(void)
{
	struct mono end = mono_plus_ms(mono_now(), 15000);

	while (children_count(children) > 0 && mono_ms_between(mono_now(), end) > 0)
		assert_int_equal(loop_turn(loop, 20), 0);
	assert_int_equal(children_count(children), 0);
	usleep(300000);
}

static void
sockets_are_closed_with_receives_pending(void **state)
{
	const char *is_long = getenv("WEIR_TEST_LONG");
	long rounds = is_long && strcmp(is_long, "1") == 0 ? ROUNDS_LONG : ROUNDS;
	size_t descriptors = 0;
	long memory = 0;

	(void)state;
	for (long round = 0; round < rounds; round++) {
		start();
		/* while it is being started, when it has dialled, and in between */
		if (round % 3 == 0)
			turn_until(&connected, 10000);
		else if (round % 3 == 1)
			usleep((useconds_t)(round % 40) * 100);
		for (int i = 0; i < ASKS; i++)
			ask(&ended[i]);
		if (round % 2 == 0)
			assert_int_equal(loop_turn(loop, 1), 0);
		if (round % 5 < 3)
			kill(child_pid(child), SIGKILL);
		else
			child_kill(child, "a test");
		turn_until(&reaped, 10000);
		for (int i = 0; i < ASKS; i++)
			assert_int_equal(ended[i], 1);
		if (round == rounds / 5) {
			wait_until_gone();
			descriptors = open_descriptors();
			memory = resident();
		}
	}
	wait_until_gone();
	assert_true(open_descriptors() <= descriptors);
	print_message("%ld rounds: resident memory %+ld KiB\n", rounds,
	    (resident() - memory) / 1024);
#ifndef WEIR_SANITIZED
	assert_true(resident() - memory < 1024 * 1024);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		sockets_are_closed_with_receives_pending, setup, teardown),
	};

	if (signals_block() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
