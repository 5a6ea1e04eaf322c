/* weirctl rotate: ends the running interval and says what went into the store. */
#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/daemon/daemon.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/parts.h"

#define ASK_MS 60000 /* the flows must be durable before the answer */

enum {
	C_IFACE,
	C_DONE,
	C_BEGIN,
	C_END,
	C_FLOWS,
	C_PACKETS,
	C_BYTES,
	C_IN_FLOWS,
	C_REFUSED,
	C_ERROR,
	C_TEXT,
	C_MAX
};

static const struct column columns[C_MAX] = {
    [C_IFACE] = {"iface", "IFACE", UNIT_NONE, .left = true},
    [C_DONE] = {"done", "DONE", UNIT_NONE, .left = true},
    [C_BEGIN] = {"begin", "BEGIN", UNIT_TIME_MS, .left = true},
    [C_END] = {"end", "END", UNIT_TIME_MS, .left = true, .drop = 1},
    [C_FLOWS] = {"flows", "FLOWS", .unit = UNIT_COUNT},
    [C_PACKETS] = {"packets", "PACKETS", .unit = UNIT_COUNT},
    [C_BYTES] = {"bytes", "BYTES", .unit = UNIT_BYTES},
    [C_IN_FLOWS] = {"in_flows", NULL, .unit = UNIT_COUNTER},
    [C_REFUSED] = {"refused", NULL, .unit = UNIT_COUNTER},
    [C_ERROR] = {"error", NULL, .unit = UNIT_NONE},
    [C_TEXT] = {"text", NULL, .unit = UNIT_NONE},
};

/* One interface of the answer: a row, and a message when it was not rotated. */
static int
show_iface(const struct client *client, struct output *out, const msgpack_object_kv *kv,
    bool *done)
{
	struct books books = {0};
	struct counter refused;
	uint64_t flows = 0;
	int64_t begin_ms = 0, end_ms = 0;
	char name[IFACE_SHOWN_SIZE];
	char error[64], text[1024];

	if (daemon_key(&kv->key, name, sizeof(name)) != 0 ||
	    view_bool(&kv->val, "done", done) != 0)
		return -EPROTO;
	view_text(&kv->val, "error", error, sizeof(error));
	view_text(&kv->val, "text", text, sizeof(text));
	struct value v[C_MAX] = {
	    [C_IFACE] = VALUE_OF_TEXT(name),
	    [C_DONE] = VALUE_OF_BOOL(*done),
	    [C_ERROR] = VALUE_OF_TEXT(error),
	    [C_TEXT] = VALUE_OF_TEXT(text),
	};
	if (*done) {
		if (view_u64(&kv->val, "flows", UINT64_MAX, &flows) != 0 ||
		    view_i64(&kv->val, "begin_ms", &begin_ms) != 0 ||
		    view_i64(&kv->val, "end_ms", &end_ms) != 0 ||
		    view_books(&kv->val, "books", &books) != 0)
			return -EPROTO;
		refused = books_refused(&books);
		v[C_BEGIN] = VALUE_OF_I64(begin_ms);
		v[C_END] = VALUE_OF_I64(end_ms);
		v[C_FLOWS] = VALUE_OF_U64(flows);
		v[C_PACKETS] = VALUE_OF_U64(books.received.packets);
		v[C_BYTES] = VALUE_OF_U64(books.received.bytes);
		v[C_IN_FLOWS] = VALUE_OF_COUNTER(books.in_flows);
		v[C_REFUSED] = VALUE_OF_COUNTER(refused);
	} else {
		log_err(client->command->name, "%s: %s%s%s", name, error,
		    error[0] != '\0' && text[0] != '\0' ? ": " : "", text);
	}
	if (out)
		out->ops->row(out, v);
	return 0;
}

static const struct daemon_display display = {
    .columns = columns,
    .column_count = C_MAX,
    .row = show_iface,
    .none = EXIT_FAILED,
};

int
command_rotate(const struct client *client)
{
	struct answer answer;
	int code = daemon_ask(client, MSG_ROTATE, ASK_MS, false, &answer);

	if (code != EXIT_DONE)
		return code;
	code = daemon_show(client, answer.msg.body, &display);
	answer_fini(&answer);
	return code;
}
