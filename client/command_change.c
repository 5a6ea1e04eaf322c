/* weirctl enable, disable, update, reload: what became of each interface, or (dry run) what
 * would. They differ in what they ask; the answer has one form, so they share the display. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/config_file.h"
#include "client/daemon/daemon.h"
#include "common/config.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/entries.h"

#define ASK_MS 30000 /* the daemon takes 20 s at most */
#define KEYS_SIZE 256

enum {
	C_IFACE,
	C_ACTION,
	C_RESULT,
	C_STATE,
	C_KEYS,
	C_ERROR,
	C_TEXT,
	C_WHY,
	C_MAX
};

/* WHY is never cut: it stands last, so a terminal wraps it. */
static const struct column columns[C_MAX] = {
    [C_IFACE] = {"iface", "IFACE", UNIT_NONE, .left = true},
    [C_ACTION] = {"action", "ACTION", UNIT_NONE, .left = true},
    [C_RESULT] = {"result", "RESULT", UNIT_NONE, .left = true},
    [C_STATE] = {"state", "STATE", UNIT_NONE, .left = true},
    [C_KEYS] = {"keys", "KEYS", UNIT_NONE, .left = true},
    [C_ERROR] = {"error", NULL, .unit = UNIT_NONE},
    [C_TEXT] = {"text", NULL, .unit = UNIT_NONE},
    [C_WHY] = {NULL, "WHY", UNIT_NONE, .left = true},
};

/* Whether a result is one to be content with. 0, or -EPROTO for a word that is none. */
static int
read_result(const char *word, bool *good)
{
	static const struct {
		const char *word;
		bool good;
	} results[] = {
	    {"done", true},
	    {"unchanged", true},
	    {"planned", true},
	    {"failed", false},
	    {"will_fail", false},
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (strcmp(results[i].word, word) == 0) {
			*good = results[i].good;
			return 0;
		}
	}
	return -EPROTO;
}

/* "filter,snaplen" */
static void
join_keys(const msgpack_object *map, char out[static KEYS_SIZE])
{
	const msgpack_object *keys;
	size_t used = 0;

	out[0] = '\0';
	if (view_array(map, "keys", &keys) != 0)
		return;
	for (uint32_t i = 0; i < keys->via.array.size; i++) {
		const msgpack_object *key = &keys->via.array.ptr[i];
		char name[64];
		if (key->type != MSGPACK_OBJECT_STR)
			continue;
		text_escape(name, sizeof(name), key->via.str.ptr, key->via.str.size);
		int n = snprintf(
		    out + used, KEYS_SIZE - used, "%s%s", used > 0 ? "," : "", name);
		used += (size_t)n < KEYS_SIZE - used ? (size_t)n : 0;
	}
}

/* The word of `weirctl status`, where people look next; exact formats have the daemon's. */
static const char *
state_word(const struct client *client, const char *action, const char *state)
{
	bool disabled =
	    strcmp(action, "disable") == 0 && strcmp(state, "uninitialized") == 0;

	return disabled && !client->output->exact ? "disabled" : state;
}

static int
show_iface(const struct client *client, struct output *out, const msgpack_object_kv *kv,
    bool *good)
{
	char name[IFACE_SHOWN_SIZE];
	char action[32], result[32], state[32], error[64], text[1024], why[1100];
	char keys[KEYS_SIZE];

	view_text(&kv->val, "action", action, sizeof(action));
	view_text(&kv->val, "result", result, sizeof(result));
	view_text(&kv->val, "state", state, sizeof(state));
	view_text(&kv->val, "error", error, sizeof(error));
	view_text(&kv->val, "text", text, sizeof(text));
	if (daemon_key(&kv->key, name, sizeof(name)) != 0 ||
	    read_result(result, good) != 0)
		return -EPROTO;
	join_keys(&kv->val, keys);
	snprintf(why, sizeof(why), "%s%s%s", error,
	    error[0] != '\0' && text[0] != '\0' ? ": " : "", text);
	/* A table shows why beside the interface. */
	if (!*good && client->output->exact)
		log_err(client->command->name, "%s: %s", name,
		    why[0] != '\0' ? why : result);
	const struct value v[C_MAX] = {
	    [C_IFACE] = VALUE_OF_TEXT(name),
	    [C_ACTION] = VALUE_OF_TEXT(action),
	    [C_RESULT] = VALUE_OF_TEXT(result),
	    [C_STATE] = VALUE_OF_TEXT(state_word(client, action, state)),
	    [C_KEYS] = VALUE_OF_TEXT(keys),
	    [C_ERROR] = VALUE_OF_TEXT(error),
	    [C_TEXT] = VALUE_OF_TEXT(text),
	    [C_WHY] = VALUE_OF_TEXT(why),
	};
	if (out)
		out->ops->row(out, v);
	return 0;
}

