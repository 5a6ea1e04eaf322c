/* Capture files as a whole: any bytes, read as `weirctl read` does, pcap, pcapng or
 * compressed as libpcap and zlib take them. What comes out is flows and books that agree
 * with one another and with what the source handed over, and with a second reading. */
#include <pcap/pcap.h>

#include "proto/flow_map.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "tests/fuzz/input.h"
#include "worker/fuzz_memory.h"
#include "worker/read.h"
#include "worker/source.h"

#define FLOW_LIMIT 4 /* so that overflow is reached by small files */

/* A file in memory with these bytes, to be read from its front. */
static int
file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	fuzz_check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	fuzz_check(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/*
 * What the source alone hands over.
 */

static void
take(void *arg, const struct packet *packet)
{
	struct counter *sum = arg;

	/* All of it can be read, and no more is. */
	for (uint32_t i = 0; i < packet->caplen; i++)
		(void)((const volatile uint8_t *)packet->data)[i];
	sum->packets++;
	sum->bytes += packet->wire_len;
}

static struct counter
count_source(const uint8_t *data, size_t size, bool *whole)
{
	int rc, fd = file_of(data, size);
	const struct source_options options = {.fd = fd};
	struct source_fault fault = {.reason = SOURCE_OK};
	struct counter sum = {0, 0};
	struct source *source;

	fuzz_check(source_file.open(&source, &options, &fault) == 0);
	rc = source_file.activate(source, &fault);
	while (rc >= 0)
		rc = source_file.dispatch(source, 100, take, &sum, &fault);
	*whole = fault.reason == SOURCE_OK;
	fuzz_check(*whole == (fault.text[0] == '\0'));
	fuzz_check(memchr(fault.text, '\0', sizeof(fault.text)) != NULL);
	source_file.close(source);
	close(fd);
	return sum;
}

/*
 * What file mode writes.
 */

struct outcome {
	struct interval interval;
	struct counter in_flows;
	struct counter overflow;
	uint64_t flows;
	char error[MSG_TEXT_MAX + 1];
};

static int
add(void *arg, const struct flow_record *flow)
{
	struct outcome *out = arg;
	struct counter total = flow_total(flow);

	counter_add(&out->in_flows, &total);
	if (flow->family == FAMILY_NONE)
		counter_add(&out->overflow, &total);
	out->flows++;
	fuzz_check(flow->first_ns <= flow->last_ns);
	return 0;
}

static void
take_map(const struct msg *msg, struct outcome *out)
{
	uint64_t flows, before = out->flows;
	const void *chunk;
	size_t len;

	fuzz_check(view_bin(msg->body, "chunk", &chunk, &len) == 0);
	fuzz_check(view_u64(msg->body, "flows", UINT64_MAX, &flows) == 0);
	fuzz_check(len <= MSG_CHUNK_MAX && flow_map_each(chunk, len, add, out) == 0);
	fuzz_check(out->flows - before == flows);
}

static void
read_file(const uint8_t *data, size_t size, bool books_only, struct outcome *out)
{
	struct read_options options = {.input = file_of(data, size),
	    .output = file_of(NULL, 0),
	    .books_only = books_only,
	    .flow_limit = FLOW_LIMIT};
	bool done = false;
	struct msg msg;
	void *frame;
	size_t len;

	memset(out, 0, sizeof(*out));
	fuzz_check(read_run(&options) == 0);
	fuzz_check(lseek(options.output, 0, SEEK_SET) == 0);
	while (frame_read(options.output, &frame, &len) == 0) {
		fuzz_check(!done && msg_parse(&msg, frame, len) == 0);
		if (msg.type == MSG_MAP) {
			take_map(&msg, out);
		} else {
			char link_type[64];

			fuzz_check(msg.type == MSG_BOOKS);
			fuzz_check(
			    view_interval(msg.body, "interval", &out->interval) == 0);
			fuzz_check(view_str(msg.body, "error", out->error,
				       sizeof(out->error)) == 0);
			fuzz_check(view_str(msg.body, "link_type", link_type,
				       sizeof(link_type)) == 0);
			done = true;
		}
		msg_fini(&msg);
		free(frame);
	}
	fuzz_check(done);
	close(options.input);
	close(options.output);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome first, second;
	struct counter handed_over;
	const struct books *books = &first.interval.books;
	bool whole;

	handed_over = count_source(data, size, &whole);
	read_file(data, size, false, &first);
	fuzz_check(books_close(books));
	fuzz_check(counter_equal(&books->received, &handed_over));
	fuzz_check(counter_equal(&books->in_flows, &first.in_flows));
	fuzz_check(counter_equal(&books->overflow, &first.overflow));
	fuzz_check(first.flows == first.interval.flows);
	fuzz_check(first.interval.end_ms >= first.interval.begin_ms);
	fuzz_check(whole == (first.error[0] == '\0'));

	read_file(data, size, true, &second);
	fuzz_check(second.flows == 0 && second.interval.flows == first.flows);
	fuzz_check(memcmp(&second.interval.books, books, sizeof(*books)) == 0);
	fuzz_check(strcmp(first.error, second.error) == 0);
	return 0;
}
