/* `errors`: what the workers refused, per class. Nothing is changed anywhere. */
#include "supervisor/control/commands.h"
#include "supervisor/control/gather.h"
#include "supervisor/manager/manager.h"
#include "supervisor/iface/worker.h"

#define ERRORS_MS 2000

static void
errors_finish(struct gather *gather)
{
	struct pack *pack = &gather->request->answer;

	pack_answer(pack, MSG_ERRORS);
	pack_key_map(pack, "ifaces");
	for (size_t i = 0; i < gather->count; i++) {
		const struct gather_part *part = &gather->parts[i];
		const struct worker *worker =
		    manager_find(gather->request->ctx, part->iface.s);

		if (!worker)
			continue; /* removed while the others were asked */
		pack_key_map(pack, part->iface.s);
		gather_pack(pack, "worker", "worker_error", part, worker->child);
		pack_end(pack);
	}
	pack_end(pack);
}

void
command_errors(struct request *request)
{
	gather_start(request, NULL, ERRORS_MS, false, errors_finish);
}
