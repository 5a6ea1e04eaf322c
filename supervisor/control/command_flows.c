/* `flows`: the flows of the running interval. Records come from packets, so they are passed
 * on as they are: the client decodes them, and this process only looks at how long they
 * are. */
#include "proto/flows_query.h"
#include "supervisor/control/commands.h"
#include "supervisor/control/gather.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"

#define FLOWS_MS 10000
/* What a message has beside the chunks, generously. */
#define FLOWS_ROOM (MSG_SIZE_MAX - 64 * 1024)

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
	struct flows_query query;
	struct pack question;
	const char *wrong = view_flows_query(request->msg.body, &query);

	if (wrong) {
		pack_error(&request->answer, MSG_FLOWS, MSG_E_BAD_MESSAGE, "%s", wrong);
		request_answer(request);
		return;
	}
	pack_init(&question);
	pack_request(&question, MSG_FLOWS);
	pack_flows_query(&question, &query);
	gather_start(request, &question, FLOWS_MS, false, flows_finish);
	pack_fini(&question);
}
