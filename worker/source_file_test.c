#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "common/fdio.h"
#include "worker/source.h"
#include "worker/test_frame.h"

#define PACKETS 40

/* A capture file in memory. */
struct bytes {
	uint8_t data[16 * 1024];
	size_t len;
};

static void
put(struct bytes *bytes, const void *data, size_t len)
{
	assert_true(bytes->len + len <= sizeof(bytes->data));
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
}

static void
put32(struct bytes *bytes, uint32_t value)
{
	put(bytes, &value, sizeof(value));
}

/* Packet i of every file: some UDP, captured 5 ns after second i, cut by 4 bytes. */
static struct packet
packet_number(struct frame *frame, uint32_t i)
{
	struct packet packet = frame_udp4(
	    frame, "10.0.0.1", 1000 + i, "10.0.0.2", 53, (int64_t)i * 1000000000 + 5);

	packet.caplen -= 4;
	return packet;
}

/* pcap with nanoseconds, in this machine's byte order. */
static void
make_pcap(struct bytes *out, uint32_t link_type)
{
	const uint16_t version[2] = {2, 4};
	struct frame frame;

	out->len = 0;
	put32(out, 0xa1b23c4d);
	put(out, version, sizeof(version));
	put32(out, 0);
	put32(out, 0);
	put32(out, 65535);
	put32(out, link_type);
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct packet packet = packet_number(&frame, i);

		put32(out, i);
		put32(out, 5);
		put32(out, packet.caplen);
		put32(out, packet.wire_len);
		put(out, packet.data, packet.caplen);
	}
}

/* The same as pcapng: section header, interface with ns, enhanced packets. */
static void
make_pcapng(struct bytes *out)
{
	static const uint8_t zero[4];
	const uint16_t version[2] = {1, 0}, link[2] = {1, 0}, resolution[2] = {9, 1};
	struct frame frame;

	out->len = 0;
	put32(out, 0x0a0d0d0a);
	put32(out, 28);
	put32(out, 0x1a2b3c4d);
	put(out, version, sizeof(version));
	put32(out, UINT32_MAX);
	put32(out, UINT32_MAX);
	put32(out, 28);
	put32(out, 1);
	put32(out, 32);
	put(out, link, sizeof(link));
	put32(out, 65535);
	put(out, resolution, sizeof(resolution));
	put(out, "\x09\0\0\0", 4);
	put32(out, 0);
	put32(out, 32);
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct packet packet = packet_number(&frame, i);
		uint32_t pad = -packet.caplen & 3;
		uint32_t size = 32 + packet.caplen + pad;

		put32(out, 6);
		put32(out, size);
		put32(out, 0);
		put32(out, (uint32_t)(packet.ts_ns >> 32));
		put32(out, (uint32_t)packet.ts_ns);
		put32(out, packet.caplen);
		put32(out, packet.wire_len);
		put(out, packet.data, packet.caplen);
		put(out, zero, pad);
		put32(out, size);
	}
}

static void
compress_file(struct bytes *bytes)
{
	static struct bytes out;
	z_stream z = {.next_in = bytes->data,
	    .avail_in = (unsigned)bytes->len,
	    .next_out = out.data,
	    .avail_out = sizeof(out.data)};

	/* 16 more than the window: with a gzip header. */
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, 0), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = z.total_out;
	deflateEnd(&z);
	*bytes = out;
}

