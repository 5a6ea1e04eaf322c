/* A row of frames of any link types, each decoded by itself, then all of them counted by a
 * meter: fragments, orientation, overflow and rotation included. The sums that must come
 * out are made here, from the verdicts of the decoder alone. */
#include <errno.h>
#include <pcap/dlt.h>

#include "proto/flow_map.h"
#include "tests/fuzz/input.h"
#include "worker/decode.h"
#include "worker/fuzz_memory.h"
#include "worker/meter.h"

#define FRAMES_MAX 64

/* What the decoder knows, Ethernet first, and two that it does not. */
static const int link_types[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW,
    DLT_IPV4, DLT_IPV6, DLT_NULL, DLT_LOOP, DLT_PPP, DLT_PPP_SERIAL, DLT_PPP_ETHER,
    DLT_C_HDLC, DLT_ENC, DLT_PFLOG, DLT_NFLOG, DLT_IEEE802_11, DLT_IEEE802_11_RADIO,
    DLT_PPI, DLT_FDDI, DLT_IP_OVER_FC, DLT_APPLE_IP_OVER_IEEE1394, DLT_IPNET, 14,
    DLT_USER0, -1};

/*
 * One frame by itself.
 */

static bool
is_evidence(uint8_t orientation)
{
	switch (orientation) {
	case ORIENT_NONE:
	case ORIENT_FIN:
	case ORIENT_PORTS:
	case ORIENT_DHCP:
	case ORIENT_MULTICAST:
	case ORIENT_ICMP:
	case ORIENT_HANDSHAKE:
		return true;
	default:
		return false; /* ORIENT_FIRST is the flow's, not a packet's */
	}
}

static bool
all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* Where source and destination address stand side by side, or NULL. */
static const uint8_t *
find_addresses(const struct packet *packet, const struct decoded *d, size_t len)
{
	uint8_t pair[32];

	memcpy(pair, d->key.address[d->sender], len);
	memcpy(pair + len, d->key.address[!d->sender], len);
	return memmem(packet->data, packet->caplen, pair, 2 * len);
}

static void
check_key(const struct packet *packet, const struct decoded *d)
{
	const struct flow_key *key = &d->key;
	size_t len = key->family == FAMILY_IPV4 ? 4 : 16;
	const uint8_t *frame_end = packet->data + packet->caplen;
	const uint8_t *addresses;
	int order = memcmp(key->address[ENDPOINT_A], key->address[ENDPOINT_B], len);

	fuzz_check(key->family == FAMILY_IPV4 || key->family == FAMILY_IPV6);
	fuzz_check(all_zero(key->address[ENDPOINT_A] + len, 16 - len));
	fuzz_check(all_zero(key->address[ENDPOINT_B] + len, 16 - len));
	fuzz_check(all_zero(key->zero, sizeof(key->zero)));
	fuzz_check(order < 0 ||
	    (order == 0 && key->port[ENDPOINT_A] <= key->port[ENDPOINT_B]));

	/* Nothing is made up: it stands in the captured bytes, the ports behind. */
	addresses = find_addresses(packet, d, len);
	fuzz_check(addresses != NULL);
	if (key->port[ENDPOINT_A] != 0 || key->port[ENDPOINT_B] != 0) {
		uint16_t from = key->port[d->sender], to = key->port[!d->sender];
		const uint8_t ports[4] = {(uint8_t)(from >> 8), (uint8_t)from,
		    (uint8_t)(to >> 8), (uint8_t)to};

		fuzz_check(d->fragment != FRAGMENT_LATER);
		fuzz_check(memmem(addresses, (size_t)(frame_end - addresses), ports,
			       sizeof(ports)) != NULL);
	}
}

static void
check_decoded(const struct packet *packet, const struct decoded *d)
{
	fuzz_check(decode_knows_link_type(packet->link_type));
	fuzz_check(d->sender <= ENDPOINT_B && d->observed <= SENT);
	fuzz_check(d->initiator <= ENDPOINT_B && is_evidence(d->orientation));
	fuzz_check(d->fragment <= FRAGMENT_LATER);
	fuzz_check(d->tcp_flags == 0 || d->key.proto == 6);
	check_key(packet, d);
}

static bool
same_decoded(const struct decoded *x, const struct decoded *y)
{
	return flow_key_equal(&x->key, &y->key) && x->sender == y->sender &&
	    x->observed == y->observed && x->tcp_flags == y->tcp_flags &&
	    x->orientation == y->orientation && x->initiator == y->initiator &&
	    x->fragment == y->fragment &&
	    (x->fragment == FRAGMENT_NONE ||
		(x->fragment_proto == y->fragment_proto &&
		    x->fragment_id == y->fragment_id));
}

