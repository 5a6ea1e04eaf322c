/* Runs the real weirctl against a small daemon made here: a REP socket that gives
 * prepared answers. */
#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/client.h"
#include "proto/parts.h"
#include "proto/view.h"

#define WORDS_MAX 16

static char directory[] = "/tmp/weirctl-test-XXXXXX";
static char socket_path[64];
static char out_text[65536];
static char err_text[65536];

/* --- the daemon --- */

static struct {
	pthread_t thread;
	nng_socket socket;
	atomic_bool worker_answers; /* of eth1 */
	atomic_bool rotate_fails;
	atomic_uint asked;
} daemon_state;

static void
pack_worker(struct pack *pack, uint64_t packets)
{
	struct interval interval = {
	    .begin_ms = INT64_C(1767225600000),
	    .end_ms = INT64_C(1767225601000),
	    .length_ns = NS_PER_S,
	    .flows = 3,
	    .kernel = {.known = true, .received = packets, .dropped = 5},
	};
	struct counter total = {packets, packets * 100};

	interval.books.received = total;
	interval.books.in_flows = (struct counter){packets - 2, packets * 100 - 120};
	interval.books.refused[REFUSED_NOT_IP] = (struct counter){2, 120};
	pack_key_map(pack, "worker");
	pack_key_str(pack, "state", "active");
	pack_key_str(pack, "reason", "");
	pack_key_str(pack, "reason_text", "");
	pack_key_interval(pack, "interval", &interval);
	pack_key_u64(pack, "flows", 3);
	pack_key_u64(pack, "flow_limit", 1000000);
	pack_key_counter(pack, "total", &total);
	pack_end(pack);
}

static void
pack_iface(struct pack *pack, const char *name, bool answers)
{
	pack_key_map(pack, name);
	pack_key_str(pack, "wanted", "enabled");
	pack_key_str(pack, "state", answers ? "active" : "error");
	pack_key_str(pack, "reason", answers ? "" : "no_such_device");
	pack_key_u64(pack, "pid", 4711);
	pack_key_u64(pack, "uptime_ms", 61000);
	pack_key_u64(pack, "restarts", 0);
	pack_key_str(pack, "last_exit", "");
	pack_key_u64(pack, "last_exit_ms", 0);
	pack_key_nil(pack, "waiting");
	pack_key_u64(pack, "rotations", UINT64_MAX);
	if (answers) {
		pack_worker(pack, 1000 + 100 * (uint64_t)daemon_state.asked);
	} else {
		pack_key_nil(pack, "worker");
		pack_key_str(pack, "worker_error", "no answer\x1b[2J in time");
	}
	pack_end(pack);
}

static void
answer_status(struct pack *pack, const struct msg *request)
{
	const msgpack_object *ifaces;

	daemon_state.asked++;
	if (view_array(request->body, "ifaces", &ifaces) == 0 &&
	    ifaces->via.array.size == 1 &&
	    memcmp(ifaces->via.array.ptr[0].via.str.ptr, "nope", 4) == 0) {
		pack_error(pack, MSG_STATUS, MSG_E_UNKNOWN_IFACE,
		    "no interface \"nope\" is configured");
		return;
	}
	pack_answer(pack, MSG_STATUS);
	pack_key_map(pack, "supervisor");
	pack_key_u64(pack, "pid", 4000);
	pack_key_str(pack, "version", "9.8.7");
	pack_key_u64(pack, "uptime_ms", 3600000);
	pack_key_u64(pack, "rotation_ms", 300000);
	pack_key_str(pack, "store", "/nowhere/store");
	pack_end(pack);
	pack_key_map(pack, "store");
	pack_key_u64(pack, "pid", 4001);
	pack_key_bool(pack, "running", true);
	pack_key_nil(pack, "report");
	pack_end(pack);
	pack_key_map(pack, "ifaces");
	pack_iface(pack, "a\xff\"b", true);
	pack_iface(pack, "eth1", daemon_state.worker_answers);
	pack_end(pack);
}

