/* Adoption of a record file that somebody has damaged, header, records, journal and length:
 * it is refused, or taken over with sums that agree with its flows, in a form that the
 * supervisor can read and the store will take. What has been adopted goes on counting, can
 * be rotated and handed over, and be adopted again. */
#include <errno.h>

#include "proto/flow_map.h"
#include "proto/parts.h"
#include "tests/fuzz/input.h"
#include "worker/fuzz_memory.h"
#include "worker/meter.h"
#include "worker/records.h"
#include "worker/test_frame.h"

#define IMAGE_KEPT (RECORDS_OVERFLOW + 8)
#include "worker/test_image.h"

#define FLOW_LIMIT 6

static struct meter_options
options_for(int fd)
{
	return (struct meter_options){.fd = fd,
	    .iface = "fuzz",
	    .file_id = 1,
	    .begin_ms = 1000,
	    .flow_limit = FLOW_LIMIT};
}

/*
 * A whole file: one generation frozen, one running, both with flows, overflow and refusals.
 */

static void
count_some(struct meter *meter, unsigned packets)
{
	struct packet packet;
	struct frame frame;

	for (unsigned i = 0; i < packets; i++) {
		if (i % 2 == 0)
			packet =
			    frame_udp4(&frame, "10.0.0.1", 1000 + i, "10.0.0.2", 53, i);
		else
			packet = frame_tcp4(
			    &frame, "10.0.0.1", 1000 + i, "10.0.0.2", 443, 2, i);
		packet.observed = i % 3 == 0 ? SENT : RECEIVED;
		if (i % 5 == 4)
			frame.data[12] = 0x99; /* refused */
		meter_packet(meter, &packet);
	}
	meter_flush(meter);
}

static void
image_make(struct image *image)
{
	int fd = memfd_create("records", MFD_CLOEXEC);
	struct meter_options options = options_for(fd);
	struct interval interval;
	struct meter *meter;

	fuzz_check(fd >= 0 && meter_open(&meter, &options) == 0);
	count_some(meter, 16);
	fuzz_check(meter_rotate(meter, 1, 5000, &interval) == 0);
	count_some(meter, 13);
	meter_free(meter);
	fuzz_check(image_read(image, fd));
	close(fd);
}

/*
 * Damage.
 */

static void
damage_journal(struct records_header *header, struct input *in)
{
	struct journal *journal = &header->journal;
	struct input state;

	journal->state = input_u8(in) & 3;
	journal->generation = input_u8(in) % 3;
	journal->index = input_u16(in);
	journal->observed = input_u8(in) % 3;
	journal->sender = input_u8(in) % 3;
	journal->count.packets = input_u16(in);
	journal->count.bytes = input_u64(in);
	state = input_bytes(in, sizeof(journal->record));
	memcpy(&journal->record, state.at, input_left(&state));
}

static void
damage_size(off_t *size, struct input *in)
{
	unsigned kind = input_u8(in) & 3;
	uint16_t number = input_u16(in);

	switch (kind) {
	case 0:
		*size = number;
		break;
	case 1:
		*size = record_offset(0, number);
		break;
	case 2:
		*size = record_offset(1, number) - (number & 127);
		break;
	default:
		*size += number;
		break;
	}
}

/* A flow record, or an overflow record, of UDP in half of the cases. */
static uint8_t *
take_record(struct image *image, struct input *in)
{
	unsigned g = input_u8(in), number = input_u8(in);

	if (number < 16)
		number = RECORDS_OVERFLOW + number % (IMAGE_KEPT - RECORDS_OVERFLOW);
	else if (number >= 128)
		number = 17;
	return (uint8_t *)&image->record[g & 1][number];
}

static void
damage(struct image *image, struct input *in)
{
	struct records_header *header = (struct records_header *)(void *)image->header;
	uint8_t *record;
	uint64_t number;
	size_t at;

	switch (input_u8(in) % 8) {
	case 0: /* a byte of the header */
		at = input_u16(in) % sizeof(*header);
		image->header[at] = input_u8(in);
		break;
	case 1: /* a number in it */
		at = input_u8(in) % (sizeof(*header) / 8) * 8;
		number = input_u64(in);
		memcpy(image->header + at, &number, sizeof(number));
		break;
	case 2: /* a number in a record */
		record = take_record(image, in);
		at = input_u8(in) % (sizeof(struct record) / 8) * 8;
		number = input_u64(in);
		memcpy(record + at, &number, sizeof(number));
		break;
	case 3: /* a byte in a record */
		record = take_record(image, in);
		at = input_u8(in) % sizeof(struct record);
		record[at] = input_u8(in);
		break;
	case 4: /* a record twice */
		record = take_record(image, in);
		memcpy(record, take_record(image, in), sizeof(struct record));
		break;
	case 5:
		damage_journal(header, in);
		break;
	case 6:
		damage_size(&image->size, in);
		break;
	default: /* a number of a generation */
		record = (uint8_t *)&header->generation[input_u8(in) & 1];
		at = input_u8(in) % (sizeof(struct generation) / 8) * 8;
		number = input_u64(in);
		memcpy(record + at, &number, sizeof(number));
		break;
	}
}

