/* Notes and blocks of status. Values come straight from the answer's maps: a key that is
 * missing, nil or of another type is "not known", which is never shown as 0. */
#include "client/status_detail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/capture_config.h"
#include "common/text.h"
#include "proto/parts.h"

#define NOT_KNOWN "not known"
#define VALUE_SIZE 64
#define LINES_MAX 24
#define LINE_SIZE 600

/* --- notes --- */

static bool
said_before(const msgpack_object *warnings, uint32_t at)
{
	const msgpack_object_str *text = &warnings->via.array.ptr[at].via.str;

	for (uint32_t i = 0; i < at; i++) {
		const msgpack_object *other = &warnings->via.array.ptr[i];
		if (other->type == MSGPACK_OBJECT_STR &&
		    other->via.str.size == text->size &&
		    memcmp(other->via.str.ptr, text->ptr, text->size) == 0)
			return true;
	}
	return false;
}

static void
note_warnings(struct output *out, const struct iface_status *iface)
{
	const msgpack_object *warnings;
	char text[768];

	if (view_array(iface->map, "warnings", &warnings) != 0)
		return;
	for (uint32_t i = 0; i < warnings->via.array.size; i++) {
		const msgpack_object *warning = &warnings->via.array.ptr[i];
		if (warning->type != MSGPACK_OBJECT_STR || said_before(warnings, i))
			continue;
		text_escape(
		    text, sizeof(text), warning->via.str.ptr, warning->via.str.size);
		output_note(out, "%s: warning: %s", iface->name, text);
	}
}

static void
note_exit(struct output *out, const struct iface_status *iface)
{
	char when[32];

	if (iface->last_exit[0] != '\0')
		output_note(out, "%s: last worker ended at %s: %s", iface->name,
		    wall_text_ms(iface->last_exit_ms, when), iface->last_exit);
}

/* All but how the last worker ended, which a block has among its lines. */
static void
note_state(struct output *out, const struct iface_status *iface)
{
	const struct books *books = &iface->interval.books;
	char when[32], count[16];

	if (iface->leaving)
		output_note(out,
		    "%s: no longer configured; removed when its flows are stored",
		    iface->name);
	if (iface->link.renamed[0] != '\0')
		output_note(
		    out, "%s: is called %s now", iface->name, iface->link.renamed);
	if (!iface_status_word_is_reason(iface))
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
	note_warnings(out, iface);
}

void
status_detail_notes(struct output *out, const struct iface_status *iface)
{
	note_state(out, iface);
	note_exit(out, iface);
}

/* --- what is in force --- */

enum show_as {
	AS_COUNT,
	AS_BYTES,
	AS_MS,
	AS_PLAIN,
	AS_BOOL,
	AS_TEXT
};

/* One line: the key of the configuration, and where it stands in force. */
struct setting {
	const char *name;
	const char *wanted; /* key in "config"; NULL: nobody can want it */
	const char *in_force; /* key in "in_force" of the worker */
	enum show_as as;
};

/* The filter, which may be long, has lines of its own. */
static const struct setting settings[] = {
    {"buffer", "buffer", "buffer", AS_BYTES},
    {"flows", "flows", "flows", AS_COUNT},
    {"snaplen", "snaplen", "snaplen", AS_BYTES},
    {"timeout", "timeout_ms", "timeout_ms", AS_MS},
    {"promiscuous", "promiscuous", "promiscuous", AS_BOOL},
    {"error_threshold", "error_threshold", "error_threshold", AS_PLAIN},
    {"link_type", NULL, "link_type", AS_TEXT},
    {"handles", NULL, "handles", AS_PLAIN},
};

static void
setting_text(const msgpack_object *map, const char *key, enum show_as as,
    char out[static VALUE_SIZE])
{
	uint64_t number;
	char buf[32];
	bool yes;

	snprintf(out, VALUE_SIZE, NOT_KNOWN);
	if (as == AS_TEXT) {
		if (view_get(map, key))
			view_text(map, key, out, VALUE_SIZE);
		return;
	}
	if (as == AS_BOOL) {
		if (view_bool(map, key, &yes) == 0)
			snprintf(out, VALUE_SIZE, "%s", yes ? "yes" : "no");
		return;
	}
	if (view_u64(map, key, INT64_MAX, &number) != 0)
		return;
	switch (as) {
	case AS_COUNT:
		snprintf(out, VALUE_SIZE, "%s", text_count(number, buf));
		break;
	case AS_BYTES:
		snprintf(out, VALUE_SIZE, "%s", text_bytes(number, buf));
		break;
	case AS_MS:
		snprintf(out, VALUE_SIZE, "%s", text_duration_ms((int64_t)number, buf));
		break;
	default:
		snprintf(out, VALUE_SIZE, "%llu", (unsigned long long)number);
		break;
	}
}