static void
answer_rotate(struct pack *pack)
{
	struct books books = {.received = {9, 900}, .in_flows = {9, 900}};

	pack_answer(pack, MSG_ROTATE);
	pack_key_map(pack, "ifaces");
	pack_key_map(pack, "eth0");
	pack_key_bool(pack, "done", true);
	pack_key_u64(pack, "flows", 4);
	pack_key_i64(pack, "begin_ms", INT64_C(1767225600000));
	pack_key_i64(pack, "end_ms", INT64_C(1767225900000));
	pack_key_books(pack, "books", &books);
	pack_end(pack);
	if (daemon_state.rotate_fails) {
		pack_key_map(pack, "eth1");
		pack_key_bool(pack, "done", false);
		pack_key_str(pack, "error", "busy");
		pack_key_str(pack, "text", "the store is away");
		pack_end(pack);
	}
	pack_end(pack);
}

static void *
daemon_run(void *arg)
{
	(void)arg;
	for (;;) {
		struct pack pack;
		struct msg msg;
		void *data;
		size_t len;
		if (nng_recv(daemon_state.socket, &data, &len, NNG_FLAG_ALLOC) != 0)
			return NULL; /* closed */
		pack_init(&pack);
		if (msg_parse(&msg, data, len) != 0) {
			pack_error(&pack, MSG_PING, MSG_E_BAD_MESSAGE, "malformed");
		} else {
			if (msg.type == MSG_STATUS)
				answer_status(&pack, &msg);
			else if (msg.type == MSG_ROTATE)
				answer_rotate(&pack);
			else
				pack_answer(&pack, msg.type);
			msg_fini(&msg);
		}
		if (pack_finish(&pack) == 0)
			nng_send(
			    daemon_state.socket, pack.buffer.data, pack.buffer.size, 0);
		pack_fini(&pack);
		nng_free(data, len);
	}
}

static int
setup(void **state)
{
	char url[80];

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/control.sock", directory);
	snprintf(url, sizeof(url), "ipc://%s", socket_path);
	unsetenv("WEIR_SOCKET");
	unsetenv("WEIR_STORE");
	unsetenv("COLUMNS");
	if (nng_rep0_open(&daemon_state.socket) != 0 ||
	    nng_listen(daemon_state.socket, url, NULL, 0) != 0)
		return -1;
	return pthread_create(&daemon_state.thread, NULL, daemon_run, NULL);
}

static int
teardown(void **state)
{
	char path[128];
	static const char *const files[] = {"control.sock", "out", "err"};

	(void)state;
	nng_close(daemon_state.socket);
	pthread_join(daemon_state.thread, NULL);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	return rmdir(directory);
}

/* --- weirctl --- */

