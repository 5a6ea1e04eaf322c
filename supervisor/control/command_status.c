/* `status`: all workers and the store are asked at the same time; the answer goes out when
 * each has answered or missed its deadline. Nothing is changed anywhere. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/parts.h"
#include "supervisor/control/commands.h"
#include "supervisor/control/gather.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

#define STATUS_MS 2000

static void
status_pack_supervisor(struct pack *pack, const struct supervisor *supervisor)
{
	pack_key_map(pack, "supervisor");
	pack_key_u64(pack, "pid", (uint64_t)getpid());
	pack_key_str(pack, "version", WEIR_VERSION);
	pack_key_u64(pack, "uptime_ms",
	    (uint64_t)mono_ms_between(supervisor->started, mono_now()));
	pack_key_u64(pack, "rotation_ms", supervisor->config.rotation_ms);
	pack_key_str(pack, "store", supervisor->config.store);
	pack_end(pack);
}

static void
status_pack_store(
    struct pack *pack, const struct store_link *store, const struct gather_part *part)
{
	pack_key_map(pack, "store");
	pack_key_u64(pack, "pid", store->child ? (uint64_t)child_pid(store->child) : 0);
	pack_key_bool(pack, "running", store_link_ready(store));
	pack_key_u64(pack, "uptime_ms",
	    store->child ? (uint64_t)child_uptime_ms(store->child) : 0);
	pack_key_u64(pack, "restarts", store->restarts);
	pack_key_str(pack, "last_exit", store->last_exit);
	pack_key_u64(pack, "last_exit_ms", (uint64_t)store->last_exit_ms);
	gather_pack(pack, "report", NULL, part, store->child);
	pack_end(pack);
}

static void
status_pack_waiting(struct pack *pack, const struct handover *handover)
{
	if (handover->rotation == 0 || handover->durable) {
		pack_key_nil(pack, "waiting");
		return;
	}
	pack_key_map(pack, "waiting");
	pack_key_u64(pack, "seq", handover->rotation);
	pack_key_u64(pack, "since_ms", (uint64_t)handover->since_ms);
	pack_key_str(pack, "why", handover->why[0] ? handover->why : "on its way");
	pack_end(pack);
}

static void
status_pack_link(struct pack *pack, const struct worker *worker)
{
	const struct link *link =
	    links_find(worker->supervisor->links, worker->iface.s);
	char offload[LINK_OFFLOAD_SIZE];

	pack_key_map(pack, "link");
	pack_key_str(
	    pack, "presence", link_presence_name(worker_link_presence(worker)));
	pack_key_u64(pack, "index", link ? (uint64_t)link->index : 0);
	pack_key_str(pack, "kind", link ? link->kind : "");
	pack_key_u64(pack, "mtu", link ? link->mtu : 0);
	if (link)
		pack_key_u64(pack, "promiscuity", link->promiscuity);
	else
		pack_key_nil(pack, "promiscuity");
	if (link && links_offload(worker->supervisor->links, link->index, offload) == 0)
		pack_key_str(pack, "offload", offload);
	else
		pack_key_nil(pack, "offload");
	pack_key_str(pack, "renamed", worker->link.renamed.s);
	pack_end(pack);
}

static void
status_pack_warnings(struct pack *pack, const struct worker *worker)
{
	char text[PATH_MAX + RECORDS_NAME_SIZE + 96];

	pack_key_array(pack, "warnings");
	if (worker->set_aside[0] != '\0') {
		snprintf(text, sizeof(text),
		    "its records could not be taken over; they are kept as %s/%s and "
		    "counting began anew",
		    worker->supervisor->runtime.records, worker->set_aside);
		pack_str(pack, text);
	}
	if (worker->link.overlap[0] != '\0')
		pack_str(pack, worker->link.overlap);
	if (worker_link_unmatched(worker))
		pack_str(pack,
		    "the filter has matched nothing for two intervals or more, while the "
		    "interface counted packets");
	pack_end(pack);
}

static void
status_pack_worker(
    struct pack *pack, const struct gather_part *part, const struct worker *worker)
{
	const struct child *child = worker->child;
	bool wanted = worker->enabled && !worker->leaving;
	const struct link_counts counts = worker_link_counts(worker);
	const char *reason;
	const char *text;
	enum worker_state state = worker_shown_state(worker, &reason, &text);

	pack_key_str(pack, "wanted", wanted ? "enabled" : "disabled");
	if (worker->leaving)
		pack_key_bool(pack, "leaving", true);
	pack_key_str(pack, "entry", worker->configured_by);
	pack_key_str(pack, "state", worker_state_name(state));
	pack_key_str(pack, "reason", reason);
	pack_key_str(pack, "reason_text", text);
	pack_key_u64(pack, "pid", child ? (uint64_t)child_pid(child) : 0);
	pack_key_u64(pack, "uptime_ms", child ? (uint64_t)child_uptime_ms(child) : 0);
	pack_key_u64(pack, "restarts", worker->restarts);
	pack_key_str(pack, "last_exit", worker->last_exit);
	pack_key_u64(pack, "last_exit_ms", (uint64_t)worker->last_exit_ms);
	status_pack_waiting(pack, &worker->handover);
	pack_key_u64(pack, "rotations", worker->handover.count);
	status_pack_link(pack, worker);
	pack_key_link_counts(pack, "link_counts", &counts);
	status_pack_warnings(pack, worker);
	pack_key_config(pack, "config", &worker->config);
	gather_pack(pack, "worker", "worker_error", part, child);
}

static void
status_finish(struct gather *gather)
{
	struct supervisor *supervisor = gather->request->ctx;
	struct pack *pack = &gather->request->answer;

	pack_answer(pack, MSG_STATUS);
	status_pack_supervisor(pack, supervisor);
	status_pack_store(pack, &supervisor->store, &gather->store);
	gather_pack_ifaces(gather, pack, status_pack_worker);
}

void
command_status(struct request *request)
{
	gather_start(request, NULL, STATUS_MS, true, status_finish);
}
