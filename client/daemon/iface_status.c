/* An answer to "status", read interface by interface. The daemon says what is wanted, what
 * the kernel says of the link and what the worker said last; the word for operators is made
 * of all three, since none alone tells why nothing is counted. */
#include "client/daemon/iface_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/daemon/daemon.h"
#include "proto/parts.h"

int
maybe_u64_read(const msgpack_object *map, const char *key, struct maybe_u64 *out)
{
	const msgpack_object *value = view_get(map, key);

	*out = (struct maybe_u64){0};
	if (!value || value->type == MSGPACK_OBJECT_NIL)
		return 0;
	int rc = view_u64(map, key, UINT64_MAX, &out->value);
	out->known = rc == 0;
	return rc;
}

/* A key that an older daemon does not send; one of another type is a fault. */
static int
read_optional_u64(const msgpack_object *map, const char *key, uint64_t *out)
{
	int rc = view_u64(map, key, UINT64_MAX, out);

	return rc == -ENOENT ? 0 : rc;
}

static enum presence
presence_of(const char *word)
{
	static const struct {
		const char *word;
		enum presence presence;
	} all[] = {
	    {"up", PRESENCE_UP},
	    {"down", PRESENCE_DOWN},
	    {"gone", PRESENCE_GONE},
	    {"waiting", PRESENCE_WAITING},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].word, word) == 0)
			return all[i].presence;
	}
	return PRESENCE_UNKNOWN;
}

static int
read_link(const msgpack_object *link, struct link_status *out)
{
	const msgpack_object *offload = view_get(link, "offload");
	char presence[16];

	view_text(link, "presence", presence, sizeof(presence));
	out->presence = presence_of(presence);
	view_text(link, "kind", out->kind, sizeof(out->kind));
	view_text(link, "renamed", out->renamed, sizeof(out->renamed));
	out->offload_known = offload && offload->type == MSGPACK_OBJECT_STR;
	view_text(link, "offload", out->offload, sizeof(out->offload));
	if (read_optional_u64(link, "index", &out->index) != 0 ||
	    read_optional_u64(link, "mtu", &out->mtu) != 0 ||
	    maybe_u64_read(link, "promiscuity", &out->promiscuity) != 0)
		return -EPROTO;
	return 0;
}

/* pcap's own words behind the reason, when there are any. */
static void
add_reason_text(const msgpack_object *map, struct iface_status *out)
{
	char text[MSG_TEXT_MAX * 4 + 1];
	size_t used = strlen(out->reason);

	view_text(map, "reason_text", text, sizeof(text));
	if (text[0] != '\0')
		snprintf(out->reason + used, sizeof(out->reason) - used, "%s%s",
		    used > 0 ? ": " : "", text);
}

static int
read_worker(const msgpack_object *worker, struct iface_status *out)
{
	if (view_interval(worker, "interval", &out->interval) != 0 ||
	    view_u64(worker, "flows", UINT64_MAX, &out->flows) != 0 ||
	    view_u64(worker, "flow_limit", UINT64_MAX, &out->flow_limit) != 0 ||
	    view_counter(worker, "total", &out->total) != 0)
		return -EPROTO;
	out->answered = true;
	return 0;
}

