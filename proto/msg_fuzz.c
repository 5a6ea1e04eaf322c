/* What comes over a socket: a message, a chunk of flow records, a set of entries. The
 * answer to any message must itself be one that can be read, and entries that were
 * accepted are the same after they have been sent on. */
#include <stdlib.h>
#include <string.h>

#include "proto/entries.h"
#include "proto/flow_map.h"
#include "proto/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
see(void *arg, const struct flow_record *flow)
{
	struct counter *sum = arg;
	struct counter total = flow_total(flow);

	counter_add(sum, &total);
	return 0;
}

static void
send_entries_on(const msgpack_object *body)
{
	struct config_iface *first, *second;
	size_t first_count, second_count;
	char why[ENTRIES_WHY_SIZE];
	struct pack pack;
	struct msg msg;

	if (view_entries(body, "entries", &first, &first_count, why) != 0)
		return;
	pack_init(&pack);
	pack_request(&pack, MSG_UPDATE);
	pack_key_entries(&pack, "entries", first, first_count);
	if (pack_finish(&pack) != 0 ||
	    msg_parse(&msg, pack.buffer.data, pack.buffer.size) != 0)
		abort();
	if (view_entries(msg.body, "entries", &second, &second_count, why) != 0 ||
	    second_count != first_count ||
	    memcmp(second, first, first_count * sizeof(*first)) != 0)
		abort();
	msg_fini(&msg);
	pack_fini(&pack);
	free(first);
	free(second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static serve_handler *const table[MSG_TYPE_MAX];
	struct counter sum = {0, 0};
	struct pack answer;
	struct msg msg;

	(void)flow_map_each(data, size, see, &sum);
	if (msg_parse(&msg, data, size) == 0) {
		send_entries_on(msg.body);
		msg_fini(&msg);
	}
	pack_init(&answer);
	serve_request(data, size, MSG_ROLE_WORKER, table, NULL, &answer);
	if (msg_parse(&msg, answer.buffer.data, answer.buffer.size) != 0)
		abort();
	msg_fini(&msg);
	pack_fini(&answer);
	return 0;
}
