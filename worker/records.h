/* The record file: flow records and books of one interface, on tmpfs, shared between a
 * worker and its successors, so that nothing that was counted dies with a process.
 *
 *	offset 0        struct records_header (RECORDS_HEADER_SIZE bytes)
 *	then            generation 0: RECORDS_CAPACITY records of 128 bytes, sparse
 *	then            generation 1: the same
 *
 * Native byte order and layout: a file never leaves its machine or its boot. The first
 * RECORDS_OVERFLOW records of a generation are its overflow flows, one per IP protocol
 * number; flows follow in the order in which they were first seen and never move.
 *
 * The file grows by fallocate(2) under one mapping reserved at the start: memory that
 * was granted cannot be taken back by a full file system (with ftruncate(2) a write
 * would end in SIGBUS).
 *
 * Crash safety is that of a process, not of the machine (tmpfs does not survive that):
 * what a process has stored is in the page cache whenever it dies. So compiler barriers
 * are enough, no flushes. Updates of a record are covered by a journal of one entry:
 * the old values are written first, the entry is made valid, the record is changed, the
 * entry is made invalid. A record becomes part of its generation by the increment of
 * `count`; a rotation happens by the change of `current`. */
#ifndef WEIR_WORKER_RECORDS_H
#define WEIR_WORKER_RECORDS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/capture_config.h"
#include "common/interval.h"
#include "worker/flow_key.h"

#define RECORDS_MAGIC UINT64_C(0x31304c4657454952) /* "RIEWFL01" in memory order */
#define RECORDS_VERSION 1 /* bump me with every change of a struct below */
#define RECORDS_HEADER_SIZE 8192
#define RECORDS_OVERFLOW 256
#define RECORDS_CAPACITY (CAPTURE_FLOWS_MAX + RECORDS_OVERFLOW)
#define RECORDS_STEP 8192 /* records per fallocate: 1 MiB */

/* Initiator and time bits of record.side. */
#define SIDE_INITIATOR 0x01 /* enum endpoint of the initiator */
#define SIDE_FIRST 0x02 /* endpoint of the earliest packet is b */
#define SIDE_CARRIED 0x04 /* orientation comes from the interval before */

/* What a packet may change beside a counter. */
struct record_state {
	int64_t first_ns;
	int64_t last_ns;
	uint8_t orientation; /* enum orientation */
	uint8_t side; /* SIDE_ bits */
	uint8_t tcp_flags[2]; /* [enum endpoint of the sender] */
	uint32_t hash; /* valid with this process's seed only */
};

/* 128 bytes, two cache lines: what each packet adds to, and what it is found by. */
struct record {
	struct counter count[2][2]; /* [enum observed][enum endpoint of the sender] */
	struct flow_key key;
	struct record_state state;
};
_Static_assert(sizeof(struct record) == 128, "a record is two cache lines");

struct generation {
	uint64_t count; /* records in use, the overflow ones included */
	uint64_t allocated; /* records the file has room for */
	uint64_t rotation; /* command that froze it; 0 while it is counting */
	uint32_t released; /* frozen and durable elsewhere: may be reused */
	uint32_t cuts;
	uint32_t busy;
	uint32_t kernel_known;
	uint64_t kernel_received;
	uint64_t kernel_dropped;
	int64_t begin_ms;
	int64_t end_ms;
	int64_t begin_mono_ns;
	int64_t length_ns;
	int64_t clock_step_ms;
	struct books books;
};

enum journal_state {
	JOURNAL_EMPTY = 0,
	JOURNAL_RECORD = 1,
	JOURNAL_REFUSED = 2
};

/* The old values of what is being changed. */
struct journal {
	uint32_t state; /* enum journal_state; written last, cleared last */
	uint32_t generation; /* 0 or 1 */
	uint64_t index; /* record number, or enum refusal */
	uint32_t observed;
	uint32_t sender;
	struct counter count;
	struct record_state record;
};

struct records_header {
	uint64_t magic; /* set last when a new file is complete */
	uint32_t version;
	uint32_t header_size;
	uint32_t record_size;
	uint32_t generation_size; /* of struct generation */
	uint64_t capacity; /* RECORDS_CAPACITY: where generation 1 begins */
	uint64_t file_id;
	char iface[16];
	uint32_t current; /* the generation that counts: 0 or 1 */
	uint32_t zero;
	uint64_t command; /* last one: seq << 16 | type << 8 | result, one store */
	struct generation generation[2];
	struct journal journal;
};
_Static_assert(sizeof(struct records_header) <= RECORDS_HEADER_SIZE, "header fits");

struct records {
	int fd;
	struct records_header *header;
	struct record *record[2]; /* of generation 0 and 1 */
	uint8_t *map;
	size_t map_size;
};

/* Bounds of what is written; what is read is not believed otherwise. They lie within what
 * messages can say and the store takes (proto/parts.h, common/interval.h), with room for a
 * worker to go on: records that nobody would take could never be handed over. */
#define RECORDS_LABEL_MAX_MS (INT64_C(1) << 43) /* year 2248; also a clock step */
#define RECORDS_COUNT_MAX (UINT64_C(1) << 62) /* packets or bytes of a generation */
#define RECORDS_SEQ_MAX (UINT64_C(1) << 47) /* of commands, kept in 48 bits */

static inline bool
records_label_valid(int64_t ms)
{
	return ms >= 0 && ms <= RECORDS_LABEL_MAX_MS;
}

/* A record that counts anything: always so for flows, not for overflow records. */
static inline bool
record_used(const struct record *record)
{
	return record->count[RECEIVED][0].packets ||
	    record->count[RECEIVED][1].packets || record->count[SENT][0].packets ||
	    record->count[SENT][1].packets;
}

/* What the compiler must not reorder around a step of a protocol above. */
static inline void
records_barrier(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* Maps the file on `fd` (kept open, not owned) and sets up an empty one. 0 and *fresh;
 * -EBADMSG when it is not a record file of this version or of another interface;
 * negative errno. */
int records_open(struct records *records, int fd, const char *iface, uint64_t file_id,
    int64_t begin_ms, bool *fresh);
void records_close(struct records *records);

/* How large the file may become with so many flows in each generation, in bytes. */
uint64_t records_size_max(uint64_t flow_limit);

/* Room for one more record in generation `g`: 0, or -ENOSPC / -EFBIG. */
int records_grow(struct records *records, unsigned g);

/* Makes generation `g` empty: no flows, overflow records and books 0. Its room stays. */
void records_reset(
    struct records *records, unsigned g, int64_t begin_ms, int64_t mono_ns);

/* Makes a used file consistent again (records_adopt.c): rolls the journal back,
 * completes or takes back a rotation that was cut off, recomputes the sums of both
 * generations. *repaired: the journal was in use. 0; -EBADMSG when a bound is broken. */
int records_adopt(struct records *records, bool *repaired);

/* Number of flow records of a generation, used overflow records included. */
uint64_t records_flows(const struct records *records, unsigned g);

#endif
