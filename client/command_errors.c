/* weirctl errors: what was refused and why, with the first bytes of a sample. */
#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/daemon/whole.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/parts.h"

#define ASK_MS 5000
#define SAMPLE_TEXT_SIZE 129 /* 64 bytes in hex digits */

enum {
	C_IFACE,
	C_CLASS,
	C_PACKETS,
	C_BYTES,
	C_TOTAL,
	C_TOTAL_BYTES,
	C_FIRST,
	C_LAST,
	C_MEANING,
	C_SAMPLE_LENGTH,
	C_SAMPLE,
	C_MAX
};

static const struct column columns[C_MAX] = {
    [C_IFACE] = {"iface", "IFACE", UNIT_NONE, .left = true},
    [C_CLASS] = {"class", "CLASS", UNIT_NONE, .left = true},
    [C_PACKETS] = {"interval_packets", "PACKETS", .unit = UNIT_COUNT},
    [C_BYTES] = {"interval_bytes", "BYTES", .unit = UNIT_BYTES, .drop = 3},
    [C_TOTAL] = {"total_packets", "TOTAL", .unit = UNIT_COUNT},
    [C_TOTAL_BYTES] = {"total_bytes", NULL, .unit = UNIT_BYTES},
    [C_FIRST] = {"first_ns", "FIRST", UNIT_TIME_NS, .left = true, .drop = 2},
    [C_LAST] = {"last_ns", "LAST", UNIT_TIME_NS, .left = true},
    [C_MEANING] = {"meaning", "MEANING", UNIT_NONE, .left = true, .drop = 1},
    [C_SAMPLE_LENGTH] = {"sample_length", NULL, .unit = UNIT_BYTES},
    [C_SAMPLE] = {"sample", "SAMPLE", UNIT_NONE, .left = true, .shrink = 16},
};

static int
show_class(struct output *out, const char *iface, const msgpack_object_kv *kv)
{
	struct counter interval, total;
	int64_t first_ns, last_ns;
	uint64_t sample_length;
	char class[32], sample[SAMPLE_TEXT_SIZE];
	const char *help;

	if (daemon_key(&kv->key, class, sizeof(class)) != 0 ||
	    view_counter(&kv->val, "interval", &interval) != 0 ||
	    view_counter(&kv->val, "total", &total) != 0 ||
	    view_i64(&kv->val, "first_ns", &first_ns) != 0 ||
	    view_i64(&kv->val, "last_ns", &last_ns) != 0 ||
	    view_u64(&kv->val, "sample_length", UINT64_MAX, &sample_length) != 0 ||
	    view_str(&kv->val, "sample", sample, sizeof(sample)) != 0)
		return -EPROTO;
	help = refusal_help(refusal_from_name(class));
	const struct value v[C_MAX] = {
	    [C_IFACE] = VALUE_OF_TEXT(iface),
	    [C_CLASS] = VALUE_OF_TEXT(class),
	    [C_PACKETS] = VALUE_OF_U64(interval.packets),
	    [C_BYTES] = VALUE_OF_U64(interval.bytes),
	    [C_TOTAL] = VALUE_OF_U64(total.packets),
	    [C_TOTAL_BYTES] = VALUE_OF_U64(total.bytes),
	    [C_FIRST] = VALUE_OF_I64(first_ns),
	    [C_LAST] = VALUE_OF_I64(last_ns),
	    [C_MEANING] = VALUE_OF_TEXT(help ? help : ""),
	    [C_SAMPLE_LENGTH] = VALUE_OF_U64(sample_length),
	    [C_SAMPLE] = VALUE_OF_TEXT(sample),
	};
	out->ops->row(out, v);
	return 0;
}

/* One interface of the answer. *told: its worker answered. */
static int
show_iface(const struct client *client, struct output *out, const msgpack_object_kv *kv,
    bool *told)
{
	const msgpack_object *worker, *classes;
	char name[IFACE_SHOWN_SIZE];
	char error[128];
	int rc = 0;

	if (daemon_key(&kv->key, name, sizeof(name)) != 0)
		return -EPROTO;
	*told = view_map(&kv->val, "worker", &worker) == 0;
	if (!*told) {
		view_text(&kv->val, "worker_error", error, sizeof(error));
		log_err(client->command->name, "%s: %s", name, error);
		return 0;
	}
	if (view_map(worker, "classes", &classes) != 0)
		return -EPROTO;
	for (uint32_t i = 0; out && rc == 0 && i < classes->via.map.size; i++)
		rc = show_class(out, name, &classes->via.map.ptr[i]);
	return rc;
}

static const struct daemon_display display = {
    .columns = columns,
    .column_count = C_MAX,
    .row = show_iface,
    .none = EXIT_INCOMPLETE,
};

int
command_errors(const struct client *client)
{
	const struct daemon_question question = {
	    .type = MSG_ERRORS, .default_ms = ASK_MS};
	struct whole_answer answer;
	int code = daemon_ask_whole(client, &question, &answer);

	if (code != EXIT_DONE)
		return code;
	code = daemon_show(client, answer.body, &display);
	whole_answer_fini(&answer);
	return code;
}