/* Decodes in a block that ends where the frame ends, and again between other bytes, with
 * another wire length, into memory that held something else: nothing of that matters. */
static enum refusal
decode_twice(const struct packet *packet, struct decoded *out)
{
	struct packet copy = *packet;
	uint8_t *alone = malloc(packet->caplen);
	uint8_t *between = malloc((size_t)packet->caplen + 64);
	struct decoded second;
	enum refusal class;

	fuzz_check((alone || packet->caplen == 0) && between);
	if (packet->caplen > 0)
		memcpy(alone, packet->data, packet->caplen);
	memset(out, 0xff, sizeof(*out));
	copy.data = alone;
	class = decode_packet(&copy, out);
	fuzz_check(class < REFUSED_MAX);

	memset(between, 0x45, (size_t)packet->caplen + 64);
	if (packet->caplen > 0)
		memcpy(between + 32, packet->data, packet->caplen);
	memset(&second, 0, sizeof(second));
	copy.data = between + 32;
	copy.wire_len = ~packet->wire_len;
	fuzz_check(decode_packet(&copy, &second) == class);
	if (class == REFUSED_NONE) {
		fuzz_check(same_decoded(out, &second));
		copy.data = alone;
		check_decoded(&copy, out);
	}
	if (!decode_knows_link_type(packet->link_type))
		fuzz_check(class == REFUSED_LINK_TYPE);
	free(between);
	free(alone);
	return class;
}

/*
 * The row in a meter.
 */

/* What one interval must come to. */
struct expected {
	struct counter received;
	struct counter refused[REFUSED_MAX];
	struct counter observed[2]; /* in flows, by enum observed */
};

struct seen {
	struct counter observed[2];
	uint64_t flows;
	uint64_t nameless; /* overflow flows */
	int64_t first_ns; /* of all packets of the row */
	int64_t last_ns;
};

static int
see(void *arg, const struct flow_record *flow)
{
	struct seen *seen = arg;
	struct counter total = flow_total(flow);

	seen->flows++;
	seen->nameless += flow->family == FAMILY_NONE;
	for (int observed = RECEIVED; observed <= SENT; observed++) {
		counter_add(&seen->observed[observed], &flow->count[observed][FWD]);
		counter_add(&seen->observed[observed], &flow->count[observed][REV]);
	}
	fuzz_check(total.packets > 0);
	fuzz_check(flow->first_ns <= flow->last_ns);
	fuzz_check(flow->first_ns >= seen->first_ns && flow->last_ns <= seen->last_ns);
	fuzz_check(is_evidence(flow->orientation) || flow->orientation == ORIENT_FIRST);
	fuzz_check((flow->orientation == ORIENT_NONE) == (flow->family == FAMILY_NONE));
	return 0;
}

static void
check_interval(const struct interval *interval, const struct expected *expected,
    const struct seen *seen, uint64_t limit)
{
	const struct books *books = &interval->books;
	struct counter sum = seen->observed[RECEIVED];

	counter_add(&sum, &seen->observed[SENT]);
	fuzz_check(books_close(books));
	fuzz_check(counter_equal(&books->received, &expected->received));
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++)
		fuzz_check(
		    counter_equal(&books->refused[class], &expected->refused[class]));
	for (int observed = RECEIVED; observed <= SENT; observed++)
		fuzz_check(counter_equal(
		    &seen->observed[observed], &expected->observed[observed]));
	fuzz_check(counter_equal(&sum, &books->in_flows));
	fuzz_check(seen->flows == interval->flows);
	fuzz_check(seen->flows - seen->nameless <= limit);
	fuzz_check((books->overflow.packets > 0) == (seen->nameless > 0));
}

static void
check_running(struct meter *meter, const struct expected *expected, struct seen seen)
{
	struct flow_record flows[16];
	struct interval interval;
	uint64_t cursor = 0, end = meter_look_end(meter);

	meter_interval(meter, &interval);
	while (cursor < end) {
		size_t n = meter_look(meter, &cursor, end, flows, 16);

		for (size_t i = 0; i < n; i++)
			see(&seen, &flows[i]);
	}
	check_interval(&interval, expected, &seen, meter_flow_limit(meter));
}

static void
check_rotated(struct meter *meter, const struct expected *expected, struct seen seen)
{
	uint64_t rotation = meter_last_command(meter).seq + 1;
	uint64_t cursor = 0, flows = 0;
	struct interval interval, again;
	struct pack chunk;
	bool last = false;

	fuzz_check(meter_rotate(meter, rotation, 1000, &interval) == 0);
	fuzz_check(meter_rotate(meter, rotation + 1, 2000, &again) == -EBUSY);
	fuzz_check(meter_frozen(meter, &again) == rotation);
	pack_init(&chunk);
	while (!last) {
		pack_clear(&chunk);
		fuzz_check(meter_fetch(meter, rotation, cursor, &chunk, &cursor, &last,
			       &flows) == 0);
		fuzz_check(flow_map_each(
			       chunk.buffer.data, chunk.buffer.size, see, &seen) == 0);
	}
	pack_fini(&chunk);
	check_interval(&interval, expected, &seen, meter_flow_limit(meter));
	fuzz_check(meter_release(meter, rotation) == 0);
}

