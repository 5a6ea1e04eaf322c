/* weirctl status: the daemon, its store, and a row per interface. JSON is the daemon's
 * own answer, so nothing of it is lost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/daemon.h"
#include "client/watch.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/view.h"

#define ASK_MS 5000

enum {
	C_IFACE,
	C_WANTED,
	C_STATE,
	C_REASON,
	C_BEGIN,
	C_PACKETS,
	C_BYTES,
	C_IN_FLOWS,
	C_REFUSED,
	C_REFUSED_PACKETS,
	C_FLOWS,
	C_FLOW_LIMIT,
	C_KERNEL_RECEIVED,
	C_DROPPED,
	C_ROTATIONS,
	C_PID,
	C_UPTIME,
	C_RESTARTS,
	C_MAX
};

static const struct column columns[C_MAX] = {
    [C_IFACE] = {"iface", "IFACE", UNIT_NONE, .left = true},
    [C_WANTED] = {"wanted", NULL, .unit = UNIT_NONE},
    [C_STATE] = {"state", "STATE", UNIT_NONE, .left = true},
    [C_REASON] = {"reason", NULL, .unit = UNIT_NONE},
    [C_BEGIN] = {"begin", "SINCE", UNIT_TIME_MS, .left = true, .drop = 1},
    [C_PACKETS] = {"packets", "PACKETS", .unit = UNIT_COUNT},
    [C_BYTES] = {"bytes", "BYTES", .unit = UNIT_BYTES},
    [C_IN_FLOWS] = {"in_flows", NULL, .unit = UNIT_COUNTER},
    [C_REFUSED] = {"refused", NULL, .unit = UNIT_COUNTER},
    [C_REFUSED_PACKETS] = {NULL, "REFUSED", .unit = UNIT_COUNT},
    [C_FLOWS] = {"flows", "FLOWS", .unit = UNIT_COUNT},
    [C_FLOW_LIMIT] = {"flow_limit", NULL, .unit = UNIT_NONE},
    [C_KERNEL_RECEIVED] = {"kernel_received", NULL, .unit = UNIT_NONE},
    [C_DROPPED] = {"kernel_dropped", "DROPPED", .unit = UNIT_COUNT},
    [C_ROTATIONS] = {"rotations", "ROTATED", UNIT_COUNT, .drop = 2},
    [C_PID] = {"pid", "PID", UNIT_NONE, .drop = 4},
    [C_UPTIME] = {"uptime_ms", "UP", UNIT_DURATION_MS, .drop = 5},
    [C_RESTARTS] = {"restarts", "RESTARTS", UNIT_COUNT, .drop = 3},
};

static void
show_iface(struct output *out, const struct iface_status *iface)
{
	const struct books *books = &iface->interval.books;
	struct counter refused = books_refused(books);
	struct value v[C_MAX] = {
	    [C_IFACE] = VALUE_OF_TEXT(iface->name),
	    [C_WANTED] = VALUE_OF_TEXT(iface->wanted),
	    [C_STATE] = VALUE_OF_TEXT(iface->state),
	    [C_REASON] = VALUE_OF_TEXT(iface->reason),
	    [C_ROTATIONS] = VALUE_OF_U64(iface->rotations),
	    [C_PID] = VALUE_OF_U64(iface->pid),
	    [C_UPTIME] = VALUE_OF_U64(iface->uptime_ms),
	    [C_RESTARTS] = VALUE_OF_U64(iface->restarts),
	};

	if (iface->pid == 0) {
		v[C_PID] = VALUE_UNKNOWN;
		v[C_UPTIME] = VALUE_UNKNOWN;
	}
	if (iface->answered) {
		v[C_BEGIN] = VALUE_OF_I64(iface->interval.begin_ms);
		v[C_PACKETS] = VALUE_OF_U64(books->received.packets);
		v[C_BYTES] = VALUE_OF_U64(books->received.bytes);
		v[C_IN_FLOWS] = VALUE_OF_COUNTER(books->in_flows);
		v[C_REFUSED] = VALUE_OF_COUNTER(refused);
		v[C_REFUSED_PACKETS] = VALUE_OF_U64(refused.packets);
		v[C_FLOWS] = VALUE_OF_U64(iface->flows);
		v[C_FLOW_LIMIT] = VALUE_OF_U64(iface->flow_limit);
	}
	if (iface->answered && iface->interval.kernel.known) {
		v[C_KERNEL_RECEIVED] = VALUE_OF_U64(iface->interval.kernel.received);
		v[C_DROPPED] = VALUE_OF_U64(iface->interval.kernel.dropped);
	}
	out->ops->row(out, v);
}

static void
note_iface(struct output *out, const struct iface_status *iface)
{
	const struct books *books = &iface->interval.books;
	char when[32], count[16];

	if (strcmp(iface->wanted, "disabled") == 0)
		output_note(out, "%s: disabled", iface->name);
	if (iface->reason[0] != '\0')
		output_note(out, "%s: %s", iface->name, iface->reason);
	if (!iface->answered && iface->worker_error[0] != '\0')
		output_note(out, "%s: no answer from its worker: %s", iface->name,
		    iface->worker_error);
	if (iface->waiting)
		output_note(out, "%s: flows wait for the store since %s%s%s",
		    iface->name, wall_text_ms(iface->waiting_since_ms, when),
		    iface->waiting_why[0] != '\0' ? ": " : "", iface->waiting_why);
	if (iface->answered && books->overflow.packets > 0)
		output_note(out,
		    "%s: the limit of %llu flows was reached; %s packets are counted "
		    "without addresses",
		    iface->name, (unsigned long long)iface->flow_limit,
		    text_count(books->overflow.packets, count));
	if (iface->last_exit[0] != '\0')
		output_note(out, "%s: last worker ended at %s: %s", iface->name,
		    wall_text_ms(iface->last_exit_ms, when), iface->last_exit);
}

static void
note_store(struct output *out, const msgpack_object *store)
{
	const msgpack_object *report;
	uint64_t pid = 0, bytes = 0, intervals = 0;
	bool running = false;
	char size[16], text[512];

	(void)view_u64(store, "pid", INT32_MAX, &pid);
	(void)view_bool(store, "running", &running);
	view_text(store, "last_exit", text, sizeof(text));
	if (!running) {
		output_note(out, "weir-store is not running%s%s",
		    text[0] != '\0' ? "; last: " : "", text);
		return;
	}
	if (view_map(store, "report", &report) != 0) {
		output_note(out, "weir-store pid %llu", (unsigned long long)pid);
		return;
	}
	(void)view_u64(report, "bytes", UINT64_MAX, &bytes);
	(void)view_u64(report, "intervals", UINT64_MAX, &intervals);
	output_note(out, "weir-store pid %llu, %llu intervals, %s",
	    (unsigned long long)pid, (unsigned long long)intervals,
	    text_bytes(bytes, size));
	view_text(report, "last_error", text, sizeof(text));
	if (text[0] != '\0')
		output_note(out, "weir-store: last error: %s", text);
}

static void
note_daemon(struct output *out, const msgpack_object *body)
{
	const msgpack_object *part;
	uint64_t pid = 0, uptime = 0, rotation = 0;
	char version[64], directory[512], up[32], every[32];

	if (view_map(body, "supervisor", &part) == 0) {
		(void)view_u64(part, "pid", INT32_MAX, &pid);
		(void)view_u64(part, "uptime_ms", INT64_MAX, &uptime);
		(void)view_u64(part, "rotation_ms", INT64_MAX, &rotation);
		view_text(part, "version", version, sizeof(version));
		view_text(part, "store", directory, sizeof(directory));
		output_note(out,
		    "weir-supervisor %s, pid %llu, up %s, intervals of %s, store %s",
		    version, (unsigned long long)pid,
		    text_duration_ms((int64_t)uptime, up),
		    text_duration_ms((int64_t)rotation, every), directory);
	}
	if (view_map(body, "store", &part) == 0)
		note_store(out, part);
	output_note(out, "%s", "");
}

int
command_status(const struct client *client)
{
	struct iface_status *ifaces;
	struct answer answer;
	struct output out;
	size_t count;
	int code, rc;

	if (client->watch_ms > 0)
		return status_watch(client);
	code = daemon_ask(client, MSG_STATUS, ASK_MS, false, &answer);
	if (code != EXIT_DONE)
		return code;
	rc = daemon_ifaces(answer.msg.body, &ifaces, &count);
	if (rc != 0) {
		log_err("status", "the daemon's answer: %s", strerror(-rc));
		answer_fini(&answer);
		return EXIT_FAILED;
	}
	output_open(&out, client->output, stdout);
	if (client->output->exact && !client->output->flat) {
		out.ops->members(&out, answer.msg.body);
	} else {
		note_daemon(&out, answer.msg.body);
		out.ops->rows_begin(&out, NULL, columns, C_MAX);
		for (size_t i = 0; i < count; i++)
			show_iface(&out, &ifaces[i]);
		out.ops->rows_end(&out, NULL);
		for (size_t i = 0; i < count; i++)
			note_iface(&out, &ifaces[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (ifaces[i].answered || strcmp(ifaces[i].wanted, "enabled") != 0)
			continue;
		if (client->output->exact)
			log_warn("status", "no answer from the worker of an interface");
		code = EXIT_INCOMPLETE;
	}
	free(ifaces);
	answer_fini(&answer);
	return client_finish(client, &out, code);
}