static int
read_iface(const msgpack_object *map, struct iface_status *out)
{
	const msgpack_object *part;

	out->map = map;
	view_text(map, "wanted", out->wanted, sizeof(out->wanted));
	view_text(map, "entry", out->entry, sizeof(out->entry));
	view_text(map, "state", out->state, sizeof(out->state));
	view_text(map, "reason", out->reason_name, sizeof(out->reason_name));
	view_text(map, "reason", out->reason, sizeof(out->reason));
	view_text(map, "last_exit", out->last_exit, sizeof(out->last_exit));
	if (view_u64(map, "pid", INT32_MAX, &out->pid) != 0 ||
	    view_u64(map, "uptime_ms", INT64_MAX, &out->uptime_ms) != 0 ||
	    view_u64(map, "restarts", UINT64_MAX, &out->restarts) != 0 ||
	    view_u64(map, "rotations", UINT64_MAX, &out->rotations) != 0)
		return -EPROTO;
	(void)view_i64(map, "last_exit_ms", &out->last_exit_ms);
	(void)view_bool(map, "leaving", &out->leaving);
	if (view_map(map, "link", &part) == 0 && read_link(part, &out->link) != 0)
		return -EPROTO;
	if (view_link_counts(map, "link_counts", &out->link_counts) != 0)
		return -EPROTO;
	if (view_map(map, "waiting", &part) == 0) {
		out->waiting = true;
		(void)view_i64(part, "since_ms", &out->waiting_since_ms);
		view_text(part, "why", out->waiting_why, sizeof(out->waiting_why));
	}
	view_text(map, "worker_error", out->worker_error, sizeof(out->worker_error));
	bool answered = view_map(map, "worker", &part) == 0;
	add_reason_text(answered ? part : map, out);
	return answered ? read_worker(part, out) : 0;
}

int
iface_status_read(const msgpack_object *body, struct iface_status **out, size_t *count)
{
	const msgpack_object *map;
	struct iface_status *all;

	if (view_map(body, "ifaces", &map) != 0)
		return -EPROTO;
	all = calloc((size_t)map->via.map.size + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];
		if (kv->val.type != MSGPACK_OBJECT_MAP ||
		    daemon_key(&kv->key, all[i].name, sizeof(all[i].name)) != 0 ||
		    read_iface(&kv->val, &all[i]) != 0) {
			free(all);
			return -EPROTO;
		}
	}
	*out = all;
	*count = map->via.map.size;
	return 0;
}

static bool
is_disabled(const struct iface_status *status)
{
	return strcmp(status->wanted, "disabled") == 0;
}

const char *
iface_status_word(const struct iface_status *status)
{
	bool error = strcmp(status->state, "error") == 0;
	bool active = strcmp(status->state, "active") == 0;

	if (is_disabled(status) && strcmp(status->state, "uninitialized") == 0)
		return "disabled";
	switch (status->link.presence) {
	case PRESENCE_DOWN:
		return "down";
	case PRESENCE_GONE:
		return "gone";
	case PRESENCE_WAITING:
		return "waiting";
	case PRESENCE_UP:
		break;
	case PRESENCE_UNKNOWN:
		if (error && strcmp(status->reason_name, "down") == 0)
			return "down";
		if (error && strcmp(status->reason_name, "gone") == 0)
			return "gone";
		break;
	}
	if (error || is_disabled(status))
		return status->state;
	/* The state is the last that is known: without a process it is no longer so. */
	return active && status->pid != 0 ? "active" : "starting";
}

bool
iface_status_word_is_reason(const struct iface_status *status)
{
	const char *word = iface_status_word(status);

	if (status->reason_name[0] == '\0')
		return status->reason[0] == '\0';
	if (strcmp(word, "down") == 0 || strcmp(word, "gone") == 0)
		return strcmp(status->reason_name, "down") == 0 ||
		    strcmp(status->reason_name, "gone") == 0 ||
		    strcmp(status->reason_name, "no_such_device") == 0;
	return strcmp(word, "waiting") == 0 &&
	    strcmp(status->reason_name, "no_such_device") == 0;
}

bool
iface_status_incomplete(const struct iface_status *status)
{
	enum presence presence = status->link.presence;

	if (status->answered || strcmp(status->wanted, "enabled") != 0)
		return false;
	/* Where there is no interface there need not be a worker. */
	return status->pid != 0 ||
	    (presence != PRESENCE_GONE && presence != PRESENCE_WAITING);
}

struct maybe_u64
iface_status_link_drops(const struct iface_status *status)
{
	struct maybe_u64 drops = {.known = status->link_counts.known};

	if (__builtin_add_overflow(
		status->link_counts.dropped, status->link_counts.missed, &drops.value))
		drops.value = UINT64_MAX;
	return drops;
}