/*
 * What must hold of what was adopted.
 */

struct sum {
	struct counter in_flows;
	struct counter overflow;
	uint64_t flows;
};

static int
add(void *arg, const struct flow_record *flow)
{
	struct sum *sum = arg;
	struct counter total = flow_total(flow);

	counter_add(&sum->in_flows, &total);
	if (flow->family == FAMILY_NONE)
		counter_add(&sum->overflow, &total);
	sum->flows++;
	return 0;
}

/* That what goes to the supervisor is an interval for it, and none that the store must
 * refuse: that one would be handed over for ever. */
static void
check_interval(const struct interval *interval, const struct sum *sum)
{
	const struct books *books = &interval->books;
	struct interval seen;
	struct pack pack;
	struct msg msg;

	fuzz_check(books_close(books));
	fuzz_check(counter_equal(&sum->in_flows, &books->in_flows));
	fuzz_check(counter_equal(&sum->overflow, &books->overflow));
	fuzz_check(sum->flows == interval->flows);
	fuzz_check(books->received.packets <= INT64_MAX);
	fuzz_check(books->received.bytes <= INT64_MAX);
	fuzz_check(books->in_flows.packets <= books->received.packets);
	fuzz_check(books->in_flows.bytes <= books->received.bytes);
	fuzz_check(interval->kernel.received <= INT64_MAX);
	fuzz_check(interval->kernel.dropped <= INT64_MAX);

	pack_init(&pack);
	pack_request(&pack, MSG_STATUS);
	pack_key_interval(&pack, "interval", interval);
	fuzz_check(pack_finish(&pack) == 0);
	fuzz_check(msg_parse(&msg, pack.buffer.data, pack.buffer.size) == 0);
	fuzz_check(view_interval(msg.body, "interval", &seen) == 0);
	msg_fini(&msg);
	pack_fini(&pack);
}

static void
check_running(struct meter *meter, struct interval *out)
{
	uint64_t cursor = 0, end = meter_look_end(meter);
	struct flow_record flows[16];
	struct sum sum = {.flows = 0};

	meter_interval(meter, out);
	while (cursor < end) {
		size_t n = meter_look(meter, &cursor, end, flows, 16);

		for (size_t i = 0; i < n; i++)
			add(&sum, &flows[i]);
	}
	check_interval(out, &sum);
}

static void
check_frozen(struct meter *meter)
{
	struct interval interval;
	uint64_t rotation = meter_frozen(meter, &interval);
	uint64_t cursor = 0, flows;
	struct sum sum = {.flows = 0};
	struct pack chunk;
	bool last = false;

	if (rotation == 0)
		return;
	fuzz_check(rotation <= meter_last_command(meter).seq);
	fuzz_check(interval.end_ms >= interval.begin_ms);
	pack_init(&chunk);
	while (!last) {
		pack_clear(&chunk);
		fuzz_check(meter_fetch(meter, rotation, cursor, &chunk, &cursor, &last,
			       &flows) == 0);
		fuzz_check(!chunk.failed);
		fuzz_check(flow_map_each(
			       chunk.buffer.data, chunk.buffer.size, add, &sum) == 0);
	}
	pack_fini(&chunk);
	check_interval(&interval, &sum);
}

static void
go_on(struct meter *meter)
{
	struct interval before, after, rotated;
	uint64_t seq = meter_last_command(meter).seq;
	int rc;

	check_running(meter, &before);
	check_frozen(meter);
	count_some(meter, 10);
	check_running(meter, &after);
	fuzz_check(after.books.received.packets == before.books.received.packets + 10);
	rc = meter_rotate(meter, seq + 1, 6000, &rotated);
	if (rc == -EBUSY) {
		fuzz_check(meter_release(meter, meter_frozen(meter, &rotated)) == 0);
		rc = meter_rotate(meter, seq + 1, 6000, &rotated);
	}
	fuzz_check(rc == 0 && meter_last_command(meter).seq == seq + 1);
	fuzz_check(memcmp(&rotated.books, &after.books, sizeof(after.books)) == 0);
	check_frozen(meter);
	count_some(meter, 5);
	check_running(meter, &after);
	fuzz_check(after.books.received.packets == 5);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image whole;
	struct image image;
	struct input in = input_of(data, size);
	struct meter_options options;
	struct meter *meter;
	int rc, fd = memfd_create("records", MFD_CLOEXEC);

	fuzz_check(fd >= 0);
	if (whole.size == 0)
		image_make(&whole);
	image = whole;
	while (input_left(&in) > 0)
		damage(&image, &in);
	fuzz_check(image_write(&image, fd));

	options = options_for(fd);
	rc = meter_open(&meter, &options);
	fuzz_check(rc == 0 || rc == -EBADMSG);
	if (rc == 0) {
		struct interval interval;

		go_on(meter);
		meter_free(meter);
		/* Dies here; the next one finds the same. */
		fuzz_check(meter_open(&meter, &options) == 0);
		check_running(meter, &interval);
		fuzz_check(interval.books.received.packets == 5);
		check_frozen(meter);
		meter_free(meter);
	}
	close(fd);
	return 0;
}
