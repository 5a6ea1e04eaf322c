/* The metering process: packets in, flow records and books out. Everything between a
 * source (source.h) and the record file (records.h) is behind this header.
 *
 * Threads: the capture thread owns the meter. Only meter_fetch() may run on another
 * thread, and only between meter_rotate() and the next meter_rotate(). */
#ifndef WEIR_WORKER_METER_H
#define WEIR_WORKER_METER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/flow.h"
#include "common/interval.h"
#include "proto/pack.h"
#include "worker/packet.h"

struct meter;
struct refusals;

struct meter_options {
	int fd; /* record file, opened by the supervisor (or a memfd); kept */
	const char *iface; /* for the header of a new file, compared on adoption */
	uint64_t file_id; /* of a new file */
	int64_t begin_ms; /* label of the first interval of a new file; valid */
	uint64_t flow_limit; /* at most CAPTURE_FLOWS_MAX */
};

/* Opens the record file: an empty one is set up; one with records is adopted (checked,
 * the journalled record repaired, sums recomputed, index rebuilt). 0; -EBADMSG when the
 * file is damaged or belongs to another interface or version (the caller exits with
 * CHILD_EXIT_RECORDS and the supervisor sets the file aside); other negative errno. */
int meter_open(struct meter **out, const struct meter_options *options);
void meter_free(struct meter *meter);

/* What meter_open() found. */
struct meter_adoption {
	bool adopted; /* the file had been used before */
	bool repaired; /* a half counted packet was taken back */
	uint64_t flows; /* records of the running interval at that time */
};
struct meter_adoption meter_adoption(const struct meter *meter);

/* Counts a packet: decodes it now, updates its flow by the next meter_flush() at the
 * latest. Never fails: every packet has a place. */
void meter_packet(struct meter *meter, const struct packet *packet);

/* Ends a batch: everything passed to meter_packet() is now in the record file. Call when
 * a source has nothing more to give at the moment, and before any function below. */
void meter_flush(struct meter *meter);

/* What is known of refused packets (refusals.h). Between batches. */
struct refusals *meter_refusals(struct meter *meter);

/* Packets in a row that could not be decoded though their link type is known, up to
 * now, and over how much packet time. Packets in flows, and frames that carry no IP,
 * end the row. */
uint64_t meter_undecodable(const struct meter *meter, int64_t *over_ns);

/* Adds what the kernel counted since the last call (64-bit, already widened). */
void meter_kernel(struct meter *meter, uint64_t received, uint64_t dropped);

/* The running interval up to now (end_ms is now). Between batches. */
void meter_interval(const struct meter *meter, struct interval *out);

/* Packets and bytes received since meter_open(). */
struct counter meter_total(const struct meter *meter);

uint64_t meter_flow_limit(const struct meter *meter);
uint64_t meter_file_id(const struct meter *meter);

/* The last command carried out on this record file (PROTOCOL.md, "Sequence numbers"),
 * also by a dead predecessor. */
struct meter_command {
	uint64_t seq; /* 0: none yet */
	uint32_t type; /* enum msg_type */
	uint32_t result; /* meaning is the caller's */
};
struct meter_command meter_last_command(const struct meter *meter);
void meter_set_command(struct meter *meter, struct meter_command command);

/* Whether `ms` may be a label: 0 to RECORDS_LABEL_MAX_MS, in the year 2248. */
bool meter_label_valid(int64_t ms);

/* Freezes the running generation under command number `seq` (which it also records as
 * the last command: both happen or neither) and begins the next; constant time. 0 and
 * the frozen interval; -EBUSY while the last one is not released (counted in the
 * running interval's `busy`); -ERANGE for an impossible label. The next interval begins
 * at `end_ms`. When that is not later than the begin of this one, the clock was set back:
 * this one ends at begin + length instead, and the step is in its clock_step_ms. */
int meter_rotate(
    struct meter *meter, uint64_t seq, int64_t end_ms, struct interval *out);

/* The frozen generation that is not released, if any: its rotation number (0: none)
 * and interval. */
uint64_t meter_frozen(const struct meter *meter, struct interval *out);

/* How long the capture thread stood still for rotations of this process. */
struct meter_pause {
	uint64_t count;
	int64_t last_ns;
	int64_t worst_ns;
};
struct meter_pause meter_pause(const struct meter *meter);

/* Appends flow records of frozen rotation `rotation` from `cursor` on to the pack, at
 * most MSG_CHUNK_MAX bytes. *next is the cursor to go on with, *last whether nothing is
 * left, *flows how many were written. 0; -ESTALE when `rotation` is not frozen;
 * -EINVAL for a cursor that is out of range. Any thread, see above. */
int meter_fetch(struct meter *meter, uint64_t rotation, uint64_t cursor,
    struct pack *out, uint64_t *next, bool *last, uint64_t *flows);

/* A look at the flow records of the running interval, oriented, a slice at a time: those
 * at `cursor` and after it (0 first), below `end`, which is what meter_look_end() was
 * before the first slice; looks at `most` of them and moves the cursor on, until it is
 * `end`. Answers how many were copied: fewer than looked at where overflow flows have
 * counted nothing. Records never move and new ones come after the others, so each is seen
 * once, as it is at that time. Between batches; a rotation ends the walk. */
uint64_t meter_look_end(const struct meter *meter);
size_t meter_look(const struct meter *meter, uint64_t *cursor, uint64_t end,
    struct flow_record *out, size_t most);

/* Marks the frozen generation as reusable; it is still looked up for orientation until
 * the next rotation. 0, also when it was released before; -ESTALE for another number. */
int meter_release(struct meter *meter, uint64_t rotation);

#endif
