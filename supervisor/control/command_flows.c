/* `flows`: the flows of the running interval. Records come from packets, so they are passed
 * on as they are: the client decodes them, and this process only looks at how long they
 * are. */
#include <string.h>

#include "supervisor/control/commands.h"
#include "supervisor/control/gather.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"

#define FLOWS_MS 10000
#define FLOWS_LIMIT_MAX 1000
#define FLOWS_LIMIT_DEFAULT 50
/* What a message has beside the chunks, generously. */
#define FLOWS_ROOM (MSG_SIZE_MAX - 64 * 1024)

/* False, and a sentence about which key, when one of them is not what it has to be. */
static bool
flows_copy_number(struct pack *question, const msgpack_object *body, const char *key,
    uint64_t low, uint64_t high)
{
	uint64_t value;

	if (!view_get(body, key))
		return true;
	if (view_u64(body, key, high, &value) != 0 || value < low)
		return false;
	pack_key_u64(question, key, value);
	return true;
}

static bool
flows_copy_address(struct pack *question, const msgpack_object *body)
{
	const void *address;
	size_t len;

	if (!view_get(body, "address"))
		return !view_get(body, "prefix");
	if (view_bin(body, "address", &address, &len) != 0 || (len != 4 && len != 16))
		return false;
	pack_key_bin(question, "address", address, len);
	return flows_copy_number(question, body, "prefix", 0, 8 * len);
}

static bool
flows_copy_sort(struct pack *question, const msgpack_object *body)
{
	char sort[16] = "bytes";

	if (view_get(body, "sort") && view_str(body, "sort", sort, sizeof(sort)) != 0)
		return false;
	if (strcmp(sort, "bytes") != 0 && strcmp(sort, "packets") != 0 &&
	    strcmp(sort, "last") != 0)
		return false;
	pack_key_str(question, "sort", sort);
	return true;
}

/* Only what was checked goes on to workers. NULL, or the key that is wrong. */
static const char *
flows_question(struct pack *question, const msgpack_object *body)
{
	if (!view_get(body, "limit"))
		pack_key_u64(question, "limit", FLOWS_LIMIT_DEFAULT);
	else if (!flows_copy_number(question, body, "limit", 1, FLOWS_LIMIT_MAX))
		return "limit: 1 to 1000";
	if (!flows_copy_sort(question, body))
		return "sort: bytes, packets or last";
	if (!flows_copy_address(question, body))
		return "address: 4 or 16 bytes, with a prefix of at most as many bits";
	if (!flows_copy_number(question, body, "port", 0, UINT16_MAX))
		return "port: 0 to 65535";
	if (!flows_copy_number(question, body, "proto", 0, UINT8_MAX))
		return "proto: 0 to 255";
	return NULL;
}

static void
flows_pack_part(
    struct pack *pack, const struct gather_part *part, const struct worker *worker)
{
	const msgpack_object *body = part->reply ? part->reply->msg.body : NULL;
	const void *chunk = NULL;
	uint64_t matched = 0;
	uint64_t flows = 0;
	size_t len = 0;

	pack_key_map(pack, part->iface.s);
	if (!body || part->reply->msg.error != MSG_OK) {
		pack_key_str(pack, "error",
		    part->reply ? msg_error_name(part->reply->msg.error)
				: msg_error_name(MSG_E_NO_CHILD));
		pack_key_str(pack, "text", gather_why_not(part, worker->child));
	} else if (view_u64(body, "flows", UINT64_MAX, &flows) != 0 ||
	    view_u64(body, "matched", UINT64_MAX, &matched) != 0 ||
	    view_bin(body, "chunk", &chunk, &len) != 0) {
		pack_key_str(pack, "error", msg_error_name(MSG_E_FAILED));
		pack_key_str(pack, "text", "the worker's answer was malformed");
	} else if (len > FLOWS_ROOM || pack->buffer.size > FLOWS_ROOM - len) {
		pack_key_str(pack, "error", msg_error_name(MSG_E_FAILED));
		pack_key_str(pack, "text",
		    "does not fit into one answer; ask for fewer interfaces or flows");
	} else {
		pack_key_u64(pack, "flows", flows);
		pack_key_u64(pack, "matched", matched);
		pack_key_bin(pack, "chunk", chunk, len);
	}
	pack_end(pack);
}

static void
flows_finish(struct gather *gather)
{
	struct pack *pack = &gather->request->answer;

	pack_answer(pack, MSG_FLOWS);
	pack_key_map(pack, "ifaces");
	for (size_t i = 0; i < gather->count; i++) {
		const struct worker *worker =
		    manager_find(gather->request->ctx, gather->parts[i].iface.s);

		if (worker) /* else removed while the others were asked */
			flows_pack_part(pack, &gather->parts[i], worker);
	}
	pack_end(pack);
}

void
command_flows(struct request *request)
{
	struct pack question;
	const char *wrong;

	pack_init(&question);
	pack_request(&question, MSG_FLOWS);
	wrong = flows_question(&question, request->msg.body);
	if (wrong) {
		pack_error(&request->answer, MSG_FLOWS, MSG_E_BAD_MESSAGE, "%s", wrong);
		request_answer(request);
	} else {
		gather_start(request, &question, FLOWS_MS, false, flows_finish);
	}
	pack_fini(&question);
}
