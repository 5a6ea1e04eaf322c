#include "client/daemon/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "proto/view.h"

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

/* As they are but for what could drive a terminal, and not through the log: a line of
 * FILE:LINE:COLUMN is for editors too. */
static void
tell_faults(const msgpack_object *body)
{
	const msgpack_object *faults;

	if (view_array(body, "faults", &faults) != 0)
		return;
	for (uint32_t i = 0; i < faults->via.array.size; i++) {
		const msgpack_object *line = &faults->via.array.ptr[i];
		if (line->type != MSGPACK_OBJECT_STR)
			continue;
		client_fault(line->via.str.ptr, line->via.str.size);
	}
}

void
daemon_pack_ifaces(struct pack *request, const struct client *client)
{
	if (client->operand_count == 0)
		return;
	pack_key_array(request, "ifaces");
	for (size_t i = 0; i < client->operand_count; i++)
		pack_str(request, client->operands[i]);
	pack_end(request);
}

int
daemon_send(const struct client *client, struct pack *request, enum msg_type type,
    int default_ms, bool quiet, struct answer *answer)
{
	int timeout_ms = client->timeout_ms > 0 ? client->timeout_ms : default_ms;
	char text[1024];
	int rc = pack_finish(request);

	if (rc == 0 && request->buffer.size > MSG_REQUEST_SIZE_MAX) {
		log_err(client->command->name,
		    "the request would have %zu bytes; the daemon takes at most %u",
		    request->buffer.size, MSG_REQUEST_SIZE_MAX);
		return EXIT_FAILED;
	}
	if (rc == 0)
		rc = ask(client->socket, request, timeout_ms, answer);
	if (rc != 0)
		return quiet ? EXIT_NO_DAEMON : tell_unreachable(client, rc);
	if (answer->msg.error == MSG_OK && answer->msg.type == type)
		return EXIT_DONE;
	view_text(answer->msg.body, "text", text, sizeof(text));
	if (answer->msg.error == MSG_OK) {
		log_err(client->command->name, "the daemon answered another question");
	} else {
		tell_faults(answer->msg.body);
		log_err(client->command->name, "%s",
		    text[0] != '\0' ? text : msg_error_name(answer->msg.error));
	}
	answer_fini(answer);
	return EXIT_FAILED;
}

int
daemon_ask(const struct client *client, enum msg_type type, int default_ms, bool quiet,
    struct answer *answer)
{
	struct pack request;
	int code;

	pack_init(&request);
	pack_request(&request, type);
	daemon_pack_ifaces(&request, client);
	code = daemon_send(client, &request, type, default_ms, quiet, answer);
	pack_fini(&request);
	return code;
}

int
daemon_show(const struct client *client, const msgpack_object *body,
    const struct daemon_display *display)
{
	const char *topic = client->command->name;
	bool whole = client->output->exact && !client->output->flat;
	const msgpack_object *ifaces;
	struct output out;
	size_t good_count = 0;
	int code = EXIT_DONE;
	int rc = 0;

	if (view_map(body, "ifaces", &ifaces) != 0) {
		log_err(topic, "the daemon's answer is malformed");
		return EXIT_FAILED;
	}
	output_open(&out, client->output, stdout);
	if (whole)
		out.ops->members(&out, body);
	else
		out.ops->rows_begin(
		    &out, NULL, display->columns, display->column_count);
	for (uint32_t i = 0; rc == 0 && i < ifaces->via.map.size; i++) {
		bool good = false;
		rc = display->row(
		    client, whole ? NULL : &out, &ifaces->via.map.ptr[i], &good);
		good_count += good;
	}
	if (!whole)
		out.ops->rows_end(&out, NULL);
	if (!whole && rc == 0 && display->notes)
		display->notes(client, &out, body);
	if (rc != 0) {
		log_err(topic, "the daemon's answer is malformed");
		code = EXIT_FAILED;
	} else if (good_count < ifaces->via.map.size) {
		code = good_count > 0 ? EXIT_INCOMPLETE : display->none;
	}
	return client_finish(client, &out, code);
}

int
daemon_key(const msgpack_object *key, char *out, size_t size)
{
	char shown[4 * DAEMON_KEY_MAX + 1];

	if (key->type != MSGPACK_OBJECT_STR || key->via.str.size == 0 ||
	    key->via.str.size > DAEMON_KEY_MAX ||
	    memchr(key->via.str.ptr, '\0', key->via.str.size))
		return -EPROTO;
	text_escape_name(shown, sizeof(shown), key->via.str.ptr, key->via.str.size);
	if (strlen(shown) >= size)
		return -EPROTO;
	strcpy(out, shown);
	return 0;
}
