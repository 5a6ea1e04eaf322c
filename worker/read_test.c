#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "proto/flow_map.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "worker/read.h"
#include "worker/test_frame.h"

/* What came out of one reading. */
struct result {
	size_t maps;
	uint64_t flows;
	struct counter total; /* of all flows */
	int64_t first_ns; /* of the first flow */
	struct interval interval;
	char link_type[32];
	char error[256];
	bool books_last;
};

static int
add_flow(void *arg, const struct flow_record *flow)
{
	struct result *result = arg;
	struct counter total = flow_total(flow);

	if (result->flows++ == 0)
		result->first_ns = flow->first_ns;
	counter_add(&result->total, &total);
	return 0;
}

static void
take_frame(struct result *result, const struct msg *msg)
{
	const void *chunk;
	uint64_t flows;
	size_t len;

	assert_false(result->books_last);
	if (msg->type == MSG_MAP) {
		const uint64_t before = result->flows;

		assert_int_equal(view_bin(msg->body, "chunk", &chunk, &len), 0);
		assert_int_equal(view_u64(msg->body, "flows", UINT64_MAX, &flows), 0);
		assert_int_equal(flow_map_each(chunk, len, add_flow, result), 0);
		assert_int_equal(result->flows - before, flows);
		result->maps++;
		return;
	}
	assert_int_equal(msg->type, MSG_BOOKS);
	assert_int_equal(view_interval(msg->body, "interval", &result->interval), 0);
	assert_int_equal(view_str(msg->body, "link_type", result->link_type,
			     sizeof(result->link_type)),
	    0);
	assert_int_equal(
	    view_str(msg->body, "error", result->error, sizeof(result->error)), 0);
	result->books_last = true;
}

/* Reads `input` and closes it. */
static void
read_file(int input, bool books_only, uint64_t flow_limit, struct result *result)
{
	const struct read_options options = {.input = input,
	    .output = memfd_create("frames", MFD_CLOEXEC),
	    .books_only = books_only,
	    .flow_limit = flow_limit};
	void *data;
	size_t len;

	memset(result, 0, sizeof(*result));
	assert_int_equal(read_run(&options), 0);
	close(input);
	assert_int_equal(lseek(options.output, 0, SEEK_SET), 0);
	while (frame_read(options.output, &data, &len) == 0) {
		struct msg msg;

		assert_int_equal(msg_parse(&msg, data, len), 0);
		take_frame(result, &msg);
		msg_fini(&msg);
		free(data);
	}
	assert_true(result->books_last);
	assert_true(books_close(&result->interval.books));
	close(options.output);
}

static pcap_dumper_t *
new_capture(int link_type, int *fd)
{
	pcap_t *dead = pcap_open_dead_with_tstamp_precision(
	    link_type, 65535, PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *dumper;

	*fd = memfd_create("capture", MFD_CLOEXEC);
	assert_non_null(dead);
	dumper = pcap_dump_fopen(dead, fdopen(dup(*fd), "wb"));
	assert_non_null(dumper);
	pcap_close(dead);
	return dumper;
}

static void
append(pcap_dumper_t *dumper, const struct packet *packet)
{
	const struct pcap_pkthdr header = {
	    .ts = {.tv_sec = packet->ts_ns / NS_PER_S,
		.tv_usec = packet->ts_ns % NS_PER_S},
	    .caplen = packet->caplen,
	    .len = packet->wire_len,
	};

	pcap_dump((u_char *)(void *)dumper, &header, packet->data);
}

static int
rewound(pcap_dumper_t *dumper, int fd)
{
	pcap_dump_close(dumper);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* `flows` conversations of two packets each, 1 ms apart from 1000.0005 s on. */
static int
capture_of(unsigned flows)
{
	int fd;
	pcap_dumper_t *dumper = new_capture(DLT_EN10MB, &fd);
	struct frame frame;

	for (unsigned i = 0; i < 2 * flows; i++) {
		struct packet packet = frame_udp4(&frame, "10.0.0.1", 1000 + i / 2,
		    "10.0.0.2", 53, 1000 * NS_PER_S + 500000 + i * NS_PER_MS);

		append(dumper, &packet);
	}
	return rewound(dumper, fd);
}

static void
flows_and_books_come_out(void **state)
{
	struct result result;

	(void)state;
	read_file(capture_of(10), false, 1000, &result);
	assert_int_equal(result.flows, 10);
	assert_int_equal(result.interval.flows, 10);
	assert_int_equal(result.total.packets, 20);
	assert_int_equal(result.total.bytes, 20 * 42);
	assert_int_equal(result.interval.books.received.packets, 20);
	assert_int_equal(result.interval.books.in_flows.bytes, 20 * 42);
	assert_false(result.interval.kernel.known);
	assert_string_equal(result.link_type, "EN10MB");
	assert_string_equal(result.error, "");
}

static void
the_interval_reaches_from_the_first_packet_to_the_last(void **state)
{
	struct result result;

	(void)state;
	read_file(capture_of(10), false, 1000, &result);
	assert_int_equal(result.interval.begin_ms, 1000000);
	assert_int_equal(result.interval.end_ms, 1000020); /* 19.5 ms, rounded out */
	assert_int_equal(result.interval.length_ns, 20 * NS_PER_MS);
	assert_int_equal(result.first_ns, 1000 * NS_PER_S + 500000);
}

static void
books_alone_have_no_flows_beside_them(void **state)
{
	struct result result;

	(void)state;
	read_file(capture_of(10), true, 1000, &result);
	assert_int_equal(result.maps, 0);
	assert_int_equal(result.interval.flows, 10);
	assert_int_equal(result.interval.books.received.packets, 20);
}

static void
many_flows_come_in_several_parts(void **state)
{
	struct result result;

	(void)state;
	read_file(capture_of(30000), false, 100000, &result);
	assert_true(result.maps > 1);
	assert_int_equal(result.flows, 30000);
	assert_int_equal(result.total.packets, 60000);
}

static void
beyond_the_limit_packets_count_without_their_keys(void **state)
{
	struct result result;

	(void)state;
	read_file(capture_of(100), false, 16, &result);
	assert_int_equal(result.total.packets, 200);
	assert_int_equal(result.interval.books.in_flows.packets, 200);
	assert_true(result.interval.books.overflow.packets > 0);
}

static void
an_empty_capture_has_empty_books(void **state)
{
	struct result result;
	int fd;
	pcap_dumper_t *dumper = new_capture(DLT_EN10MB, &fd);

	(void)state;
	read_file(rewound(dumper, fd), false, 1000, &result);
	assert_int_equal(result.flows, 0);
	assert_int_equal(result.interval.books.received.packets, 0);
	assert_string_equal(result.link_type, "EN10MB");
	assert_string_equal(result.error, "");
}

static void
an_unknown_link_type_is_refused_packet_by_packet(void **state)
{
	struct packet packet;
	struct result result;
	struct frame frame;
	int fd;
	pcap_dumper_t *dumper = new_capture(DLT_USER3, &fd);

	(void)state;
	packet = frame_udp4(&frame, "10.0.0.1", 1, "10.0.0.2", 2, 5);
	append(dumper, &packet);
	append(dumper, &packet);
	read_file(rewound(dumper, fd), false, 1000, &result);
	assert_int_equal(result.flows, 0);
	assert_int_equal(result.interval.books.refused[REFUSED_LINK_TYPE].packets, 2);
	assert_string_equal(result.link_type, "150"); /* it has no name */
	assert_string_equal(result.error, "");
}

static void
what_is_no_capture_says_so_in_its_books(void **state)
{
	struct result result;
	int fd = memfd_create("text", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, "hello, this is some text, not packets", 37), 37);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	read_file(fd, false, 1000, &result);
	assert_int_equal(result.interval.books.received.packets, 0);
	assert_string_equal(result.link_type, "");
	assert_string_equal(result.error, "unknown file format");
}

static void
a_cut_capture_keeps_what_came_before(void **state)
{
	struct result result;
	int fd = capture_of(10);

	(void)state;
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 5), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	read_file(fd, false, 1000, &result);
	assert_int_equal(result.interval.books.received.packets, 19);
	assert_int_equal(result.total.packets, 19);
	assert_true(result.error[0] != '\0');
}

