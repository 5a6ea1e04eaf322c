/* What comes over a socket or a pipe, read by both sides: the bytes are taken for a request,
 * for an answer, for a frame, for the answer of a worker that only checks, and for a chunk
 * of flow records. Whatever a reader accepted means the same after it was written again;
 * whatever is answered can be read. */
#include <sys/mman.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/entries.h"
#include "proto/flow_map.h"
#include "proto/flows_query.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/serve.h"
#include "tests/fuzz/input.h"

/*
 * A chunk.
 */

static int
write_again(void *arg, const struct flow_record *flow)
{
	static const uint8_t zeros[16];

	fuzz_check(flow->conversations == 1);
	fuzz_check(flow->family == FAMILY_NONE || flow->family == FAMILY_IPV4 ||
	    flow->family == FAMILY_IPV6);
	if (flow->family == FAMILY_IPV4)
		fuzz_check(memcmp(flow->src + 4, zeros, 12) == 0 &&
		    memcmp(flow->dst + 4, zeros, 12) == 0);
	flow_map_pack(arg, flow);
	return 0;
}

static void
try_chunk(const void *data, size_t size)
{
	struct pack first, second;

	pack_init(&first);
	pack_init(&second);
	if (flow_map_each(data, size, write_again, &first) == 0) {
		fuzz_check(!first.failed);
		fuzz_check(flow_map_each(first.buffer.data, first.buffer.size,
			       write_again, &second) == 0);
		fuzz_check(!second.failed && first.buffer.size == second.buffer.size);
		fuzz_check(first.buffer.size == 0 ||
		    memcmp(first.buffer.data, second.buffer.data, first.buffer.size) ==
			0);
	}
	pack_fini(&second);
	pack_fini(&first);
}

/*
 * Parts of messages: read, written, read again.
 */

/* Opens a message; what was written into it is read back by reread(). */
static void
begin(struct pack *pack)
{
	pack_init(pack);
	pack_request(pack, MSG_STATUS);
}

static void
reread(struct pack *pack, struct msg *msg)
{
	fuzz_check(pack_finish(pack) == 0);
	fuzz_check(msg_parse(msg, pack->buffer.data, pack->buffer.size) == 0);
}

static void
end(struct pack *pack, struct msg *msg)
{
	msg_fini(msg);
	pack_fini(pack);
}

static void
try_interval(const msgpack_object *map)
{
	struct interval first, second;
	struct pack pack;
	struct msg msg;

	if (view_interval(map, "interval", &first) != 0)
		return;
	fuzz_check(first.length_ns >= 0);
	fuzz_check(first.books.refused[REFUSED_NONE].packets == 0);
	begin(&pack);
	pack_key_interval(&pack, "interval", &first);
	reread(&pack, &msg);
	fuzz_check(view_interval(msg.body, "interval", &second) == 0);
	fuzz_check(second.begin_ms == first.begin_ms && second.end_ms == first.end_ms &&
	    second.length_ns == first.length_ns &&
	    second.clock_step_ms == first.clock_step_ms &&
	    second.flows == first.flows && second.cuts == first.cuts &&
	    second.busy == first.busy);
	fuzz_check(second.kernel.known == first.kernel.known &&
	    second.kernel.received == first.kernel.received &&
	    second.kernel.dropped == first.kernel.dropped);
	fuzz_check(second.link.known == first.link.known &&
	    second.link.packets == first.link.packets &&
	    second.link.dropped == first.link.dropped &&
	    second.link.missed == first.link.missed);
	fuzz_check(memcmp(&second.books, &first.books, sizeof(first.books)) == 0);
	end(&pack, &msg);
}

static void
try_config(const msgpack_object *map, const char *key)
{
	struct capture_config first, second;
	struct pack pack;
	struct msg msg;

	if (view_config(map, key, &first) != 0)
		return;
	begin(&pack);
	pack_key_config(&pack, key, &first);
	reread(&pack, &msg);
	fuzz_check(view_config(msg.body, key, &second) == 0);
	fuzz_check(capture_config_compare(&first, &second) == CAPTURE_SAME);
	end(&pack, &msg);
}