static void
note_setting(
    const struct client *client, struct output *out, const msgpack_object_kv *kv)
{
	char key[64], when[16];

	if (daemon_key(&kv->key, key, sizeof(key)) != 0 ||
	    kv->val.type != MSGPACK_OBJECT_STR)
		return;
	text_escape(when, sizeof(when), kv->val.via.str.ptr, kv->val.via.str.size);
	if (strcmp(when, "restart") != 0) {
		output_note(out, "%s: takes effect %s", key, when);
		return;
	}
	output_note(out, "%s: needs a restart", key);
	if (client->output->flat)
		log_warn(client->command->name, "%s: needs a restart", key);
}

static void
show_notes(const struct client *client, struct output *out, const msgpack_object *body)
{
	const msgpack_object *part;
	bool dry_run = false;

	if (view_map(body, "ifaces", &part) == 0 && part->via.map.size == 0)
		output_note(out, "no interfaces");
	if (view_map(body, "settings", &part) == 0) {
		for (uint32_t i = 0; i < part->via.map.size; i++)
			note_setting(client, out, &part->via.map.ptr[i]);
	}
	(void)view_bool(body, "dry_run", &dry_run);
	if (dry_run)
		output_note(out, "dry run: nothing was changed");
}

static const struct daemon_display display = {
    .columns = columns,
    .column_count = C_MAX,
    .row = show_iface,
    .notes = show_notes,
    .none = EXIT_FAILED,
};

/* Asks what has been packed and shows the answer; the pack is given back. */
static int
change(const struct client *client, struct pack *request, enum msg_type type)
{
	struct answer answer;
	int code = daemon_send(client, request, type, ASK_MS, false, &answer);

	pack_fini(request);
	if (code != EXIT_DONE)
		return code;
	code = daemon_show(client, answer.msg.body, &display);
	answer_fini(&answer);
	return code;
}

static int
change_named(const struct client *client, enum msg_type type)
{
	struct pack request;

	pack_init(&request);
	pack_request(&request, type);
	daemon_pack_ifaces(&request, client);
	return change(client, &request, type);
}

int
command_enable(const struct client *client)
{
	return change_named(client, MSG_ENABLE);
}

int
command_disable(const struct client *client)
{
	return change_named(client, MSG_DISABLE);
}

int
command_reload(const struct client *client)
{
	struct pack request;

	pack_init(&request);
	pack_request(&request, MSG_RELOAD);
	if (client->dry_run)
		pack_key_bool(&request, "dry_run", true);
	return change(client, &request, MSG_RELOAD);
}

/* Finished, and told when it is too large: what helps is no other than to shorten it, or to
 * have the daemon read it. */
static bool
fits(const struct client *client, struct pack *request, const char *name)
{
	if (pack_finish(request) != 0 || request->buffer.size <= MSG_REQUEST_SIZE_MAX)
		return true; /* or a fault that whoever sends it tells */
	log_err(client->command->name,
	    "%s: its entries take %zu bytes of a request, which may have %u: shorten "
	    "filters and lists of `not`, or make it the daemon's own file and use "
	    "`weirctl reload`, which has no such limit",
	    name, request->buffer.size, MSG_REQUEST_SIZE_MAX);
	return false;
}

int
command_update(const struct client *client)
{
	struct config_file file;
	struct config *config = calloc(1, sizeof(*config));
	struct pack request;
	bool good;

	if (!config) {
		log_err(client->command->name, "out of memory");
		return EXIT_FAILED;
	}
	if (config_file_load(client, client->operands[0], &file, config) != 0) {
		free(config);
		return EXIT_FAILED;
	}
	config_file_close(&file);
	pack_init(&request);
	pack_request(&request, MSG_UPDATE);
	if (client->dry_run)
		pack_key_bool(&request, "dry_run", true);
	pack_key_entries(&request, "entries", config->ifaces, config->iface_count);
	config_fini(config);
	free(config);
	good = fits(client, &request, file.name);
	if (!good)
		pack_fini(&request);
	return good ? change(client, &request, MSG_UPDATE) : EXIT_FAILED;
}