static void
expect(struct expected *expected, const struct packet *packet, enum refusal class,
    const struct decoded *d)
{
	const struct counter one = {1, packet->wire_len};

	counter_add(&expected->received, &one);
	if (class == REFUSED_NONE)
		counter_add(&expected->observed[d->observed], &one);
	else
		counter_add(&expected->refused[class], &one);
}

static void
count_row(const struct packet *packets, const enum refusal *classes,
    const struct decoded *decoded, size_t count, size_t rotate_at, uint64_t limit)
{
	struct meter_options options = {
	    .iface = "fuzz", .file_id = 1, .begin_ms = 1, .flow_limit = limit};
	struct expected expected = {.received = {0, 0}};
	struct seen nothing = {.first_ns = INT64_MAX, .last_ns = INT64_MIN};
	struct meter *meter;

	for (size_t i = 0; i < count; i++) {
		if (packets[i].ts_ns < nothing.first_ns)
			nothing.first_ns = packets[i].ts_ns;
		if (packets[i].ts_ns > nothing.last_ns)
			nothing.last_ns = packets[i].ts_ns;
	}
	options.fd = memfd_create("records", MFD_CLOEXEC);
	fuzz_check(options.fd >= 0 && meter_open(&meter, &options) == 0);
	for (size_t i = 0; i < count; i++) {
		meter_packet(meter, &packets[i]);
		expect(&expected, &packets[i], classes[i], &decoded[i]);
		if (i != rotate_at)
			continue;
		meter_flush(meter);
		check_rotated(meter, &expected, nothing);
		expected = (struct expected){.received = {0, 0}};
	}
	meter_flush(meter);
	check_running(meter, &expected, nothing);
	check_rotated(meter, &expected, nothing);
	meter_free(meter);
	close(options.fd);
}

/*
 * The input: how to count, then frames, each with a head of 6 bytes.
 */

#define OBSERVED_SENT 0x01
#define WIRE_MODE 0x06
#define TIME_MODE 0x18
#define CUT 0x20

static struct packet
take_frame(struct input *in, int64_t before_ns)
{
	static const int64_t steps[] = {NS_PER_MS, 100 * NS_PER_S, -NS_PER_S, 0};
	struct packet packet = {0};
	unsigned kind = input_u8(in), flags = input_u8(in);
	uint16_t number = input_u16(in);
	struct input bytes = input_bytes(in, input_u16(in));
	size_t len = input_left(&bytes);

	if ((flags & CUT) && len > 0)
		len = number % len;
	packet.link_type =
	    link_types[kind % (sizeof(link_types) / sizeof(link_types[0]))];
	packet.data = bytes.at;
	packet.caplen = (uint32_t)len;
	switch ((flags & WIRE_MODE) >> 1) {
	case 0:
		packet.wire_len = packet.caplen;
		break;
	case 1:
		packet.wire_len = packet.caplen + number;
		break;
	case 2:
		packet.wire_len = number;
		break;
	default:
		packet.wire_len = UINT32_MAX - number;
		break;
	}
	packet.observed = flags & OBSERVED_SENT ? SENT : RECEIVED;
	packet.ts_ns = before_ns + steps[(flags & TIME_MODE) >> 3];
	if ((flags & TIME_MODE) == TIME_MODE)
		packet.ts_ns =
		    packet_time_ns(((int64_t)number - 32768) * (1 << 24), number);
	return packet;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t limits[] = {1000, 4, 1, 16};
	struct input in = input_of(data, size);
	unsigned mode = input_u8(&in);
	size_t rotate_at = input_u8(&in), count = 0;
	struct packet packets[FRAMES_MAX];
	struct decoded decoded[FRAMES_MAX];
	enum refusal classes[FRAMES_MAX];
	int64_t ts_ns = 0;

	for (; count < FRAMES_MAX && input_left(&in) > 0; count++) {
		packets[count] = take_frame(&in, ts_ns);
		ts_ns = packets[count].ts_ns;
		classes[count] = decode_twice(&packets[count], &decoded[count]);
	}
	if (count > 0 && (mode & 1))
		count_row(
		    packets, classes, decoded, count, rotate_at, limits[mode >> 1 & 3]);
	return 0;
}