static pid_t
start(const char *line)
{
	static char words[512];
	static char out_path[64], err_path[64];
	char *argv[WORDS_MAX + 1];
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int argc = 0;

	snprintf(words, sizeof(words), "weirctl %s", line);
	for (char *at = strtok(words, " "); at && argc < WORDS_MAX;
	     at = strtok(NULL, " "))
		argv[argc++] = strcmp(at, "@") == 0 ? socket_path : at;
	argv[argc] = NULL;
	snprintf(out_path, sizeof(out_path), "%s/out", directory);
	snprintf(err_path, sizeof(err_path), "%s/err", directory);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
	    &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
	    &actions, STDOUT_FILENO, out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(
	    &actions, STDERR_FILENO, err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(
	    posix_spawn(&pid, WEIR_TEST_WEIRCTL, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void
slurp(const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
}

static int
finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	slurp("out", out_text, sizeof(out_text));
	slurp("err", err_text, sizeof(err_text));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
run(const char *line)
{
	return finish(start(line));
}

static void
expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void
test_status_table(void **state)
{
	(void)state;
	daemon_state.worker_answers = true;
	assert_int_equal(run("-s @ status"), 0);
	assert_string_equal(err_text, "");
	expect(out_text, "weir-supervisor 9.8.7, pid 4000, up 1h 0m");
	expect(out_text, "IFACE");
	expect(out_text, "a\\xff\"b");
	expect(out_text, "2026-01-01T00:00:00Z");
	expect(out_text, "18.4 E"); /* rotations */
}

static void
test_status_json(void **state)
{
	(void)state;
	daemon_state.worker_answers = true;
	assert_int_equal(run("status -o json -s @"), 0);
	assert_string_equal(err_text, "");
	expect(out_text, "{\"supervisor\":{\"pid\":4000,\"version\":\"9.8.7\"");
	expect(out_text, "\"a\\\\xff\\\"b\":{\"wanted\":\"enabled\"");
	expect(out_text, "\"rotations\":18446744073709551615");
	expect(out_text, "\"waiting\":null");
	expect(out_text, "\"kernel\":{\"received\":");
	assert_null(strstr(out_text, "\"ok\""));
}

static void
test_status_csv(void **state)
{
	(void)state;
	daemon_state.worker_answers = true;
	assert_int_equal(run("-o csv -s @ status"), 0);
	expect(out_text,
	    "iface,wanted,state,reason,begin,packets,bytes,"
	    "in_flows_packets,in_flows_bytes,refused_packets,refused_bytes,"
	    "flows,flow_limit,kernel_received,kernel_dropped,rotations,pid,"
	    "uptime_ms,restarts\n");
	expect(out_text, "\neth1,enabled,active,,2026-01-01T00:00:00Z,");
	expect(out_text, "\n\"a\xff\"\"b\",enabled,");
	expect(out_text, ",2,120,3,1000000,");
	expect(out_text, ",5,18446744073709551615,4711,61000,0\n");
}

static void
test_incomplete(void **state)
{
	(void)state;
	daemon_state.worker_answers = false;
	assert_int_equal(run("-s @ status"), EXIT_INCOMPLETE);
	expect(out_text, "eth1: no_such_device");
	expect(out_text, "no answer from its worker: no answer\\x1b[2J in time");
	daemon_state.worker_answers = true;
}

static void
test_refused(void **state)
{
	(void)state;
	assert_int_equal(run("-s @ status nope"), EXIT_FAILED);
	assert_string_equal(out_text, "");
	expect(err_text, "weirctl: status: no interface \"nope\" is configured\n");
}

static void
test_watch(void **state)
{
	(void)state;
	size_t lines = 0;

	daemon_state.worker_answers = true;
	assert_int_equal(run("-s @ status --watch 0.1 --count 3 -o csv"), 0);
	for (const char *at = out_text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 1 + 3 * 2);
	expect(out_text,
	    "time,iface,state,packets_per_s,bytes_per_s,flows,dropped,"
	    "refused\n");
	/* 100 packets more in each sample, about 0.1 s apart */
	const char *row = strstr(out_text, ",eth1,active,");
	assert_non_null(row);
	double rate = strtod(row + strlen(",eth1,active,"), NULL);
	assert_true(rate > 100 && rate < 2000);
	expect(row, ",3,5,2\n");
}

static void
test_interrupt(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid =
		    start(i == 0 ? "-s @ status -w 0.1 -o json" : "-s @ status -w 0.1");
		usleep(700000);
		kill(pid, SIGINT);
		assert_int_equal(finish(pid), 0);
		assert_string_equal(err_text, "");
		expect(out_text, "eth1");
		if (i == 0) /* the document is whole */
			assert_string_equal(out_text + strlen(out_text) - 3, "]}\n");
	}
}

static void
test_rotate(void **state)
{
	(void)state;
	daemon_state.rotate_fails = false;
	assert_int_equal(run("-s @ -o csv rotate"), 0);
	assert_string_equal(out_text,
	    "iface,done,begin,end,flows,packets,bytes,in_flows_packets,in_flows_bytes,"
	    "refused_packets,refused_bytes,error,text\n"
	    "eth0,true,2026-01-01T00:00:00Z,2026-01-01T00:05:00Z,4,9,900,9,900,0,0,,\n");
	daemon_state.rotate_fails = true;
	assert_int_equal(run("-s @ rotate"), EXIT_INCOMPLETE);
	expect(err_text, "weirctl: rotate: eth1: busy: the store is away\n");
	assert_int_equal(run("-s @ rotate -o json"), EXIT_INCOMPLETE);
	expect(out_text, "\"eth1\":{\"done\":false,\"error\":\"busy\"");
	daemon_state.rotate_fails = false;
}

static void
test_no_daemon(void **state)
{
	(void)state;
	static const char *const lines[] = {"-s /nowhere/weir.sock status",
	    "-s /nowhere/weir.sock rotate", "-s /nowhere/weir.sock status -w 1"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run(lines[i]), EXIT_NO_DAEMON);
		assert_string_equal(out_text, "");
		expect(err_text,
		    "no daemon at /nowhere/weir.sock (No such file or "
		    "directory)");
		expect(err_text, "systemctl start weir");
	}
}

static void
test_usage(void **state)
{
	(void)state;
	assert_int_equal(run("query src,colour"), EXIT_USAGE);
	expect(err_text,
	    "unknown column \"colour\"; columns are time, iface, src, dst, "
	    "dport, proto");
	expect(err_text, "see weirctl query --help");
	assert_int_equal(run("frobnicate"), EXIT_USAGE);
	assert_int_equal(run(""), EXIT_USAGE);
	assert_int_equal(run("--help"), 0);
	expect(out_text, "usage: weirctl");
	assert_int_equal(run("read --help"), 0);
	expect(out_text, "usage: weirctl [OPTIONS] read [OPTIONS] FILE...");
	assert_int_equal(run("--version"), 0);
	assert_string_equal(out_text, "weirctl " WEIR_VERSION "\n");
}

static void
test_no_store(void **state)
{
	(void)state;
	/* the directory is the one that the daemon names */
	assert_int_equal(run("-s @ query src"), EXIT_FAILED);
	assert_string_equal(out_text, "");
	expect(err_text, "/nowhere/store");
	assert_int_equal(run("-s @ query --store /elsewhere src"), EXIT_FAILED);
	expect(err_text, "/elsewhere");
}

static void
test_read_missing(void **state)
{
	(void)state;
	/* any program will do: it is not started for a file that cannot be opened */
	char worker[128];
	snprintf(worker, sizeof(worker), "%s/weir-worker", directory);
	assert_int_equal(symlink("/bin/true", worker), 0);
	setenv("WEIR_LIBEXECDIR", directory, 1);
	assert_int_equal(run("read /nowhere/a.pcap"), EXIT_FAILED);
	assert_string_equal(out_text, "");
	expect(err_text, "weirctl: read: /nowhere/a.pcap: No such file or directory\n");
	/* one that ends without a word */
	assert_int_equal(run("read -o json -"), EXIT_FAILED);
	expect(
	    err_text, "weir-worker ended before the books were written: exit code 0");
	expect(out_text, "{\"flows\":[],\"books\":{\"packets\":0,");
	unlink(worker);
	assert_int_equal(run("read -"), EXIT_FAILED);
	expect(err_text, "WEIR_LIBEXECDIR");
	unsetenv("WEIR_LIBEXECDIR");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    {"status as a table", test_status_table, 0, 0, 0},
	    {"status in JSON is the daemon's answer", test_status_json, 0, 0, 0},
	    {"status in CSV is a row per interface", test_status_csv, 0, 0, 0},
	    {"a worker that does not answer makes it 4", test_incomplete, 0, 0, 0},
	    {"what the daemon refuses is told and makes it 1", test_refused, 0, 0, 0},
	    {"--watch shows rates, --count ends it", test_watch, 0, 0, 0},
	    {"SIGINT ends --watch with 0 and a whole document", test_interrupt, 0, 0,
		0},
	    {"rotate tells what went into the store, and what did not", test_rotate, 0,
		0, 0},
	    {"no daemon makes it 3 and names the socket", test_no_daemon, 0, 0, 0},
	    {"wrong usage makes it 2, help and version 0", test_usage, 0, 0, 0},
	    {"query names the store that it cannot open", test_no_store, 0, 0, 0},
	    {"read names the file, and a worker that fails", test_read_missing, 0, 0,
		0},
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