static const msgpack_object *
map_inside(const msgpack_object *map, const char *key)
{
	const msgpack_object *inside;

	return view_map(map, key, &inside) == 0 ? inside : NULL;
}

static void
show_settings(struct output *out, const struct iface_status *iface)
{
	static const struct column columns[] = {
	    {NULL, "KEY", UNIT_NONE, .left = true},
	    {NULL, "IN FORCE", UNIT_NONE, .left = true},
	    {NULL, "WANTED", UNIT_NONE, .left = true},
	};
	const msgpack_object *worker = map_inside(iface->map, "worker");
	const msgpack_object *in_force = map_inside(worker, "in_force");
	const msgpack_object *config = map_inside(iface->map, "config");
	char now[VALUE_SIZE], wanted[VALUE_SIZE];

	out->ops->rows_begin(out, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const struct setting *setting = &settings[i];
		setting_text(in_force, setting->in_force, setting->as, now);
		/* The limit is a part of the flow table, not of the capture. */
		if (strcmp(setting->name, "flows") == 0)
			setting_text(worker, "flow_limit", setting->as, now);
		wanted[0] = '\0';
		if (setting->wanted)
			setting_text(config, setting->wanted, setting->as, wanted);
		const struct value values[] = {VALUE_OF_TEXT(setting->name),
		    VALUE_OF_TEXT(now), VALUE_OF_TEXT(wanted)};
		out->ops->row(out, values);
	}
	out->ops->rows_end(out, NULL);
}

/* --- lines of a block --- */

struct lines {
	struct column columns[LINES_MAX];
	struct value values[LINES_MAX];
	char texts[LINES_MAX][LINE_SIZE];
	size_t count;
};

static void
line_add_text(struct lines *lines, const char *title, const char *text)
{
	if (lines->count == LINES_MAX)
		return;
	lines->columns[lines->count] = (struct column){NULL, title, .unit = UNIT_NONE};
	lines->values[lines->count] = VALUE_OF_TEXT(text);
	lines->count++;
}

