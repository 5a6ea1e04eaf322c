#include "store/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/flow_map.h"

struct place {
	char *before;
	char path[64];
};

int
testing_enter(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	strcpy(place->path, "/tmp/weir-store-test-XXXXXX");
	place->before = getcwd(NULL, 0);
	if (!place->before || !mkdtemp(place->path) || chdir(place->path) < 0)
		return -1;
	*state = place;
	return 0;
}

int
testing_leave(void **state)
{
	struct place *place = *state;
	char command[128];

	if (chdir(place->before) < 0)
		return -1;
	snprintf(command, sizeof(command), "rm -rf '%s'", place->path);
	int rc = system(command);
	free(place->before);
	free(place);
	return rc;
}

uint64_t
testing_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static double
uniform(uint64_t *state)
{
	return (double)(testing_random(state) >> 11) / 9007199254740992.0;
}

/* 0 .. n-1, rank r with a weight of about 1 / r */
static uint32_t
zipf(uint64_t *state, uint32_t n)
{
	uint32_t r = (uint32_t)pow((double)n, uniform(state)) - 1;

	return r < n ? r : n - 1;
}

struct flow_record
testing_flow(uint16_t client, uint8_t server, uint16_t sport)
{
	struct flow_record flow = {
	    .src = {10, 0, (uint8_t)(client >> 8), (uint8_t)client},
	    .dst = {192, 0, 2, server},
	    .family = FAMILY_IPV4,
	    .proto = 6,
	    .sport = sport,
	    .dport = 443,
	    .orientation = ORIENT_HANDSHAKE,
	    .tcp_flags = {0x02, 0x12},
	    .conversations = 1,
	    .first_ns = TESTING_BEGIN_MS * NS_PER_MS + 1000 * NS_PER_MS,
	    .last_ns = TESTING_BEGIN_MS * NS_PER_MS + 2000 * NS_PER_MS,
	};

	flow.count[RECEIVED][FWD] = (struct counter){3, 300};
	flow.count[SENT][REV] = (struct counter){2, 2000};
	return flow;
}

static uint64_t
heavy_tail(uint64_t *state)
{
	double u = uniform(state);

	return 1 + (uint64_t)(3.0 / pow(1.0 - u * 0.999999, 0.8)) - 3 + (u > 0.3);
}

void
testing_flows(struct flow_record *flows, size_t count, uint64_t seed, int64_t begin_ms,
    int64_t length_ms)
{
	static const uint16_t ports[] = {
	    443, 53, 80, 22, 123, 993, 8443, 5353, 3478, 25, 445, 389, 3306, 5432, 161};
	uint64_t s = seed * 2654435761u + 88172645463325252u;

	for (size_t i = 0; i < count; i++) {
		struct flow_record *f = &flows[i];
		memset(f, 0, sizeof(*f));
		uint32_t client = zipf(&s, 4000);
		/* A server has one service and one address for all. */
		uint64_t server = 1 + zipf(&s, 60000);
		uint64_t spread = server * 0x9e3779b97f4a7c15u;
		uint16_t port = ports[zipf(&s, sizeof(ports) / sizeof(ports[0]))];
		if (server > 20)
			port = ports[spread % 3];
		bool udp = port == 53 || port == 123 || port == 5353 || port == 3478;
		if (spread >> 60 == 0) {
			f->family = FAMILY_IPV6;
			memcpy(f->src, "\x20\x01\x0d\xb8\0\x01\0\0", 8);
			uint64_t low = (client + 1) * 0xd6e8feb86659fd93u;
			memcpy(f->src + 8, &low, 8);
			memcpy(f->dst, "\x2a\0\x14\x50\x40\0", 6);
			memcpy(f->dst + 8, &spread, 8);
		} else {
			f->family = FAMILY_IPV4;
			f->src[0] = 10;
			f->src[1] = (uint8_t)(client >> 9);
			f->src[2] = (uint8_t)(client >> 5 & 15);
			f->src[3] = (uint8_t)(client & 31);
			uint32_t address = (uint32_t)(spread >> 20) | 0x20000000u;
			memcpy(f->dst, &address, 4);
		}
		f->proto = udp ? 17 : 6;
		f->dport = port;
		f->sport = (uint16_t)(32768 + testing_random(&s) % 28000);
		f->orientation = udp ? ORIENT_PORTS : ORIENT_HANDSHAKE;
		f->tcp_flags[FWD] = udp ? 0 : 0x1b;
		f->tcp_flags[REV] = udp ? 0 : (spread & 7) ? 0x1b : 0x12;
		f->conversations = 1;
		int64_t first = (int64_t)(uniform(&s) * (double)length_ms * 1e6);
		uint64_t packets =
		    udp ? 1 + (testing_random(&s) & 1) : heavy_tail(&s) + 2;
		uint64_t answers = udp ? 1 : packets - packets / 3;
		int64_t took = (int64_t)((double)packets * 2e7 * uniform(&s));
		f->first_ns = begin_ms * NS_PER_MS + first;
		f->last_ns = f->first_ns + took % (length_ms * NS_PER_MS);
		/* What the client sends comes in, what the server answers goes out. */
		f->count[RECEIVED][FWD].packets = packets;
		f->count[RECEIVED][FWD].bytes =
		    packets * (74 + testing_random(&s) % 80);
		f->count[SENT][REV].packets = answers;
		f->count[SENT][REV].bytes = answers * (90 + testing_random(&s) % 1300);
	}
}

struct interval
testing_interval(
    const struct flow_record *flows, size_t count, int64_t begin_ms, int64_t end_ms)
{
	struct interval interval = {
	    .begin_ms = begin_ms,
	    .end_ms = end_ms,
	    .length_ns = (end_ms - begin_ms) * NS_PER_MS,
	    .flows = count,
	};
	struct books *books = &interval.books;

	for (size_t i = 0; i < count; i++) {
		struct counter sum = flow_total(&flows[i]);
		counter_add(&books->in_flows, &sum);
		if (flows[i].family == FAMILY_NONE)
			counter_add(&books->overflow, &sum);
	}
	books->refused[REFUSED_NOT_IP] = (struct counter){7, 420};
	books->received = books->in_flows;
	counter_add(&books->received, &books->refused[REFUSED_NOT_IP]);
	interval.kernel.known = true;
	interval.kernel.received = books->received.packets + 5;
	interval.kernel.dropped = 5;
	return interval;
}

int
testing_append(struct append *append, sqlite3 *db, const char *iface, uint64_t file_id,
    uint64_t rotation, const struct interval *interval, const struct flow_record *flows,
    size_t count, size_t per_part, enum append_result *result,
    char why[static SCHEMA_WHY_SIZE])
{
	struct append_part part = {
	    .file_id = file_id, .rotation = rotation, .interval = interval};
	struct pack pack;
	size_t at = 0;
	int rc = iface_name_set(&part.iface, iface);

	pack_init(&pack);
	while (rc == 0) {
		pack_clear(&pack);
		for (size_t n = 0; n < per_part && at < count; n++)
			flow_map_pack(&pack, &flows[at++]);
		part.chunk = pack.buffer.data;
		part.len = pack.buffer.size;
		part.last = at == count;
		rc = append_part(append, db, &part, result, why);
		if (rc < 0 || part.last || *result != APPEND_MORE)
			break;
		part.part++;
	}
	pack_fini(&pack);
	return rc;
}