static void
try_query(const msgpack_object *map)
{
	struct flows_query first, second;
	struct pack pack;
	struct msg msg;

	memset(&first, 0, sizeof(first));
	if (view_flows_query(map, &first) != NULL)
		return;
	fuzz_check(first.limit >= 1 && first.limit <= FLOWS_LIMIT_MAX);
	fuzz_check(first.prefix <= (first.family == FAMILY_IPV4 ? 32 : 128));
	begin(&pack);
	pack_flows_query(&pack, &first);
	reread(&pack, &msg);
	memset(&second, 0, sizeof(second));
	fuzz_check(view_flows_query(msg.body, &second) == NULL);
	fuzz_check(second.sort == first.sort && second.limit == first.limit &&
	    second.family == first.family && second.prefix == first.prefix &&
	    memcmp(second.address, first.address, sizeof(first.address)) == 0 &&
	    second.port_given == first.port_given && second.port == first.port &&
	    second.proto_given == first.proto_given && second.proto == first.proto);
	end(&pack, &msg);
}

static void
try_entries(const msgpack_object *map)
{
	struct config_iface *first, *second;
	size_t first_count, second_count;
	char why[ENTRIES_WHY_SIZE] = "";
	struct pack pack;
	struct msg msg;
	int rc = view_entries(map, "entries", &first, &first_count, why);

	if (rc != 0) {
		fuzz_check(why[0] != '\0');
		return;
	}
	fuzz_check(first_count <= CONFIG_IFACES_MAX);
	begin(&pack);
	pack_key_entries(&pack, "entries", first, first_count);
	reread(&pack, &msg);
	fuzz_check(view_entries(msg.body, "entries", &second, &second_count, why) == 0);
	fuzz_check(second_count == first_count &&
	    memcmp(second, first, first_count * sizeof(*first)) == 0);
	end(&pack, &msg);
	free(first);
	free(second);
}

/* Texts from a child go to terminals and logs. */
static void
try_texts(const msgpack_object *map)
{
	static const char *const keys[] = {"text", "reason_text", "error", "last_exit"};
	char text[4 * 50 + 1];
	char small[9];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		memset(small, 0x7f, sizeof(small));
		view_text(map, keys[i], small, sizeof(small));
		fuzz_check(memchr(small, '\0', sizeof(small)) != NULL);
		memset(text, 0x7f, sizeof(text));
		view_text(map, keys[i], text, sizeof(text));
		fuzz_check(memchr(text, '\0', sizeof(text)) != NULL);
		for (const char *c = text; *c != '\0'; c++)
			fuzz_check((unsigned char)*c >= 0x20 && *c != 0x7f);
		if (view_str(map, keys[i], small, sizeof(small)) == 0)
			fuzz_check(strlen(small) < sizeof(small));
	}
}

/* What the supervisor and the client look for in an answer, at every level of it, since
 * parts stand at different ones. */
static void
try_parts(const msgpack_object *object)
{
	struct link_counts link;
	struct counter counter;
	struct books books;
	const void *chunk;
	size_t len;
	bool flag;

	if (object->type == MSGPACK_OBJECT_ARRAY) {
		for (uint32_t i = 0; i < object->via.array.size; i++)
			try_parts(&object->via.array.ptr[i]);
		return;
	}
	if (object->type != MSGPACK_OBJECT_MAP)
		return;
	try_interval(object);
	try_config(object, "config");
	try_entries(object);
	try_texts(object);
	(void)view_counter(object, "total", &counter);
	(void)view_books(object, "books", &books);
	(void)view_bool(object, "last", &flag);
	if (view_link_counts(object, "link_counts", &link) == 0)
		fuzz_check(link.known || link.packets == 0);
	if (view_bin(object, "chunk", &chunk, &len) == 0)
		try_chunk(chunk, len);
	for (uint32_t i = 0; i < object->via.map.size; i++)
		try_parts(&object->via.map.ptr[i].val);
}