static void line_add(struct lines *lines, const char *title, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
line_add(struct lines *lines, const char *title, const char *format, ...)
{
	va_list ap;

	if (lines->count == LINES_MAX)
		return;
	va_start(ap, format);
	vsnprintf(lines->texts[lines->count], LINE_SIZE, format, ap);
	va_end(ap);
	line_add_text(lines, title, lines->texts[lines->count]);
}

static void
add_maybe(struct lines *lines, const char *title, struct maybe_u64 number)
{
	if (number.known)
		line_add(lines, title, "%llu", (unsigned long long)number.value);
	else
		line_add(lines, title, NOT_KNOWN);
}

static void
add_filter(struct lines *lines, const char *title, const msgpack_object *map,
    char text[static CAPTURE_FILTER_SIZE])
{
	if (view_str(map, "filter", text, CAPTURE_FILTER_SIZE) != 0)
		line_add(lines, title, NOT_KNOWN);
	else if (text[0] == '\0')
		line_add(lines, title, "none: everything is counted");
	else
		line_add_text(lines, title, text);
}

static void
add_link(struct lines *lines, const struct iface_status *iface)
{
	static const char *const presences[] = {
	    [PRESENCE_UNKNOWN] = NOT_KNOWN,
	    [PRESENCE_UP] = "up",
	    [PRESENCE_DOWN] = "down",
	    [PRESENCE_GONE] = "gone",
	    [PRESENCE_WAITING] = "not there yet",
	};
	const struct link_status *link = &iface->link;
	const struct link_counts *counts = &iface->link_counts;

	line_add(lines, "link", "%s", presences[link->presence]);
	if (link->index == 0) {
		line_add(lines, "index", NOT_KNOWN);
	} else {
		line_add(lines, "index", "%llu", (unsigned long long)link->index);
		line_add(lines, "kind", "%s",
		    link->kind[0] != '\0' ? link->kind : "none (hardware or loopback)");
		line_add(lines, "mtu", "%llu", (unsigned long long)link->mtu);
	}
	add_maybe(lines, "promiscuity", link->promiscuity);
	line_add(lines, "offload", "%s",
	    !link->offload_known           ? NOT_KNOWN
		: link->offload[0] == '\0' ? "none"
					   : link->offload);
	if (counts->known)
		line_add(lines, "interface", "%llu packets, %llu dropped, %llu missed",
		    (unsigned long long)counts->packets,
		    (unsigned long long)counts->dropped,
		    (unsigned long long)counts->missed);
	else
		line_add(lines, "interface", NOT_KNOWN);
}

static void
add_ring(struct lines *lines, const struct iface_status *iface)
{
	const struct kernel_counts *kernel = &iface->interval.kernel;

	if (iface->answered && kernel->known)
		line_add(lines, "ring", "%llu packets, %llu dropped",
		    (unsigned long long)kernel->received,
		    (unsigned long long)kernel->dropped);
	else
		line_add(lines, "ring", NOT_KNOWN);
}

static void
add_pause(struct lines *lines, const msgpack_object *worker)
{
	const msgpack_object *rotation = map_inside(worker, "rotation");
	uint64_t count, last, worst;

	if (view_u64(rotation, "count", UINT64_MAX, &count) != 0 ||
	    view_u64(rotation, "last_ns", INT64_MAX, &last) != 0 ||
	    view_u64(rotation, "worst_ns", INT64_MAX, &worst) != 0)
		line_add(lines, "rotation pause", NOT_KNOWN);
	else if (count == 0)
		line_add(lines, "rotation pause", "none yet");
	else
		line_add(lines, "rotation pause",
		    "last %.3f ms, worst %.3f ms, of %llu",
		    (double)last / (double)NS_PER_MS, (double)worst / (double)NS_PER_MS,
		    (unsigned long long)count);
}

static void
add_adoption(struct lines *lines, const msgpack_object *worker)
{
	const msgpack_object *adoption = view_get(worker, "adoption");
	uint64_t flows, ms;
	bool repaired = false;

	if (!adoption)
		line_add(lines, "adoption", NOT_KNOWN);
	else if (adoption->type == MSGPACK_OBJECT_NIL)
		line_add(lines, "adoption", "none: it began with an empty file");
	else if (view_u64(adoption, "flows", UINT64_MAX, &flows) != 0 ||
	    view_u64(adoption, "ms", UINT64_MAX, &ms) != 0)
		line_add(lines, "adoption", NOT_KNOWN);
	else
		line_add(lines, "adoption", "%llu flows, counting after %llu ms%s",
		    (unsigned long long)flows, (unsigned long long)ms,
		    view_bool(adoption, "repaired", &repaired) == 0 && repaired
			? ", one record repaired"
			: "");
}

static void
add_worker(struct lines *lines, const struct iface_status *iface)
{
	const msgpack_object *worker = map_inside(iface->map, "worker");
	char buf[32];

	if (iface->pid == 0) {
		line_add(lines, "worker", "not running");
	} else {
		line_add(lines, "worker", "pid %llu", (unsigned long long)iface->pid);
		line_add(lines, "uptime", "%s",
		    text_duration_ms((int64_t)iface->uptime_ms, buf));
	}
	line_add(lines, "restarts", "%llu", (unsigned long long)iface->restarts);
	if (iface->last_exit[0] != '\0')
		line_add(lines, "last exit", "%s at %s", iface->last_exit,
		    wall_text_ms(iface->last_exit_ms, buf));
	else
		line_add(lines, "last exit", "none");
	add_pause(lines, worker);
	add_adoption(lines, worker);
}

void
status_detail_block(struct output *out, const struct iface_status *iface)
{
	const msgpack_object *worker = map_inside(iface->map, "worker");
	char in_force[CAPTURE_FILTER_SIZE], wanted[CAPTURE_FILTER_SIZE];
	struct lines lines = {.count = 0};
	char heading[64];

	if (out->ops->exact)
		return;
	output_note(out, "%s", "");
	snprintf(
	    heading, sizeof(heading), "%s: %s", iface->name, iface_status_word(iface));
	out->ops->note(out, heading);
	show_settings(out, iface);
	add_filter(&lines, "filter", map_inside(worker, "in_force"), in_force);
	add_filter(&lines, "filter wanted", map_inside(iface->map, "config"), wanted);
	line_add(
	    &lines, "entry", "%s", iface->entry[0] != '\0' ? iface->entry : NOT_KNOWN);
	add_link(&lines, iface);
	add_ring(&lines, iface);
	add_worker(&lines, iface);
	out->ops->fields(out, NULL, lines.columns, lines.values, lines.count);
	note_state(out, iface);
}
