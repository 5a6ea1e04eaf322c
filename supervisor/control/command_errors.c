/* `errors`: what the workers refused, per class. Nothing is changed anywhere. */
#include "supervisor/control/commands.h"
#include "supervisor/control/gather.h"
#include "supervisor/iface/worker.h"

#define ERRORS_MS 2000

static void
errors_pack_part(
    struct pack *pack, const struct gather_part *part, const struct worker *worker)
{
	gather_pack(pack, "worker", "worker_error", part, worker->child);
}

static void
errors_finish(struct gather *gather)
{
	struct pack *pack = &gather->request->answer;

	pack_answer(pack, MSG_ERRORS);
	gather_pack_ifaces(gather, pack, errors_pack_part);
}

void
command_errors(struct request *request)
{
	gather_start(request, NULL, ERRORS_MS, false, errors_finish);
}
