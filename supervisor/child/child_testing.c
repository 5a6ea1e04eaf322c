#include "supervisor/child/child_testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/parts.h"
#include "supervisor/loop/signals.h"

struct loop *loop;
struct children *children;
static struct signals signals;
struct child *child;
char dir[64];
static int program_dir;
int data_fd;

unsigned connected;
unsigned died;
unsigned reaped;
int last_status;

static void
on_connected(void *arg, struct child *which)
{
	(void)arg;
	(void)which;
	connected++;
}

static void
on_died(void *arg, struct child *which)
{
	(void)arg;
	assert_int_equal(reaped, 0);
	assert_ptr_equal(which, child);
	died++;
}

static void
on_reaped(void *arg, struct child *which, int status)
{
	(void)arg;
	(void)which;
	assert_int_equal(died, 1);
	reaped++;
	last_status = status;
	child = NULL;
}

static const struct child_events events = {
    .connected = on_connected, .died = on_died, .reaped = on_reaped};

static void
on_signal(void *arg, int signal)
{
	(void)arg;
	if (signal == SIGCHLD)
		children_reap(children);
}

void
start_program(const char *program, uid_t uid)
{
	struct capture_config config;
	struct pack first;
	struct child_options options = {.program = program,
	    .label = "weir-worker test0",
	    .socket_dir = dir,
	    .socket_uid = uid,
	    .first = &first,
	    .data_fd = data_fd,
	    .errors_fd = -1};

	capture_config_default(&config);
	pack_init(&first);
	pack_request(&first, MSG_UPDATE);
	pack_key_u64(&first, "seq", 0);
	pack_key_str(&first, "iface", "test0");
	pack_key_u64(&first, "file_id", 77);
	pack_key_i64(&first, "begin_ms", 1000);
	pack_key_config(&first, "config", &config);
	assert_int_equal(pack_finish(&first), 0);
	assert_int_equal(child_start(&child, children, &options, &events, NULL), 0);
	pack_fini(&first);
}

void
start(void)
{
	start_program("weir-worker", geteuid());
}

int
setup(void **state)
{
	(void)state;
	connected = died = reaped = 0;
	strcpy(dir, "/tmp/weir-child-XXXXXX");
	if (!mkdtemp(dir) || setenv("WEIR_FAKE_DIR", dir, 1) != 0)
		return -1;
	program_dir = open(WEIR_TEST_FAKES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	data_fd = memfd_create("records", MFD_CLOEXEC);
	if (program_dir < 0 || data_fd < 0 || loop_new(&loop) != 0 ||
	    children_new(&children, loop, program_dir) != 0)
		return -1;
	return signals_watch(&signals, loop, on_signal, NULL);
}

int
teardown(void **state)
{
	char command[128];

	(void)state;
	if (children_free(children) != 0)
		return -1;
	signals_fini(&signals);
	loop_free(loop);
	close(program_dir);
	close(data_fd);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

void
turn_until(const unsigned *count, unsigned want, int64_t most_ms)
{
	struct mono end = mono_plus_ms(mono_now(), most_ms);

	while (*count < want && mono_ms_between(mono_now(), end) > 0)
		assert_int_equal(loop_turn(loop, 20), 0);
	assert_int_equal(*count, want);
}

static void
on_answer(void *arg, int rc, struct reply *reply)
{
	struct outcome *outcome = arg;

	outcome->count++;
	outcome->rc = rc;
	if (reply) {
		outcome->error = reply->msg.error;
		view_u64(reply->msg.body, "file_id", UINT64_MAX, &outcome->file_id);
	}
	reply_free(reply);
}

struct child_ask *
ask_child(enum msg_type type, int64_t ms, struct outcome *outcome)
{
	struct child_ask *ask = NULL;
	struct pack request;

	*outcome = (struct outcome){0};
	pack_init(&request);
	pack_request(&request, type);
	if (type == MSG_ROTATE) {
		pack_key_u64(&request, "seq", 1);
		pack_key_i64(&request, "end_ms", 2000);
	}
	assert_int_equal(pack_finish(&request), 0);
	assert_int_equal(
	    child_ask(&ask, child, type, &request, ms, on_answer, outcome), 0);
	pack_fini(&request);
	return ask;
}
