/* Record files that somebody has damaged, case by case. Whoever takes one over says that it
 * is damaged (the supervisor then sets it aside and counts anew), or goes on with books that
 * close: it counts, rotates, hands over and is taken over again. It never crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/flow_map.h"
#include "worker/meter.h"
#include "worker/records.h"
#include "worker/test_frame.h"
#include "worker/test_meter.h"

#define FLOWS 24 /* packets, each a flow of its own, in each generation */
#define IMAGE_KEPT (RECORDS_OVERFLOW + FLOWS)
#include "worker/test_image.h"

/* Four of them have no room and count as overflow, some are refused. */
static void
count_packets(struct meter *meter, unsigned first, unsigned count)
{
	struct frame f;

	for (unsigned i = first; i < first + count; i++) {
		struct packet p =
		    frame_udp4(&f, "10.0.0.1", 1000 + i, "10.0.0.2", 53, 1000 + i);

		p.observed = i & 1 ? SENT : RECEIVED;
		if (i % 9 == 8)
			f.data[12] = 0x99;
		meter_packet(meter, &p);
	}
	meter_flush(meter);
}

static int
image_load(void **state)
{
	static struct image image;
	int fd = memfd_create("records", MFD_CLOEXEC);
	struct meter_options options = meter_options_for(fd, 99, 20);
	struct interval interval;
	struct meter *meter;

	if (meter_open(&meter, &options) != 0)
		return -1;
	count_packets(meter, 0, FLOWS);
	if (meter_rotate(meter, 1, 5000, &interval) != 0)
		return -1;
	count_packets(meter, 0, FLOWS);
	meter_free(meter);
	if (!image_read(&image, fd))
		return -1;
	close(fd);
	*state = &image;
	return 0;
}

static int
image_file(const struct image *image)
{
	int fd = memfd_create("records", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(image_write(image, fd));
	return fd;
}

static int
add_flow(void *ctx, const struct flow_record *flow)
{
	struct counter total = flow_total(flow);

	counter_add(ctx, &total);
	return 0;
}

/* What is frozen can be handed over, and agrees with its books. */
static void
hand_over(struct meter *meter)
{
	struct interval interval;
	uint64_t rotation = meter_frozen(meter, &interval);
	uint64_t cursor = 0, flows;
	struct counter sum = {0, 0};
	bool last = false;
	struct pack chunk;

	if (rotation == 0)
		return;
	assert_true(books_close(&interval.books));
	pack_init(&chunk);
	while (!last) {
		pack_clear(&chunk);
		assert_int_equal(meter_fetch(meter, rotation, cursor, &chunk, &cursor,
				     &last, &flows),
		    0);
		assert_int_equal(
		    flow_map_each(chunk.buffer.data, chunk.buffer.size, add_flow, &sum),
		    0);
	}
	pack_fini(&chunk);
	assert_true(counter_equal(&sum, &interval.books.in_flows));
	assert_int_equal(meter_release(meter, rotation), 0);
}

/* 0 when it was taken over, -EBADMSG when it was refused; anything else is wrong. */
static int
take_over(int fd)
{
	struct meter_options options = meter_options_for(fd, 99, 20);
	struct interval before, after;
	struct meter *meter;
	uint64_t seq;
	int rc = meter_open(&meter, &options);

	assert_true(rc == 0 || rc == -EBADMSG);
	if (rc != 0)
		return rc;
	meter_interval(meter, &before);
	assert_true(books_close(&before.books));
	hand_over(meter);
	count_packets(meter, 100, 10);
	meter_interval(meter, &after);
	assert_true(books_close(&after.books));
	assert_int_equal(
	    after.books.received.packets, before.books.received.packets + 10);
	seq = meter_last_command(meter).seq + 1;
	assert_int_equal(meter_rotate(meter, seq, 9000, &before), 0);
	assert_memory_equal(&before.books, &after.books, sizeof(after.books));
	hand_over(meter);
	meter_free(meter);
	/* And by the next one. */
	assert_int_equal(meter_open(&meter, &options), 0);
	meter_interval(meter, &after);
	assert_int_equal(after.books.received.packets, 0);
	meter_free(meter);
	return 0;
}

static int
take_over_image(const struct image *image)
{
	int fd = image_file(image);
	int rc = take_over(fd);

	close(fd);
	return rc;
}

static void
what_is_not_damaged_is_taken_over(void **state)
{
	const struct image *image = *state;

	assert_int_equal(take_over_image(image), 0);
}

/* Each byte, and each range of eight, in several ways. The journal and the books, the
 * numbers of records and of rotations: all of the header is in it. */
static void
bytes_damaged(const struct image *image, struct image *copy, uint8_t *at, size_t size,
    unsigned *refused)
{
	static const uint8_t flips[] = {0xff, 0x80, 0x01};
	static const uint8_t values[] = {0x00, 0x7f, 0xff};

	for (size_t i = 0; i < size; i++) {
		for (size_t k = 0; k < sizeof(flips); k++) {
			at[i] ^= flips[k];
			*refused += take_over_image(copy) != 0;
			at[i] ^= flips[k];
		}
	}
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint8_t before[8];

		memcpy(before, at + i, 8);
		for (size_t k = 0; k < sizeof(values); k++) {
			memset(at + i, values[k], 8);
			*refused += take_over_image(copy) != 0;
		}
		memcpy(at + i, before, 8);
	}
	assert_memory_equal(image, copy, sizeof(*image));
}

