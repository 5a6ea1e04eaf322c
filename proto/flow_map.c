/* Flow records on the wire. There may be millions, so both directions are written by
 * hand: a record is put together in a buffer of its largest size and appended at once;
 * reading is one walk with a cursor that checks each member against what must stand
 * there, which is stricter than a walk over any msgpack, and needs no memory. */
#include "proto/flow_map.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Where a record is put together. */
struct writer {
	uint8_t *at;
};

static inline void
put_u8(struct writer *w, uint8_t byte)
{
	*w->at++ = byte;
}

static inline void
put_u16(struct writer *w, uint16_t value)
{
	uint16_t wire = htobe16(value);

	memcpy(w->at, &wire, sizeof(wire));
	w->at += sizeof(wire);
}

static inline void
put_u32(struct writer *w, uint32_t value)
{
	uint32_t wire = htobe32(value);

	memcpy(w->at, &wire, sizeof(wire));
	w->at += sizeof(wire);
}

static inline void
put_u64(struct writer *w, uint64_t value)
{
	uint64_t wire = htobe64(value);

	memcpy(w->at, &wire, sizeof(wire));
	w->at += sizeof(wire);
}

/* The shortest form, as the specification asks of senders. */
static inline void
put_uint(struct writer *w, uint64_t value)
{
	if (value < 0x80) {
		put_u8(w, (uint8_t)value);
	} else if (value <= UINT8_MAX) {
		put_u8(w, 0xcc);
		put_u8(w, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		put_u8(w, 0xcd);
		put_u16(w, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		put_u8(w, 0xce);
		put_u32(w, (uint32_t)value);
	} else {
		put_u8(w, 0xcf);
		put_u64(w, value);
	}
}

static inline void
put_int(struct writer *w, int64_t value)
{
	if (value >= 0) {
		put_uint(w, (uint64_t)value);
	} else if (value >= -32) {
		put_u8(w, (uint8_t)value);
	} else if (value >= INT8_MIN) {
		put_u8(w, 0xd0);
		put_u8(w, (uint8_t)value);
	} else if (value >= INT16_MIN) {
		put_u8(w, 0xd1);
		put_u16(w, (uint16_t)value);
	} else if (value >= INT32_MIN) {
		put_u8(w, 0xd2);
		put_u32(w, (uint32_t)value);
	} else {
		put_u8(w, 0xd3);
		put_u64(w, (uint64_t)value);
	}
}

static inline void
put_address(struct writer *w, const uint8_t *address, size_t len)
{
	put_u8(w, 0xc4);
	put_u8(w, (uint8_t)len);
	memcpy(w->at, address, len);
	w->at += len;
}

/* Bytes of an address of that family, or -1. */
static inline int
address_size(uint64_t family)
{
	switch (family) {
	case FAMILY_NONE:
		return 0;
	case FAMILY_IPV4:
		return 4;
	case FAMILY_IPV6:
		return 16;
	default:
		return -1;
	}
}

/* array 16 header; family, protocol, orientation and flags in 2 bytes each; addresses;
 * ports; times and counters in 9 bytes each */
_Static_assert(3 + 5 * 2 + 2 * 18 + 2 * 3 + 10 * 9 <= FLOW_MAP_RECORD_MAX,
    "the largest record fits");

void
flow_map_pack(struct pack *pack, const struct flow_record *flow)
{
	uint8_t record[FLOW_MAP_RECORD_MAX];
	struct writer w = {record};
	int size = address_size(flow->family);

	if (pack->failed)
		return;
	if (size < 0 || pack->depth != 0) {
		pack->failed = true;
		return;
	}
	put_u8(&w, 0xdc);
	put_u16(&w, FLOW_MAP_FIELDS);
	put_uint(&w, flow->family);
	put_address(&w, flow->src, (size_t)size);
	put_address(&w, flow->dst, (size_t)size);
	put_uint(&w, flow->sport);
	put_uint(&w, flow->dport);
	put_uint(&w, flow->proto);
	put_uint(&w, flow->orientation);
	put_uint(&w, flow->tcp_flags[FWD]);
	put_uint(&w, flow->tcp_flags[REV]);
	put_int(&w, flow->first_ns);
	put_int(&w, flow->last_ns);
	for (int observed = RECEIVED; observed <= SENT; observed++) {
		for (int dir = FWD; dir <= REV; dir++) {
			put_uint(&w, flow->count[observed][dir].packets);
			put_uint(&w, flow->count[observed][dir].bytes);
		}
	}
	if (msgpack_sbuffer_write(
		&pack->buffer, (const char *)record, (size_t)(w.at - record)) != 0)
		pack->failed = true;
}

/* What is being read. After the first fault `good` stays false and what is taken is 0,
 * so that a record is read straight down and judged once. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool good;
};

static inline uint64_t
take_number(struct reader *r, size_t width)
{
	uint64_t value = 0;

	if ((size_t)(r->end - r->at) < width) {
		r->good = false;
		return 0;
	}
	if (width == sizeof(value)) {
		memcpy(&value, r->at, sizeof(value));
		value = be64toh(value);
	} else {
		for (size_t i = 0; i < width; i++)
			value = value << 8 | r->at[i];
	}
	r->at += width;
	return value;
}

/* Any form of an integer; *negative tells how to read the bits. */
static inline uint64_t
take_integer(struct reader *r, bool *negative)
{
	uint64_t value;
	uint8_t lead = (uint8_t)take_number(r, 1);

	*negative = false;
	if (lead < 0x80)
		return lead;
	if (lead >= 0xcc && lead <= 0xcf)
		return take_number(r, (size_t)1 << (lead - 0xcc));
	if (lead >= 0xe0) {
		*negative = true;
		return (uint64_t)(int8_t)lead;
	}
	if (lead < 0xd0 || lead > 0xd3) {
		r->good = false;
		return 0;
	}
	value = take_number(r, (size_t)1 << (lead - 0xd0));
	switch (lead) {
	case 0xd0:
		value = (uint64_t)(int8_t)value;
		break;
	case 0xd1:
		value = (uint64_t)(int16_t)value;
		break;
	case 0xd2:
		value = (uint64_t)(int32_t)value;
		break;
	}
	*negative = (int64_t)value < 0;
	return value;
}

static inline uint64_t
take_uint(struct reader *r, uint64_t max)
{
	bool negative;
	uint64_t value = take_integer(r, &negative);

	if (!negative && value <= max)
		return value;
	r->good = false;
	return 0;
}

static inline int64_t
take_int(struct reader *r)
{
	bool negative;
	uint64_t value = take_integer(r, &negative);

	if (negative || value <= INT64_MAX)
		return (int64_t)value;
	r->good = false;
	return 0;
}

static inline void
take_address(struct reader *r, int size, uint8_t out[16])
{
	uint8_t lead = (uint8_t)take_number(r, 1);
	uint64_t len;

	if (lead < 0xc4 || lead > 0xc6) {
		r->good = false;
		return;
	}
	len = take_number(r, (size_t)1 << (lead - 0xc4));
	if (size < 0 || len != (uint64_t)size || (size_t)(r->end - r->at) < len) {
		r->good = false;
		return;
	}
	memcpy(out, r->at, len);
	r->at += len;
}

static inline void
take_array_header(struct reader *r)
{
	uint64_t count = 0;

	switch (take_number(r, 1)) {
	case 0xdc:
		count = take_number(r, 2);
		break;
	case 0xdd:
		count = take_number(r, 4);
		break;
	}
	if (count != FLOW_MAP_FIELDS)
		r->good = false;
}

static bool
take_record(struct reader *r, struct flow_record *flow)
{
	int size;

	memset(flow, 0, sizeof(*flow));
	take_array_header(r);
	flow->family = (uint8_t)take_uint(r, UINT8_MAX);
	size = address_size(flow->family);
	take_address(r, size, flow->src);
	take_address(r, size, flow->dst);
	flow->sport = (uint16_t)take_uint(r, UINT16_MAX);
	flow->dport = (uint16_t)take_uint(r, UINT16_MAX);
	flow->proto = (uint8_t)take_uint(r, UINT8_MAX);
	flow->orientation = (uint8_t)take_uint(r, UINT8_MAX);
	flow->tcp_flags[FWD] = (uint8_t)take_uint(r, UINT8_MAX);
	flow->tcp_flags[REV] = (uint8_t)take_uint(r, UINT8_MAX);
	flow->first_ns = take_int(r);
	flow->last_ns = take_int(r);
	for (int observed = RECEIVED; observed <= SENT; observed++) {
		for (int dir = FWD; dir <= REV; dir++) {
			struct counter *count = &flow->count[observed][dir];
			count->packets = take_uint(r, UINT64_MAX);
			count->bytes = take_uint(r, UINT64_MAX);
		}
	}
	flow->conversations = 1;
	return r->good;
}

int
flow_map_each(const void *chunk, size_t len,
    int (*each)(void *arg, const struct flow_record *flow), void *arg)
{
	struct reader r;
	struct flow_record flow;
	int rc;

	if (len == 0)
		return 0; /* of a pack that holds nothing, chunk is NULL */
	r = (struct reader){chunk, (const uint8_t *)chunk + len, true};
	while (r.at < r.end) {
		if (!take_record(&r, &flow))
			return -EPROTO;
		rc = each(arg, &flow);
		if (rc != 0)
			return rc;
	}
	return 0;
}
