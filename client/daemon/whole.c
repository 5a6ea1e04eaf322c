/* The daemon answers in its order, up to what fits, and names the rest. The rest is asked for
 * in portions of a size that has proved to fit nearly: the daemon asks every worker that it
 * is asked about, also those whose answers it then has no room for. Each answer must get us
 * further, so this ends. */
#include "client/daemon/whole.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/view.h"

/* What has still to be asked for. */
struct rest {
	msgpack_object *names; /* of the first answer; strings lie in the answers */
	size_t at;
	size_t count;
	size_t portion;
};

static int
tell_malformed(const struct client *client)
{
	log_err(client->command->name, "the daemon's answer is malformed");
	return EXIT_FAILED;
}

static int
tell_no_memory(const struct client *client)
{
	log_err(client->command->name, "out of memory");
	return EXIT_FAILED;
}

static void
pack_rest(struct pack *request, const struct rest *rest)
{
	pack_key_array(request, "ifaces");
	for (size_t i = 0; i < rest->portion; i++)
		pack_object(request, &rest->names[rest->at + i]);
	pack_end(request);
	/* What has been removed meanwhile is no mistake of ours. */
	pack_key_bool(request, "again", true);
}

/* One more answer; `rest` is NULL for the first one. */
static int
ask_once(const struct client *client, const struct daemon_question *question,
    const struct rest *rest, struct whole_answer *whole)
{
	struct answer **more =
	    reallocarray(whole->answers, whole->count + 1, sizeof(struct answer *));
	struct answer *answer = calloc(1, sizeof(*answer));
	struct pack request;
	int code;

	if (more)
		whole->answers = more;
	if (!more || !answer) {
		free(answer);
		return tell_no_memory(client);
	}
	pack_init(&request);
	pack_request(&request, question->type);
	if (rest)
		pack_rest(&request, rest);
	else
		daemon_pack_ifaces(&request, client);
	if (question->keys)
		question->keys(&request, question->arg);
	code = daemon_send(client, &request, question->type, question->default_ms,
	    question->quiet, answer);
	pack_fini(&request);
	if (code == EXIT_DONE)
		whole->answers[whole->count++] = answer;
	else
		free(answer);
	return code;
}

/* How many names an answer leaves out; 0 when there is no such list. */
static size_t
left_out(const struct answer *answer, const msgpack_object **list)
{
	if (view_array(answer->msg.body, "left_out", list) != 0)
		return 0;
	return (*list)->via.array.size;
}

static size_t
told(const struct answer *answer)
{
	const msgpack_object *ifaces;

	return view_map(answer->msg.body, "ifaces", &ifaces) == 0 ? ifaces->via.map.size
								  : 0;
}

/* The next portion is twice what fitted into the last answer. */
static void
set_portion(struct rest *rest, size_t fitted)
{
	size_t left = rest->count - rest->at;

	rest->portion = fitted > left / 2 ? left : 2 * fitted;
	if (rest->portion == 0 && left > 0)
		rest->portion = 1;
}

static int
ask_for_rest(const struct client *client, const struct daemon_question *question,
    struct whole_answer *whole)
{
	const msgpack_object *list = NULL;
	struct rest rest = {.count = left_out(whole->answers[0], &list)};
	int code = EXIT_DONE;

	if (rest.count == 0)
		return EXIT_DONE;
	if (told(whole->answers[0]) == 0)
		return tell_malformed(client);
	rest.names = calloc(rest.count, sizeof(*rest.names));
	if (!rest.names)
		return tell_no_memory(client);
	memcpy(rest.names, list->via.array.ptr, rest.count * sizeof(*rest.names));
	set_portion(&rest, told(whole->answers[0]));
	while (code == EXIT_DONE && rest.at < rest.count) {
		const struct answer *last;
		size_t left;

		code = ask_once(client, question, &rest, whole);
		if (code != EXIT_DONE)
			break;
		last = whole->answers[whole->count - 1];
		left = left_out(last, &list);
		if (left >= rest.portion) {
			code = tell_malformed(client);
			break;
		}
		/* They are asked for next, before what comes after them. */
		rest.at += rest.portion - left;
		if (left > 0)
			memcpy(&rest.names[rest.at], list->via.array.ptr,
			    left * sizeof(*rest.names));
		set_portion(&rest, told(last));
	}
	free(rest.names);
	return code;
}

