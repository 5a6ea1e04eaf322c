/* `flows`: the flows of the running interval. Records come from packets, so they are passed
 * on as they are: the client decodes them, and this process only looks at how long they
 * are. */
#include <errno.h>

#include "proto/flows_query.h"
#include "supervisor/control/commands.h"
#include "supervisor/control/gather.h"
#include "supervisor/iface/worker.h"

/* Shorter than clients wait, and 20 times what a worker of a million flows takes. */
#define FLOWS_MS 4000

static void
flows_pack_part(
    struct pack *pack, const struct gather_part *part, const struct worker *worker)
{
	const msgpack_object *body = part->reply ? part->reply->msg.body : NULL;
	const void *chunk = NULL;
	uint64_t matched = 0;
	uint64_t flows = 0;
	size_t len = 0;

	if (!body || part->reply->msg.error != MSG_OK) {
		enum msg_error none =
		    part->rc == -ETIMEDOUT ? MSG_E_TIMEOUT : MSG_E_NO_CHILD;

		pack_key_str(pack, "error",
		    msg_error_name(part->reply ? part->reply->msg.error : none));
		pack_key_str(pack, "text", gather_why_not(part, worker->child));
	} else if (view_u64(body, "flows", UINT64_MAX, &flows) != 0 ||
	    view_u64(body, "matched", UINT64_MAX, &matched) != 0 ||
	    view_bin(body, "chunk", &chunk, &len) != 0 || len > MSG_CHUNK_MAX) {
		pack_key_str(pack, "error", msg_error_name(MSG_E_FAILED));
		pack_key_str(pack, "text", "the worker's answer was malformed");
	} else {
		pack_key_u64(pack, "flows", flows);
		pack_key_u64(pack, "matched", matched);
		pack_key_bin(pack, "chunk", chunk, len);
	}
}

static void
flows_finish(struct gather *gather)
{
	struct pack *pack = &gather->request->answer;

	pack_answer(pack, MSG_FLOWS);
	gather_pack_ifaces(gather, pack, flows_pack_part);
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
