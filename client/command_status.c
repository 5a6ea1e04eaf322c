/* weirctl status: the daemon, its store, and a row per interface. JSON is the daemon's
 * own answer, so nothing of it is lost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/daemon/iface_status.h"
#include "client/daemon/whole.h"
#include "client/status_detail.h"
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
	C_LINK_DROPS,
	C_ROTATIONS,
	C_PID,
	C_UPTIME,
	C_RESTARTS,
	C_CAPTURE,
	C_ENTRY,
	C_INDEX,
	C_KIND,
	C_MTU,
	C_PROMISCUITY,
	C_OFFLOAD,
	C_LINK_PACKETS,
	C_LINK_DROPPED,
	C_LINK_MISSED,
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
    [C_DROPPED] = {"kernel_dropped", "DROPS", .unit = UNIT_COUNT},
    [C_LINK_DROPS] = {NULL, "IFDROPS", .unit = UNIT_COUNT},
    [C_ROTATIONS] = {"rotations", "ROTATED", UNIT_COUNT, .drop = 2},
    [C_PID] = {"pid", "PID", UNIT_NONE, .drop = 4},
    [C_UPTIME] = {"uptime_ms", "UP", UNIT_DURATION_MS, .drop = 5},
    [C_RESTARTS] = {"restarts", "RESTARTS", UNIT_COUNT, .drop = 3},
    [C_CAPTURE] = {"capture", NULL, .unit = UNIT_NONE},
    [C_ENTRY] = {"entry", NULL, .unit = UNIT_NONE},
    [C_INDEX] = {"index", NULL, .unit = UNIT_NONE},
    [C_KIND] = {"kind", NULL, .unit = UNIT_NONE},
    [C_MTU] = {"mtu", NULL, .unit = UNIT_NONE},
    [C_PROMISCUITY] = {"promiscuity", NULL, .unit = UNIT_NONE},
    [C_OFFLOAD] = {"offload", NULL, .unit = UNIT_NONE},
    [C_LINK_PACKETS] = {"link_packets", NULL, .unit = UNIT_NONE},
    [C_LINK_DROPPED] = {"link_dropped", NULL, .unit = UNIT_NONE},
    [C_LINK_MISSED] = {"link_missed", NULL, .unit = UNIT_NONE},
};

static struct value
maybe_value(struct maybe_u64 number)
{
	return number.known ? VALUE_OF_U64(number.value) : VALUE_UNKNOWN;
}

static void
set_link_values(const struct iface_status *iface, struct value v[static C_MAX])
{
	const struct link_status *link = &iface->link;

	v[C_LINK_DROPS] = maybe_value(iface_status_link_drops(iface));
	if (iface->link_counts.known) {
		v[C_LINK_PACKETS] = VALUE_OF_U64(iface->link_counts.packets);
		v[C_LINK_DROPPED] = VALUE_OF_U64(iface->link_counts.dropped);
		v[C_LINK_MISSED] = VALUE_OF_U64(iface->link_counts.missed);
	}
	if (link->index == 0) /* not there: the kernel says nothing of it */
		return;
	v[C_INDEX] = VALUE_OF_U64(link->index);
	v[C_KIND] = VALUE_OF_TEXT(link->kind);
	v[C_MTU] = VALUE_OF_U64(link->mtu);
	v[C_PROMISCUITY] = maybe_value(link->promiscuity);
	if (link->offload_known)
		v[C_OFFLOAD] = VALUE_OF_TEXT(link->offload);
}

static void
show_iface(struct output *out, const struct iface_status *iface)
{
	const struct books *books = &iface->interval.books;
	struct counter refused = books_refused(books);
	struct value v[C_MAX] = {
	    [C_IFACE] = VALUE_OF_TEXT(iface->name),
	    [C_WANTED] = VALUE_OF_TEXT(iface->wanted),
	    [C_STATE] = VALUE_OF_TEXT(iface_status_word(iface)),
	    [C_REASON] = VALUE_OF_TEXT(iface->reason),
	    [C_ROTATIONS] = VALUE_OF_U64(iface->rotations),
	    [C_PID] = VALUE_OF_U64(iface->pid),
	    [C_UPTIME] = VALUE_OF_U64(iface->uptime_ms),
	    [C_RESTARTS] = VALUE_OF_U64(iface->restarts),
	    [C_CAPTURE] = VALUE_OF_TEXT(iface->state),
	    [C_ENTRY] = VALUE_OF_TEXT(iface->entry),
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
	set_link_values(iface, v);
	out->ops->row(out, v);
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

static void
warn_silent(const struct iface_status *iface)
{
	log_warn("status", "%s: no answer from its worker%s%s", iface->name,
	    iface->worker_error[0] != '\0' ? ": " : "", iface->worker_error);
}

int
command_status(const struct client *client)
{
	const struct daemon_question question = {
	    .type = MSG_STATUS, .default_ms = ASK_MS};
	struct iface_status *ifaces;
	struct whole_answer answer;
	struct output out;
	size_t count;
	int code, rc;

	if (client->watch_ms > 0)
		return status_watch(client);
	code = daemon_ask_whole(client, &question, &answer);
	if (code != EXIT_DONE)
		return code;
	rc = iface_status_read(answer.body, &ifaces, &count);
	if (rc != 0) {
		log_err("status", "the daemon's answer: %s", strerror(-rc));
		whole_answer_fini(&answer);
		return EXIT_FAILED;
	}
	output_open(&out, client->output, stdout);
	if (client->output->exact && !client->output->flat) {
		out.ops->members(&out, answer.body);
	} else {
		note_daemon(&out, answer.body);
		out.ops->rows_begin(&out, NULL, columns, C_MAX);
		for (size_t i = 0; i < count; i++)
			show_iface(&out, &ifaces[i]);
		out.ops->rows_end(&out, NULL);
		for (size_t i = 0; i < count; i++) {
			if (client->verbose)
				status_detail_block(&out, &ifaces[i]);
			else
				status_detail_notes(&out, &ifaces[i]);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (!iface_status_incomplete(&ifaces[i]))
			continue;
		if (client->output->exact)
			warn_silent(&ifaces[i]);
		code = EXIT_INCOMPLETE;
	}
	free(ifaces);
	whole_answer_fini(&answer);
	return client_finish(client, &out, code);
}
