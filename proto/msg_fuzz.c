/* What comes over a socket: a message, and a chunk of flow records. The answer to any
 * message must itself be one that can be read. */
#include <stdlib.h>

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static serve_handler *const table[MSG_TYPE_MAX];
	struct counter sum = {0, 0};
	struct pack answer;
	struct msg msg;

	(void)flow_map_each(data, size, see, &sum);
	pack_init(&answer);
	serve_request(data, size, MSG_ROLE_WORKER, table, NULL, &answer);
	if (msg_parse(&msg, answer.buffer.data, answer.buffer.size) != 0)
		abort();
	msg_fini(&msg);
	pack_fini(&answer);
	return 0;
}