static bool
status_has(pid_t pid, const char *wanted)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		found = found || strncmp(line, wanted, strlen(wanted)) == 0;
	fclose(file);
	return found;
}

static void
the_process_reads_without_any_right(void **state)
{
	const struct timespec pause = {0, 10 * NS_PER_MS};
	int input[2], output[2], status;
	void *data;
	size_t len;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int in = fcntl(input[0], F_DUPFD, 100);
		int out = fcntl(output[1], F_DUPFD, 100);

		if (dup2(in, CHILD_FD_INPUT) < 0 || dup2(out, CHILD_FD_OUTPUT) < 0)
			_exit(99);
		execl(WEIR_TEST_WORKER, "weir-worker", "--read", (char *)NULL);
		_exit(98);
	}
	close(input[0]);
	close(output[1]);
	/* It waits for the first byte, with nothing left to give up. */
	for (int i = 0; i < 300 && !status_has(pid, "NoNewPrivs:\t1"); i++)
		(void)nanosleep(&pause, NULL);
	(void)nanosleep(&pause, NULL);
	assert_true(status_has(pid, "NoNewPrivs:\t1"));
	assert_true(status_has(pid, "CapEff:\t0000000000000000"));
	assert_true(status_has(pid, "CapPrm:\t0000000000000000"));
	if (geteuid() == 0) {
		assert_true(status_has(pid, "CapBnd:\t0000000000000000"));
		assert_true(status_has(pid, "Uid:\t65534\t65534\t65534\t65534"));
		assert_true(status_has(pid, "Gid:\t65534\t65534\t65534\t65534"));
	}
	close(input[1]);
	assert_int_equal(frame_read(output[0], &data, &len), 0);
	free(data);
	assert_int_equal(frame_read(output[0], &data, &len), -ENODATA);
	close(output[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flows_and_books_come_out),
	    cmocka_unit_test(the_interval_reaches_from_the_first_packet_to_the_last),
	    cmocka_unit_test(books_alone_have_no_flows_beside_them),
	    cmocka_unit_test(many_flows_come_in_several_parts),
	    cmocka_unit_test(beyond_the_limit_packets_count_without_their_keys),
	    cmocka_unit_test(an_empty_capture_has_empty_books),
	    cmocka_unit_test(an_unknown_link_type_is_refused_packet_by_packet),
	    cmocka_unit_test(what_is_no_capture_says_so_in_its_books),
	    cmocka_unit_test(a_cut_capture_keeps_what_came_before),
	    cmocka_unit_test(the_process_reads_without_any_right),
	};

	return cmocka_run_group_tests_name("file mode", tests, NULL, NULL);
}