/* Passed on within another message, as the daemon does with answers of its children: what
 * it is passed on in can be read however deep it was itself. */
static void
try_passing_on(const msgpack_object *body)
{
	struct pack pack;
	struct msg msg;

	begin(&pack);
	pack_key_map(&pack, "ifaces");
	pack_key(&pack, "eth0");
	pack_object(&pack, body);
	pack_end(&pack);
	fuzz_check(pack_finish(&pack) == 0);
	/* Some thousands of objects together with the envelope: within the limits. */
	fuzz_check(msg_parse(&msg, pack.buffer.data, pack.buffer.size) == 0);
	end(&pack, &msg);
}

static void
try_message(const uint8_t *data, size_t size)
{
	struct msg msg;

	if (msg_parse(&msg, data, size) != 0)
		return;
	fuzz_check(msg.type < MSG_TYPE_MAX && msg.error < MSG_ERROR_MAX);
	fuzz_check(msg.is_answer || msg.error == MSG_OK);
	try_parts(msg.body);
	try_query(msg.body);
	try_passing_on(msg.body);
	msg_fini(&msg);
}

/*
 * The serving side.
 */

static void
echo(void *ctx, const struct msg *request, struct pack *answer)
{
	unsigned *served = ctx;

	(*served)++;
	fuzz_check(!request->is_answer);
	pack_answer(answer, request->type);
	pack_key(answer, "again");
	pack_object(answer, request->body);
}

static void
try_request(const uint8_t *data, size_t size, enum msg_role role)
{
	static serve_handler *const table[MSG_TYPE_MAX] = {[MSG_STATUS] = echo,
	    [MSG_ROTATE] = echo,
	    [MSG_UPDATE] = echo,
	    [MSG_APPEND] = echo,
	    [MSG_FLOWS] = echo};
	unsigned served = 0;
	struct pack answer;
	struct msg msg;

	pack_init(&answer);
	serve_request(data, size, role, table, &served, &answer);
	fuzz_check(msg_parse(&msg, answer.buffer.data, answer.buffer.size) == 0);
	fuzz_check(msg.is_answer);
	fuzz_check(served <= 1 && (served == 0 || msg.error == MSG_OK));
	msg_fini(&msg);
	pack_fini(&answer);
}

/*
 * Pipes: frames of a worker in file mode, the answer of one that checks.
 */

static void
try_pipe(const uint8_t *data, size_t size)
{
	char reason[CHECK_REASON_SIZE], text[CHECK_TEXT_SIZE];
	const uint8_t header[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
	    (uint8_t)(size >> 8), (uint8_t)size};
	int fd = memfd_create("pipe", MFD_CLOEXEC);
	void *frame;
	size_t len;

	/* First as frames that may be cut or too long, then as one whole frame. */
	fuzz_check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	fuzz_check(lseek(fd, 0, SEEK_SET) == 0);
	while (frame_read(fd, &frame, &len) == 0) {
		fuzz_check(len > 0 && len <= size);
		free(frame);
	}
	fuzz_check(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	fuzz_check(write(fd, header, sizeof(header)) == sizeof(header));
	fuzz_check(write(fd, data, size) == (ssize_t)size);
	fuzz_check(lseek(fd, 0, SEEK_SET) == 0);
	if (check_read_answer(fd, reason, text) == 0)
		fuzz_check(memchr(reason, '\0', sizeof(reason)) != NULL &&
		    memchr(text, '\0', sizeof(text)) != NULL);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_chunk(data, size);
	try_message(data, size);
	try_request(data, size, MSG_ROLE_WORKER);
	try_request(data, size, MSG_ROLE_SUPERVISOR);
	try_pipe(data, size);
	return 0;
}