static bool
is_key(const msgpack_object *key, const char *name)
{
	return key->type == MSGPACK_OBJECT_STR && key->via.str.size == strlen(name) &&
	    memcmp(key->via.str.ptr, name, strlen(name)) == 0;
}

/* All interfaces of all answers, in one map. */
static int
merge_ifaces(const struct whole_answer *whole, msgpack_object *out)
{
	size_t count = 0;

	for (size_t i = 0; i < whole->count; i++)
		count += told(whole->answers[i]);
	*out = (msgpack_object){.type = MSGPACK_OBJECT_MAP};
	out->via.map.ptr = calloc(count + 1, sizeof(*out->via.map.ptr));
	if (!out->via.map.ptr)
		return -1;
	for (size_t i = 0; i < whole->count; i++) {
		const msgpack_object *ifaces;

		if (view_map(whole->answers[i]->msg.body, "ifaces", &ifaces) != 0)
			continue;
		memcpy(&out->via.map.ptr[out->via.map.size], ifaces->via.map.ptr,
		    ifaces->via.map.size * sizeof(*out->via.map.ptr));
		out->via.map.size += ifaces->via.map.size;
	}
	return 0;
}

static int
merge(const struct client *client, struct whole_answer *whole)
{
	const msgpack_object_map *first = &whole->answers[0]->msg.body->via.map;
	msgpack_object_map *merged = &whole->merged.via.map;
	int rc = 0;

	whole->merged.type = MSGPACK_OBJECT_MAP;
	merged->ptr = calloc((size_t)first->size + 1, sizeof(*merged->ptr));
	if (!merged->ptr)
		return tell_no_memory(client);
	for (uint32_t i = 0; rc == 0 && i < first->size; i++) {
		msgpack_object_kv *kv = &merged->ptr[merged->size];

		if (is_key(&first->ptr[i].key, "left_out"))
			continue;
		*kv = first->ptr[i];
		if (is_key(&kv->key, "ifaces"))
			rc = merge_ifaces(whole, &kv->val);
		merged->size++;
	}
	if (rc != 0)
		return tell_no_memory(client);
	whole->body = &whole->merged;
	return EXIT_DONE;
}

int
daemon_ask_whole(const struct client *client, const struct daemon_question *question,
    struct whole_answer *whole)
{
	int code;

	memset(whole, 0, sizeof(*whole));
	code = ask_once(client, question, NULL, whole);
	if (code == EXIT_DONE)
		code = ask_for_rest(client, question, whole);
	if (code == EXIT_DONE && whole->count > 1)
		code = merge(client, whole);
	else if (code == EXIT_DONE)
		whole->body = whole->answers[0]->msg.body;
	if (code != EXIT_DONE)
		whole_answer_fini(whole);
	return code;
}

void
whole_answer_fini(struct whole_answer *whole)
{
	msgpack_object_map *merged;

	if (!whole)
		return;
	merged = &whole->merged.via.map;
	if (whole->merged.type == MSGPACK_OBJECT_MAP && merged->ptr) {
		for (uint32_t i = 0; i < merged->size; i++) {
			if (is_key(&merged->ptr[i].key, "ifaces"))
				free(merged->ptr[i].val.via.map.ptr);
		}
		free(merged->ptr);
	}
	for (size_t i = 0; i < whole->count; i++) {
		answer_fini(whole->answers[i]);
		free(whole->answers[i]);
	}
	free(whole->answers);
	memset(whole, 0, sizeof(*whole));
}
