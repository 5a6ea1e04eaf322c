#include "worker/fragments.h"

#include <stdbool.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "worker/decode.h"

#define WAYS 4
#define SETS (FRAGMENTS_MAX / WAYS)

/* What makes two fragments parts of one datagram. */
struct datagram {
	uint8_t src[16];
	uint8_t dst[16];
	uint32_t id;
	uint8_t family;
	uint8_t proto; /* of the fragment header */
	uint8_t zero[2];
};
_Static_assert(sizeof(struct datagram) == 40, "compared as bytes: no padding");

struct entry {
	struct datagram datagram;
	int64_t ts_ns;
	uint16_t sport;
	uint16_t dport;
	uint8_t proto; /* of the flow: behind further extension headers */
	bool used;
};

struct fragments {
	uint64_t seed;
	struct entry entry[SETS][WAYS];
};

struct fragments *
fragments_new(uint64_t seed)
{
	struct fragments *fragments = calloc(1, sizeof(*fragments));

	if (fragments)
		fragments->seed = seed;
	return fragments;
}

void
fragments_free(struct fragments *fragments)
{
	free(fragments);
}

static struct entry *
find(struct entry *set, const struct datagram *datagram)
{
	for (int i = 0; i < WAYS; i++) {
		if (set[i].used &&
		    memcmp(&set[i].datagram, datagram, sizeof(*datagram)) == 0)
			return &set[i];
	}
	return NULL;
}

static struct entry *
oldest(struct entry *set)
{
	struct entry *old = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (!set[i].used)
			return &set[i];
		if (set[i].ts_ns < old->ts_ns)
			old = &set[i];
	}
	return old;
}

/* Either way round: two handles, and files, may be out of order. */
static bool
too_old(int64_t then_ns, int64_t now_ns)
{
	int64_t age;

	return __builtin_sub_overflow(now_ns, then_ns, &age) ||
	    age > FRAGMENTS_AGE_NS || age < -FRAGMENTS_AGE_NS;
}

void
fragments_packet(struct fragments *fragments, struct decoded *packet, int64_t ts_ns)
{
	struct datagram datagram = {.id = packet->fragment_id,
	    .family = packet->key.family,
	    .proto = packet->fragment_proto};
	struct entry *set, *entry;
	uint8_t from = packet->sender;

	memcpy(datagram.src, packet->key.address[from], sizeof(datagram.src));
	memcpy(datagram.dst, packet->key.address[!from], sizeof(datagram.dst));
	set = fragments->entry[XXH3_64bits_withSeed(
				   &datagram, sizeof(datagram), fragments->seed) %
	    SETS];
	entry = find(set, &datagram);
	if (packet->fragment == FRAGMENT_LATER) {
		if (entry && !too_old(entry->ts_ns, ts_ns))
			decode_complete_fragment(
			    packet, entry->proto, entry->sport, entry->dport);
		return;
	}
	if (!entry)
		entry = oldest(set);
	*entry = (struct entry){.datagram = datagram,
	    .ts_ns = ts_ns,
	    .sport = packet->key.port[from],
	    .dport = packet->key.port[!from],
	    .proto = packet->key.proto,
	    .used = true};
}
