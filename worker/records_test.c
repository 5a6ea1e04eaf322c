#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "worker/meter.h"
#include "worker/records.h"
#include "worker/test_frame.h"
#include "worker/test_meter.h"

/* What the child tells about its progress, outside the record file. */
struct progress {
	volatile uint64_t packets; /* counted by now, the one in work not included */
	volatile uint64_t bytes;
	volatile uint64_t rotations;
};

/* Counts for ever: 3,000 flows of one kind, overflow, refusals, rotations. One packet
 * at a time, so that the parent knows to one packet what was counted. */
static void
count_for_ever(int fd, struct progress *progress, unsigned salt)
{
	struct meter_options options = meter_options_for(fd, 99, 5000);
	struct interval iv;
	struct meter *meter;
	struct frame f;
	char src[16];

	if (meter_open(&meter, &options) != 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		unsigned k = (i * 7919 + salt) % 6000;
		struct packet p;
		snprintf(src, sizeof(src), "10.0.%u.%u", k >> 8, k & 255);
		p = frame_udp4(&f, src, 1000 + (i & 3), "10.0.0.2", 53, i);
		p.wire_len = 60 + (i & 1023);
		p.observed = i & 1 ? SENT : RECEIVED;
		if (i % 5 == 0)
			f.data[12] = 0x99; /* refused */
		meter_packet(meter, &p);
		meter_flush(meter);
		progress->bytes += p.wire_len;
		progress->packets++;
		if (i % 20000 == 19999) {
			uint64_t seq = meter_last_command(meter).seq + 1;
			if (meter_rotate(meter, seq, (int64_t)seq * 1000, &iv) == 0) {
				meter_release(meter, seq);
				progress->rotations++;
			}
		}
	}
}

static void
sum_of_records(const struct records *records, unsigned g, struct counter *sum)
{
	*sum = (struct counter){0, 0};
	for (uint64_t i = 0; i < records->header->generation[g].count; i++) {
		for (int k = 0; k < 4; k++)
			counter_add(sum, &records->record[g][i].count[k / 2][k % 2]);
	}
}

