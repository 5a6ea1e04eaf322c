#include "client/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "proto/parts.h"

static int
tell_unreachable(const struct client *client, int rc)
{
	const char *topic = client->command->name;
	char socket[CLIENT_SOCKET_MAX * 4 + 1];

	text_escape(socket, sizeof(socket), client->socket, strlen(client->socket));
	switch (rc) {
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
		log_err(topic,
		    "no daemon at %s (%s); start it with `systemctl start weir` or "
		    "`weir-supervisor -c FILE`, or name its socket with -s or WEIR_SOCKET",
		    socket, rc == -ECONNREFUSED ? "nobody listens" : strerror(-rc));
		return EXIT_NO_DAEMON;
	case -EACCES:
	case -EPERM:
		log_err(topic,
		    "not allowed to use %s: members of the group weir are "
		    "(client_group in the configuration)",
		    socket);
		return EXIT_FAILED;
	case -ETIMEDOUT:
		log_err(topic,
		    "the daemon at %s did not answer in time; --timeout waits longer",
		    socket);
		return EXIT_FAILED;
	case -EPROTO:
	case -ENOMSG:
		log_err(topic, "%s does not answer as weir does", socket);
		return EXIT_FAILED;
	case -EPROTONOSUPPORT:
		log_err(topic,
		    "the daemon at %s speaks another version of the protocol; this is "
		    "weirctl %s",
		    socket, WEIR_VERSION);
		return EXIT_FAILED;
	default:
		log_err(topic, "%s: %s", socket, strerror(-rc));
		return EXIT_FAILED;
	}
}

int
daemon_ask(const struct client *client, enum msg_type type, int default_ms, bool quiet,
    struct answer *answer)
{
	int timeout_ms = client->timeout_ms > 0 ? client->timeout_ms : default_ms;
	struct pack request;
	char text[1024];
	int rc;

	pack_init(&request);
	pack_request(&request, type);
	if (client->operand_count > 0) {
		pack_key_array(&request, "ifaces");
		for (size_t i = 0; i < client->operand_count; i++)
			pack_str(&request, client->operands[i]);
		pack_end(&request);
	}
	rc = pack_finish(&request);
	if (rc == 0)
		rc = ask(client->socket, &request, timeout_ms, answer);
	pack_fini(&request);
	if (rc != 0)
		return quiet ? EXIT_NO_DAEMON : tell_unreachable(client, rc);
	if (answer->msg.error == MSG_OK && answer->msg.type == type)
		return EXIT_DONE;
	view_text(answer->msg.body, "text", text, sizeof(text));
	if (answer->msg.error == MSG_OK)
		log_err(client->command->name, "the daemon answered another question");
	else
		log_err(client->command->name, "%s",
		    text[0] != '\0' ? text : msg_error_name(answer->msg.error));
	answer_fini(answer);
	return EXIT_FAILED;
}

int
daemon_show(const struct client *client, struct answer *answer,
    const struct column *columns, size_t count, daemon_row *show, int none)
{
	const char *topic = client->command->name;
	bool whole = client->output->exact && !client->output->flat;
	const msgpack_object *ifaces;
	struct output out;
	size_t good_count = 0;
	int code = EXIT_DONE;
	int rc = 0;

	if (view_map(answer->msg.body, "ifaces", &ifaces) != 0) {
		log_err(topic, "the daemon's answer is malformed");
		answer_fini(answer);
		return EXIT_FAILED;
	}
	output_open(&out, client->output, stdout);
	if (whole)
		out.ops->members(&out, answer->msg.body);
	else
		out.ops->rows_begin(&out, NULL, columns, count);
	for (uint32_t i = 0; rc == 0 && i < ifaces->via.map.size; i++) {
		bool good = false;
		rc = show(whole ? NULL : &out, &ifaces->via.map.ptr[i], &good);
		good_count += good;
	}
	if (!whole)
		out.ops->rows_end(&out, NULL);
	if (rc != 0) {
		log_err(topic, "the daemon's answer is malformed");
		code = EXIT_FAILED;
	} else if (good_count < ifaces->via.map.size) {
		code = good_count > 0 ? EXIT_INCOMPLETE : none;
	}
	answer_fini(answer);
	return client_finish(client, &out, code);
}

int
daemon_key(const msgpack_object *key, char *out, size_t size)
{
	if (key->type != MSGPACK_OBJECT_STR || key->via.str.size == 0 ||
	    key->via.str.size >= size ||
	    memchr(key->via.str.ptr, '\0', key->via.str.size))
		return -EPROTO;
	memcpy(out, key->via.str.ptr, key->via.str.size);
	out[key->via.str.size] = '\0';
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
	add_reason_text(worker, out);
	return 0;
}

static int
read_iface(const msgpack_object *map, struct iface_status *out)
{
	const msgpack_object *part;

	view_text(map, "wanted", out->wanted, sizeof(out->wanted));
	view_text(map, "state", out->state, sizeof(out->state));
	view_text(map, "reason", out->reason, sizeof(out->reason));
	view_text(map, "last_exit", out->last_exit, sizeof(out->last_exit));
	if (view_u64(map, "pid", INT32_MAX, &out->pid) != 0 ||
	    view_u64(map, "uptime_ms", INT64_MAX, &out->uptime_ms) != 0 ||
	    view_u64(map, "restarts", UINT64_MAX, &out->restarts) != 0 ||
	    view_u64(map, "rotations", UINT64_MAX, &out->rotations) != 0)
		return -EPROTO;
	(void)view_i64(map, "last_exit_ms", &out->last_exit_ms);
	if (view_map(map, "waiting", &part) == 0) {
		out->waiting = true;
		(void)view_i64(part, "since_ms", &out->waiting_since_ms);
		view_text(part, "why", out->waiting_why, sizeof(out->waiting_why));
	}
	view_text(map, "worker_error", out->worker_error, sizeof(out->worker_error));
	if (view_map(map, "worker", &part) == 0)
		return read_worker(part, out);
	add_reason_text(map, out);
	return 0;
}

int
daemon_ifaces(const msgpack_object *body, struct iface_status **out, size_t *count)
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