static void
every_byte_of_the_header(void **state)
{
	struct image copy = *(const struct image *)*state;
	unsigned refused = 0;

	bytes_damaged(
	    *state, &copy, copy.header, sizeof(struct records_header), &refused);
	print_message("refused: %u\n", refused);
	assert_true(refused > 0);
}

static void
every_byte_of_the_first_records(void **state)
{
	struct image copy = *(const struct image *)*state;
	unsigned refused = 0;

	/* Of the overflow of UDP, and of flows. */
	for (unsigned g = 0; g < 2; g++) {
		bytes_damaged(*state, &copy, (uint8_t *)&copy.record[g][17],
		    sizeof(struct record), &refused);
		bytes_damaged(*state, &copy,
		    (uint8_t *)&copy.record[g][RECORDS_OVERFLOW],
		    2 * sizeof(struct record), &refused);
	}
	print_message("refused: %u\n", refused);
	assert_true(refused > 0);
}

static void
every_length(void **state)
{
	struct image copy = *(const struct image *)*state;
	off_t whole = copy.size;

	assert_int_equal(take_over_image(&copy), 0);
	for (off_t size = 1; size < whole;
	     size = size < 2 * RECORDS_HEADER_SIZE ? size + 61 : size + 1 + size / 7) {
		copy.size = size;
		assert_int_equal(take_over_image(&copy), -EBADMSG);
	}
	for (off_t less = 1; less < 4096; less += 127) {
		copy.size = whole - less;
		assert_int_equal(take_over_image(&copy), -EBADMSG);
	}
	/* More than it says is no harm. */
	copy.size = whole + 4096;
	assert_int_equal(take_over_image(&copy), 0);
}

/* What a file must say of itself: others are refused, whatever else is in them. */
static void
another_version_interface_or_layout(void **state)
{
	struct image copy = *(const struct image *)*state;
	struct records_header *header = (struct records_header *)(void *)copy.header;
	const struct records_header whole = *header;

#define REFUSED(change) \
	do { \
		change; \
		assert_int_equal(take_over_image(&copy), -EBADMSG); \
		*header = whole; \
	} while (0)
	REFUSED(header->magic ^= 1);
	REFUSED(header->version = RECORDS_VERSION + 1);
	REFUSED(header->version = RECORDS_VERSION - 1);
	REFUSED(header->header_size = 4096);
	REFUSED(header->record_size = 64);
	REFUSED(header->generation_size -= 8);
	REFUSED(header->capacity--);
	REFUSED(header->capacity = UINT64_MAX);
	REFUSED(header->file_id = 0);
	REFUSED(memcpy(header->iface, "test1", 6));
	REFUSED(memcpy(header->iface, "test", 5));
	REFUSED(memset(header->iface, 'x', sizeof(header->iface)));
	REFUSED(header->current = 2);
	REFUSED(header->command = UINT64_MAX);
	for (unsigned g = 0; g < 2; g++) {
		struct generation *generation = &header->generation[g];

		REFUSED(generation->count = 0);
		REFUSED(generation->count = RECORDS_OVERFLOW - 1);
		REFUSED(generation->count = generation->allocated + 1);
		REFUSED(generation->count = UINT64_MAX);
		REFUSED(generation->allocated = RECORDS_CAPACITY + 1);
		REFUSED(generation->allocated = UINT64_MAX / sizeof(struct record));
		REFUSED(generation->rotation = UINT64_MAX);
		REFUSED(generation->begin_ms = -1);
	}
	REFUSED(header->journal.state = 3);
	REFUSED(
	    (header->journal.state = JOURNAL_RECORD, header->journal.generation = 2));
	REFUSED((header->journal.state = JOURNAL_RECORD,
	    header->journal.index = header->generation[0].count + 100));
	REFUSED((header->journal.state = JOURNAL_REFUSED,
	    header->journal.index = REFUSED_MAX));
#undef REFUSED
	assert_int_equal(take_over_image(&copy), 0);
}

/* Another id than the one that a new file would get is the rule, not damage. */
static void
the_id_in_the_file_is_kept(void **state)
{
	struct image copy = *(const struct image *)*state;
	struct records_header *header = (struct records_header *)(void *)copy.header;
	struct meter_options options;
	struct meter *meter;
	int fd;

	header->file_id = 12345;
	fd = image_file(&copy);
	options = meter_options_for(fd, 99, 20);
	assert_int_equal(meter_open(&meter, &options), 0);
	assert_int_equal(meter_file_id(meter), 12345);
	meter_free(meter);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_damaged_is_taken_over),
	    cmocka_unit_test(every_byte_of_the_header),
	    cmocka_unit_test(every_byte_of_the_first_records),
	    cmocka_unit_test(every_length),
	    cmocka_unit_test(another_version_interface_or_layout),
	    cmocka_unit_test(the_id_in_the_file_is_kept),
	};

	return cmocka_run_group_tests(tests, image_load, NULL);
}
