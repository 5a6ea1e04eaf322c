/* weirctl against a fake daemon: status, errors of usage, what needs no daemon. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/client.h"
#include "client/testing/testing.h"
#include "proto/parts.h"
#include "proto/view.h"

/* --- the daemon's answers --- */

static struct {
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
answer_rotate(struct pack *pack, const struct msg *request)
{
	struct books books = {.received = {9, 900}, .in_flows = {9, 900}};

	(void)request;
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

static int
setup(void **state)
{
	testing_on(MSG_STATUS, answer_status);
	testing_on(MSG_ROTATE, answer_rotate);
	return testing_setup(state);
}

/* --- weirctl --- */

static void
test_status_table(void **state)
{
	(void)state;
	daemon_state.worker_answers = true;
	assert_int_equal(testing_run("-s @ status"), 0);
	assert_string_equal(testing_err, "");
	testing_expect(testing_out, "weir-supervisor 9.8.7, pid 4000, up 1h 0m");
	testing_expect(testing_out, "IFACE");
	testing_expect(testing_out, "a\\xff\"b");
	testing_expect(testing_out, "2026-01-01T00:00:00Z");
	testing_expect(testing_out, "18.4 E"); /* rotations */
}

static void
test_status_json(void **state)
{
	(void)state;
	daemon_state.worker_answers = true;
	assert_int_equal(testing_run("status -o json -s @"), 0);
	assert_string_equal(testing_err, "");
	testing_expect(
	    testing_out, "{\"supervisor\":{\"pid\":4000,\"version\":\"9.8.7\"");
	testing_expect(testing_out, "\"a\\\\xff\\\"b\":{\"wanted\":\"enabled\"");
	testing_expect(testing_out, "\"rotations\":18446744073709551615");
	testing_expect(testing_out, "\"waiting\":null");
	testing_expect(testing_out, "\"kernel\":{\"received\":");
	assert_null(strstr(testing_out, "\"ok\""));
}

static void
test_status_csv(void **state)
{
	(void)state;
	daemon_state.worker_answers = true;
	assert_int_equal(testing_run("-o csv -s @ status"), 0);
	testing_expect(testing_out,
	    "iface,wanted,state,reason,begin,packets,bytes,"
	    "in_flows_packets,in_flows_bytes,refused_packets,refused_bytes,"
	    "flows,flow_limit,kernel_received,kernel_dropped,rotations,pid,"
	    "uptime_ms,restarts,capture,entry,index,kind,mtu,promiscuity,offload,"
	    "link_packets,link_dropped,link_missed\n");
	testing_expect(testing_out, "\neth1,enabled,active,,2026-01-01T00:00:00Z,");
	testing_expect(testing_out, "\n\"a\\xff\"\"b\",enabled,");
	testing_expect(testing_out, ",2,120,3,1000000,");
	testing_expect(
	    testing_out, ",5,18446744073709551615,4711,61000,0,active,,,,,,,,,\n");
}

static void
test_incomplete(void **state)
{
	(void)state;
	daemon_state.worker_answers = false;
	assert_int_equal(testing_run("-s @ status"), EXIT_INCOMPLETE);
	testing_expect(testing_out, "eth1: no_such_device");
	testing_expect(
	    testing_out, "no answer from its worker: no answer\\x1b[2J in time");
	daemon_state.worker_answers = true;
}

static void
test_refused(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status nope"), EXIT_FAILED);
	assert_string_equal(testing_out, "");
	testing_expect(
	    testing_err, "weirctl: status: no interface \"nope\" is configured\n");
}

static void
test_watch(void **state)
{
	(void)state;
	size_t lines = 0;

	daemon_state.worker_answers = true;
	assert_int_equal(testing_run("-s @ status --watch 0.1 --count 3 -o csv"), 0);
	for (const char *at = testing_out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 1 + 3 * 2);
	testing_expect(testing_out,
	    "time,iface,state,packets_per_s,bytes_per_s,flows,dropped,"
	    "if_dropped,refused\n");
	/* 100 packets more in each sample, about 0.1 s apart */
	const char *row = strstr(testing_out, ",eth1,active,");
	assert_non_null(row);
	double rate = strtod(row + strlen(",eth1,active,"), NULL);
	assert_true(rate > 100 && rate < 2000);
	testing_expect(row, ",3,5,,2\n");
}

static void
test_interrupt(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = testing_start(
		    i == 0 ? "-s @ status -w 0.1 -o json" : "-s @ status -w 0.1", NULL);
		usleep(700000);
		kill(pid, SIGINT);
		assert_int_equal(testing_finish(pid), 0);
		assert_string_equal(testing_err, "");
		testing_expect(testing_out, "eth1");
		if (i == 0) /* the document is whole */
			assert_string_equal(
			    testing_out + strlen(testing_out) - 3, "]}\n");
	}
}

static void
test_rotate(void **state)
{
	(void)state;
	daemon_state.rotate_fails = false;
	assert_int_equal(testing_run("-s @ -o csv rotate"), 0);
	assert_string_equal(testing_out,
	    "iface,done,begin,end,flows,packets,bytes,in_flows_packets,in_flows_bytes,"
	    "refused_packets,refused_bytes,error,text\n"
	    "eth0,true,2026-01-01T00:00:00Z,2026-01-01T00:05:00Z,4,9,900,9,900,0,0,,\n");
	daemon_state.rotate_fails = true;
	assert_int_equal(testing_run("-s @ rotate"), EXIT_INCOMPLETE);
	testing_expect(testing_err, "weirctl: rotate: eth1: busy: the store is away\n");
	assert_int_equal(testing_run("-s @ rotate -o json"), EXIT_INCOMPLETE);
	testing_expect(testing_out, "\"eth1\":{\"done\":false,\"error\":\"busy\"");
	daemon_state.rotate_fails = false;
}

static void
test_no_daemon(void **state)
{
	(void)state;
	static const char *const lines[] = {"-s /nowhere/weir.sock status",
	    "-s /nowhere/weir.sock rotate", "-s /nowhere/weir.sock status -w 1"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(testing_run(lines[i]), EXIT_NO_DAEMON);
		assert_string_equal(testing_out, "");
		testing_expect(testing_err,
		    "no daemon at /nowhere/weir.sock (No such file or "
		    "directory)");
		testing_expect(testing_err, "systemctl start weir");
	}
}

static void
test_usage(void **state)
{
	(void)state;
	assert_int_equal(testing_run("query src,colour"), EXIT_USAGE);
	testing_expect(testing_err,
	    "unknown column \"colour\"; columns are time, iface, src, dst, "
	    "dport, proto");
	testing_expect(testing_err, "see weirctl query --help");
	assert_int_equal(testing_run("frobnicate"), EXIT_USAGE);
	assert_int_equal(testing_run(""), EXIT_USAGE);
	assert_int_equal(testing_run("--help"), 0);
	testing_expect(testing_out, "usage: weirctl");
	assert_int_equal(testing_run("read --help"), 0);
	testing_expect(testing_out, "usage: weirctl [OPTIONS] read [OPTIONS] FILE...");
	assert_int_equal(testing_run("--version"), 0);
	assert_string_equal(testing_out, "weirctl " WEIR_VERSION "\n");
}

static void
test_no_store(void **state)
{
	(void)state;
	/* the directory is the one that the daemon names */
	assert_int_equal(testing_run("-s @ query src"), EXIT_FAILED);
	assert_string_equal(testing_out, "");
	testing_expect(testing_err, "/nowhere/store");
	assert_int_equal(testing_run("-s @ query --store /elsewhere src"), EXIT_FAILED);
	testing_expect(testing_err, "/elsewhere");
}

static void
test_read_missing(void **state)
{
	(void)state;
	/* any program will do: it is not started for a file that cannot be opened */
	char worker[128], directory[128];
	snprintf(worker, sizeof(worker), "%s", testing_file("weir-worker", NULL));
	assert_int_equal(symlink("/bin/true", worker), 0);
	snprintf(directory, sizeof(directory), "%s", worker);
	*strrchr(directory, '/') = '\0';
	setenv("WEIR_LIBEXECDIR", directory, 1);
	assert_int_equal(testing_run("read /nowhere/a.pcap"), EXIT_FAILED);
	assert_string_equal(testing_out, "");
	testing_expect(
	    testing_err, "weirctl: read: /nowhere/a.pcap: No such file or directory\n");
	/* one that ends without a word */
	assert_int_equal(testing_run("read -o json -"), EXIT_FAILED);
	testing_expect(testing_err,
	    "weir-worker ended before the books were written: exit code 0");
	testing_expect(testing_out, "{\"flows\":[],\"books\":{\"packets\":0,");
	unlink(worker);
	assert_int_equal(testing_run("read -"), EXIT_FAILED);
	testing_expect(testing_err, "WEIR_LIBEXECDIR");
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

	return cmocka_run_group_tests(tests, setup, testing_teardown);
}