static int
file_of_bytes(const struct bytes *bytes)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_int_equal(fdio_write_all(fd, bytes->data, bytes->len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct seen {
	uint32_t packets;
	bool as_made; /* all of them */
};

static void
compare(void *arg, const struct packet *got)
{
	struct seen *seen = arg;
	struct frame frame;
	struct packet made = packet_number(&frame, seen->packets++);

	if (got->ts_ns != made.ts_ns || got->wire_len != made.wire_len ||
	    got->caplen != made.caplen || got->observed != RECEIVED ||
	    memcmp(got->data, made.data, made.caplen) != 0)
		seen->as_made = false;
}

/* Reads everything from fd and closes it; answers how it ended. */
static int
read_all(int fd, struct seen *seen, struct source_fault *fault, int *link_type)
{
	const struct source_options options = {.fd = fd};
	struct source *source = NULL;
	int rc;

	*seen = (struct seen){0, true};
	*fault = (struct source_fault){SOURCE_OK, ""};
	assert_int_equal(source_file.open(&source, &options, fault), 0);
	rc = source_file.activate(source, fault);
	while (rc >= 0)
		rc = source_file.dispatch(source, 7, compare, seen, fault);
	if (link_type)
		*link_type = source_file.facts(source).link_type;
	source_file.close(source);
	close(fd);
	return rc;
}

static void
assert_read_as_made(const struct bytes *bytes)
{
	struct source_fault fault;
	struct seen seen;
	int link_type;

	assert_int_equal(
	    read_all(file_of_bytes(bytes), &seen, &fault, &link_type), -ENODATA);
	assert_int_equal(seen.packets, PACKETS);
	assert_true(seen.as_made);
	assert_int_equal(link_type, DLT_EN10MB);
	assert_int_equal(fault.reason, SOURCE_OK);
}

static void
a_pcap_file_is_read(void **state)
{
	struct bytes file;

	(void)state;
	make_pcap(&file, 1);
	assert_read_as_made(&file);
}

static void
a_pcapng_file_is_read(void **state)
{
	struct bytes file;

	(void)state;
	make_pcapng(&file);
	assert_read_as_made(&file);
}

static void
a_compressed_file_of_either_is_read(void **state)
{
	struct bytes file;

	(void)state;
	make_pcap(&file, 1);
	compress_file(&file);
	assert_int_equal(file.data[0], 0x1f);
	assert_read_as_made(&file);
	make_pcapng(&file);
	compress_file(&file);
	assert_read_as_made(&file);
}

struct feeding {
	int fd;
	const struct bytes *bytes;
};

/* In small pieces, as a slow program before a pipe does. */
static void *
feed(void *arg)
{
	struct feeding *feeding = arg;

	for (size_t at = 0; at < feeding->bytes->len; at += 100) {
		size_t left = feeding->bytes->len - at;

		(void)fdio_write_all(
		    feeding->fd, feeding->bytes->data + at, left < 100 ? left : 100);
	}
	close(feeding->fd);
	return NULL;
}

static void
a_pipe_is_read_like_a_file(void **state)
{
	struct source_fault fault;
	struct bytes file;
	struct seen seen;
	pthread_t feeder;

	(void)state;
	for (int compressed = 0; compressed < 2; compressed++) {
		struct feeding feeding = {.bytes = &file};
		int ends[2];

		make_pcap(&file, 1);
		if (compressed)
			compress_file(&file);
		assert_int_equal(pipe(ends), 0);
		feeding.fd = ends[1];
		assert_int_equal(pthread_create(&feeder, NULL, feed, &feeding), 0);
		assert_int_equal(read_all(ends[0], &seen, &fault, NULL), -ENODATA);
		pthread_join(feeder, NULL);
		assert_int_equal(seen.packets, PACKETS);
		assert_true(seen.as_made);
	}
}

static void
a_file_cut_in_a_packet_gives_what_is_whole_and_says_so(void **state)
{
	struct source_fault fault;
	struct bytes file;
	struct seen seen;

	(void)state;
	make_pcap(&file, 1);
	file.len -= 10;
	assert_int_equal(read_all(file_of_bytes(&file), &seen, &fault, NULL), -EIO);
	assert_int_equal(seen.packets, PACKETS - 1);
	assert_true(seen.as_made);
	assert_int_equal(fault.reason, SOURCE_READ_FAILED);
	assert_true(fault.text[0] != '\0');
}

static void
a_cut_compressed_file_is_never_taken_for_whole(void **state)
{
	struct source_fault fault;
	struct bytes whole, cut;
	struct seen seen;

	(void)state;
	make_pcap(&whole, 1);
	compress_file(&whole);
	for (size_t len = 40; len < whole.len; len += 13) {
		cut = whole;
		cut.len = len;
		assert_int_equal(
		    read_all(file_of_bytes(&cut), &seen, &fault, NULL), -EIO);
		assert_true(seen.as_made);
		assert_string_equal(fault.text, "the compressed file is cut off");
	}
}

static void
a_damaged_compressed_file_is_an_error(void **state)
{
	struct source_fault fault;
	struct bytes file;
	struct seen seen;

	(void)state;
	make_pcap(&file, 1);
	compress_file(&file);
	memset(file.data + file.len / 2, 0x55, 20);
	assert_int_equal(read_all(file_of_bytes(&file), &seen, &fault, NULL), -EIO);
	assert_true(fault.text[0] != '\0');
}

static void
what_is_no_capture_is_refused(void **state)
{
	static const struct bytes none[] = {
	    {.len = 0}, {"not a capture, but long enough to be one", 41}};
	struct source_fault fault;
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
		    read_all(file_of_bytes(&none[i]), &seen, &fault, NULL), -EIO);
		assert_int_equal(fault.reason, SOURCE_OPEN_FAILED);
		assert_int_equal(seen.packets, 0);
		assert_true(fault.text[0] != '\0');
	}
}

static void
an_unknown_link_type_is_handed_on_for_the_meter_to_refuse(void **state)
{
	struct source_fault fault;
	struct bytes file;
	struct seen seen;
	int link_type;

	(void)state;
	make_pcap(&file, DLT_USER0);
	assert_int_equal(
	    read_all(file_of_bytes(&file), &seen, &fault, &link_type), -ENODATA);
	assert_int_equal(seen.packets, PACKETS);
	assert_int_equal(link_type, DLT_USER0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pcap_file_is_read),
	    cmocka_unit_test(a_pcapng_file_is_read),
	    cmocka_unit_test(a_compressed_file_of_either_is_read),
	    cmocka_unit_test(a_pipe_is_read_like_a_file),
	    cmocka_unit_test(a_file_cut_in_a_packet_gives_what_is_whole_and_says_so),
	    cmocka_unit_test(a_cut_compressed_file_is_never_taken_for_whole),
	    cmocka_unit_test(a_damaged_compressed_file_is_an_error),
	    cmocka_unit_test(what_is_no_capture_is_refused),
	    cmocka_unit_test(an_unknown_link_type_is_handed_on_for_the_meter_to_refuse),
	};

	return cmocka_run_group_tests_name("a capture file", tests, NULL, NULL);
}