static void
a_killed_worker_loses_at_most_one_packet_and_halves_none(void **state)
{
	struct progress *progress = mmap(NULL, sizeof(*progress),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("records", MFD_CLOEXEC);
	unsigned repaired = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_true(progress != MAP_FAILED);
	srand(7);
	for (int round = 0; round < 200; round++) {
		struct counter before, sum;
		struct records records;
		struct generation *current;
		bool fresh, fixed;
		pid_t pid;

		/* What the file holds when the child begins. */
		before = (struct counter){0, 0};
		if (round > 0) {
			assert_int_equal(
			    records_open(&records, fd, "test0", 99, 1000, &fresh), 0);
			assert_false(fresh);
			before = records.header->generation[records.header->current]
				     .books.received;
			records_close(&records);
		}
		memset(progress, 0, sizeof(*progress));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			count_for_ever(fd, progress, (unsigned)round * 31);
		while (progress->packets < 100)
			sched_yield();
		usleep((useconds_t)(rand() % 3000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);

		assert_int_equal(
		    records_open(&records, fd, "test0", 99, 1000, &fresh), 0);
		assert_false(fresh);
		assert_int_equal(records_adopt(&records, &fixed), 0);
		repaired += fixed;
		current = &records.header->generation[records.header->current];
		assert_true(books_close(&current->books));
		sum_of_records(&records, records.header->current, &sum);
		assert_true(counter_equal(&sum, &current->books.in_flows));
		if (progress->rotations == 0) {
			/* Between the count and the note of it one packet may stand. */
			uint64_t packets =
			    current->books.received.packets - before.packets;
			uint64_t bytes = current->books.received.bytes - before.bytes;
			assert_in_range(
			    packets, progress->packets, progress->packets + 1);
			assert_in_range(
			    bytes, progress->bytes, progress->bytes + 60 + 1023);
			if (packets == progress->packets)
				assert_int_equal(bytes, progress->bytes);
		}
		assert_int_equal(records.header->journal.state, JOURNAL_EMPTY);
		records_close(&records);
	}
	print_message("repaired after %u of 200 kills\n", repaired);
	munmap(progress, sizeof(*progress));
	close(fd);
}

static int
small_file(void)
{
	int fd = memfd_create("records", MFD_CLOEXEC);
	struct meter_options options = meter_options_for(fd, 99, 5000);
	struct interval iv;
	struct meter *meter;
	struct frame f;

	assert_int_equal(meter_open(&meter, &options), 0);
	for (unsigned i = 0; i < 50; i++) {
		struct packet p =
		    frame_udp4(&f, "10.0.0.1", 1000 + i, "10.0.0.2", 53, 1000 + i);
		meter_packet(meter, &p);
		if (i == 24) {
			meter_flush(meter);
			assert_int_equal(meter_rotate(meter, 1, 5000, &iv), 0);
		}
	}
	meter_flush(meter);
	meter_free(meter);
	return fd;
}

/* Every byte of the header and of the first records, three kinds of damage: adoption
 * says so or gives books that close, and never crashes. */
static void
a_damaged_file_is_refused_or_consistent(void **state)
{
	static const uint8_t damage[] = {0xff, 0x80, 0x01};
	int fd = small_file();
	uint8_t byte;

	(void)state;
	for (off_t at = 0; at < RECORDS_HEADER_SIZE; at++) {
		if (at > (off_t)sizeof(struct records_header) && at % 64)
			continue;
		for (size_t k = 0; k < sizeof(damage); k++) {
			int copy = small_file();
			struct meter_options options =
			    meter_options_for(copy, 99, 5000);
			struct interval iv;
			struct meter *meter = NULL;
			int rc;
			assert_int_equal(pread(copy, &byte, 1, at), 1);
			byte ^= damage[k];
			assert_int_equal(pwrite(copy, &byte, 1, at), 1);
			rc = meter_open(&meter, &options);
			assert_true(rc == 0 || rc == -EBADMSG);
			if (rc == 0) {
				meter_interval(meter, &iv);
				assert_true(books_close(&iv.books));
				meter_free(meter);
			}
			close(copy);
		}
	}
	close(fd);
}

static void
a_file_of_another_interface_or_length_is_refused(void **state)
{
	int fd = small_file();
	struct meter_options options = meter_options_for(fd, 99, 5000);
	struct meter *meter;

	(void)state;
	options.iface = "test1";
	assert_int_equal(meter_open(&meter, &options), -EBADMSG);
	options.iface = "test0";
	assert_int_equal(ftruncate(fd, 20000), 0);
	assert_int_equal(meter_open(&meter, &options), -EBADMSG);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(meter_open(&meter, &options), -EBADMSG);
	close(fd);
}

/* What no worker writes and nobody would take from it, one change at a time: a supervisor
 * could not read such an interval, or the store would refuse it for ever. */
static void
spoil(struct records *records, unsigned what)
{
	struct records_header *header = records->header;
	struct generation *frozen = &header->generation[!header->current];
	struct record *overflow = &records->record[!header->current][17];
	struct record *flow = &records->record[!header->current][RECORDS_OVERFLOW];

	switch (what) {
	case 0: /* an overflow record without packets is not handed over */
		overflow->count[SENT][ENDPOINT_A].bytes = 1;
		break;
	case 1:
		flow->count[SENT][ENDPOINT_B].bytes = 1;
		break;
	case 2:
		flow->count[RECEIVED][ENDPOINT_A].packets = RECORDS_COUNT_MAX + 1;
		break;
	case 3: /* only the sum is too large */
		flow[0].count[RECEIVED][ENDPOINT_A].bytes = RECORDS_COUNT_MAX / 2 + 1;
		flow[1].count[RECEIVED][ENDPOINT_A].bytes = RECORDS_COUNT_MAX / 2;
		break;
	case 4: /* and here it would have wrapped around */
		for (int i = 0; i < 4; i++)
			flow[i].count[RECEIVED][ENDPOINT_A].bytes = RECORDS_COUNT_MAX;
		break;
	case 5:
		frozen->books.refused[REFUSED_TRUNCATED].packets = RECORDS_COUNT_MAX;
		break;
	case 6:
		frozen->books.refused[REFUSED_NOT_IP] = (struct counter){0, 60};
		break;
	case 7:
		frozen->kernel_received = RECORDS_COUNT_MAX + 1;
		break;
	case 8:
		frozen->end_ms = frozen->begin_ms - 1;
		break;
	case 9:
		frozen->end_ms = RECORDS_LABEL_MAX_MS + 1;
		break;
	case 10:
		frozen->clock_step_ms = -RECORDS_LABEL_MAX_MS - 1;
		break;
	case 11: /* numbers are kept in 48 bits */
		frozen->rotation = RECORDS_SEQ_MAX + 1;
		break;
	case 12:
		header->command = (RECORDS_SEQ_MAX + 1) << 16;
		break;
	}
}
#define SPOILED 13

static void
records_that_could_never_be_handed_over_are_refused(void **state)
{
	(void)state;
	for (unsigned what = 0; what <= SPOILED; what++) {
		int fd = small_file();
		struct meter_options options = meter_options_for(fd, 99, 5000);
		struct records records;
		struct meter *meter = NULL;
		bool fresh;
		int rc;

		assert_int_equal(
		    records_open(&records, fd, "test0", 99, 1000, &fresh), 0);
		spoil(&records, what);
		records_close(&records);
		rc = meter_open(&meter, &options);
		/* The last one is not spoiled. */
		if (rc != (what == SPOILED ? 0 : -EBADMSG))
			fail_msg("case %u: %d", what, rc);
		if (rc == 0)
			meter_free(meter);
		close(fd);
	}
}

/* An interval that begins at the last label there is, and a clock that was set back. */
static void
what_is_rotated_at_the_last_label_can_be_adopted(void **state)
{
	int fd = small_file();
	struct meter_options options = meter_options_for(fd, 99, 5000);
	struct records records;
	struct meter *meter;
	struct interval iv;
	bool fresh;

	(void)state;
	assert_int_equal(records_open(&records, fd, "test0", 99, 1000, &fresh), 0);
	records.header->generation[records.header->current].begin_ms =
	    RECORDS_LABEL_MAX_MS;
	records.header->generation[records.header->current].begin_mono_ns = 0;
	records_close(&records);
	assert_int_equal(meter_open(&meter, &options), 0);
	assert_int_equal(meter_release(meter, 1), 0);
	assert_int_equal(meter_rotate(meter, 2, 0, &iv), 0);
	assert_int_equal(iv.begin_ms, RECORDS_LABEL_MAX_MS);
	assert_int_equal(iv.end_ms, RECORDS_LABEL_MAX_MS);
	assert_int_equal(iv.clock_step_ms, -RECORDS_LABEL_MAX_MS);
	meter_free(meter);
	assert_int_equal(meter_open(&meter, &options), 0);
	assert_int_equal(meter_frozen(meter, &iv), 2);
	assert_int_equal(iv.end_ms, RECORDS_LABEL_MAX_MS);
	meter_free(meter);
	close(fd);
}

static void
a_rotation_cut_off_is_taken_back_or_completed(void **state)
{
	int fd = small_file();
	struct meter_options options = meter_options_for(fd, 99, 5000);
	struct records records;
	struct meter *meter;
	struct interval iv;
	bool fresh;

	(void)state;
	/* Marked, but the change-over is missing. */
	assert_int_equal(records_open(&records, fd, "test0", 99, 1000, &fresh), 0);
	records.header->generation[records.header->current].rotation = 2;
	records_close(&records);
	assert_int_equal(meter_open(&meter, &options), 0);
	assert_int_equal(meter_last_command(meter).seq, 1);
	assert_int_equal(meter_frozen(meter, &iv), 1);
	assert_int_equal(meter_release(meter, 1), 0);
	meter_free(meter);

	/* Changed over, but not noted as the last command. */
	assert_int_equal(records_open(&records, fd, "test0", 99, 1000, &fresh), 0);
	records.header->command = 0;
	records_close(&records);
	assert_int_equal(meter_open(&meter, &options), 0);
	assert_int_equal(meter_last_command(meter).seq, 1);
	assert_int_equal(meter_last_command(meter).type, MSG_ROTATE);
	meter_free(meter);
	close(fd);
}

/* A tmpfs of 4 MiB in a mount namespace of our own: when it is full, flows go to
 * overflow, and no byte and no process is lost. */
static void
a_full_file_system_means_overflow(void **state)
{
	char dir[] = "/tmp/weir-records-XXXXXX";
	char path[64];
	struct meter_options options;
	struct interval iv;
	struct meter *meter;
	struct frame f;
	char src[16];
	int fd;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to mount a small tmpfs\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=4m"), 0);
	snprintf(path, sizeof(path), "%s/records", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	options = meter_options_for(fd, 99, 5000);
	options.flow_limit = 1000000;
	assert_int_equal(meter_open(&meter, &options), 0);
	for (unsigned i = 0; i < 60000; i++) {
		struct packet p;
		snprintf(
		    src, sizeof(src), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		p = frame_udp4(&f, src, 1000, "10.0.0.2", 53, i);
		meter_packet(meter, &p);
	}
	meter_flush(meter);
	meter_interval(meter, &iv);
	assert_int_equal(iv.books.received.packets, 60000);
	assert_true(books_close(&iv.books));
	assert_in_range(iv.books.overflow.packets, 20000, 59000);
	meter_free(meter);
	close(fd);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_killed_worker_loses_at_most_one_packet_and_halves_none),
	    cmocka_unit_test(a_damaged_file_is_refused_or_consistent),
	    cmocka_unit_test(a_file_of_another_interface_or_length_is_refused),
	    cmocka_unit_test(records_that_could_never_be_handed_over_are_refused),
	    cmocka_unit_test(what_is_rotated_at_the_last_label_can_be_adopted),
	    cmocka_unit_test(a_rotation_cut_off_is_taken_back_or_completed),
	    cmocka_unit_test(a_full_file_system_means_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
