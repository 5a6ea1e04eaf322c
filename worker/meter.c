/* The life of the flow records: open or adopt, rotate, release. Counting is in
 * meter_count.c, encoding in meter_export.c. */
#include "worker/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "worker/meter_private.h"

static void
rebuild_index(struct meter *meter, unsigned g)
{
	struct record *records = meter->records.record[g];
	uint64_t count = meter->records.header->generation[g].count;

	for (uint64_t i = RECORDS_OVERFLOW; i < count; i++) {
		/* Another process had another seed. */
		records[i].state.hash = meter_hash(meter, &records[i].key);
		if (flow_index_reserve(&meter->index[g], records, i) != 0) {
			/* No memory: what is not found any more goes on in overflow
			 * flows, its totals stay exact. */
			meter->no_room = true;
			return;
		}
		flow_index_insert(&meter->index[g], records[i].state.hash, (uint32_t)i);
	}
}

int
meter_open(struct meter **out, const struct meter_options *options)
{
	struct meter *meter = calloc(1, sizeof(*meter));
	struct generation *current;
	bool fresh = false;
	int rc;

	if (!meter)
		return -ENOMEM;
	if (!records_label_valid(options->begin_ms)) {
		rc = -ERANGE;
		goto out;
	}
	meter->flow_limit = options->flow_limit;
	refusals_init(&meter->refusals);
	/* So few bytes are never cut short by a signal (getrandom(2)). */
	if (getrandom(&meter->seed, sizeof(meter->seed), 0) < 0) {
		rc = -errno;
		goto out;
	}
	meter->fragments = fragments_new(meter->seed);
	if (!meter->fragments) {
		rc = -ENOMEM;
		goto out;
	}
	for (unsigned g = 0; g < 2; g++) {
		rc = flow_index_init(&meter->index[g]);
		if (rc != 0)
			goto out;
	}
	rc = records_open(&meter->records, options->fd, options->iface,
	    options->file_id, options->begin_ms, &fresh);
	if (rc != 0)
		goto out;
	if (!fresh) {
		meter->adoption.adopted = true;
		rc = records_adopt(&meter->records, &meter->adoption.repaired);
		if (rc != 0)
			goto out;
		rebuild_index(meter, 0);
		rebuild_index(meter, 1);
		current = &meter->records.header->generation[meter_current(meter)];
		current->cuts++;
		meter->adoption.flows =
		    records_flows(&meter->records, meter_current(meter));
	}
	*out = meter;
	return 0;
out:
	meter_free(meter);
	return rc;
}

void
meter_free(struct meter *meter)
{
	if (!meter)
		return;
	records_close(&meter->records);
	flow_index_fini(&meter->index[0]);
	flow_index_fini(&meter->index[1]);
	fragments_free(meter->fragments);
	free(meter);
}

struct meter_adoption
meter_adoption(const struct meter *meter)
{
	return meter->adoption;
}

struct counter
meter_total(const struct meter *meter)
{
	return meter->total;
}

uint64_t
meter_flow_limit(const struct meter *meter)
{
	return meter->flow_limit;
}

uint64_t
meter_file_id(const struct meter *meter)
{
	return meter->records.header->file_id;
}

bool
meter_label_valid(int64_t ms)
{
	return records_label_valid(ms);
}

struct refusals *
meter_refusals(struct meter *meter)
{
	return &meter->refusals;
}

uint64_t
meter_undecodable(const struct meter *meter, int64_t *over_ns)
{
	*over_ns = meter->undecodable_last_ns - meter->undecodable_since_ns;
	return meter->undecodable;
}

void
meter_kernel(struct meter *meter, uint64_t received, uint64_t dropped)
{
	struct generation *generation =
	    &meter->records.header->generation[meter_current(meter)];

	generation->kernel_known = 1;
	generation->kernel_received += received;
	generation->kernel_dropped += dropped;
}

/* Labels against the monotonic clock: a difference means that the clock was set.
 * Slewing by a time daemon stays below a thousandth. */
static int64_t
clock_step_ms(int64_t begin_ms, int64_t end_ms, int64_t length_ns)
{
	int64_t length_ms = length_ns / NS_PER_MS;
	int64_t step = end_ms - begin_ms - length_ms;
	int64_t tolerance = 1000 + length_ms / 1000;

	if (step <= tolerance && step >= -tolerance)
		return 0;
	/* From the last label to the first, and the length on top. */
	return step < -RECORDS_LABEL_MAX_MS ? -RECORDS_LABEL_MAX_MS : step;
}

static void
describe(const struct meter *meter, unsigned g, int64_t end_ms, int64_t length_ns,
    int64_t step_ms, struct interval *out)
{
	const struct generation *generation = &meter->records.header->generation[g];

	memset(out, 0, sizeof(*out));
	out->begin_ms = generation->begin_ms;
	out->end_ms = end_ms;
	out->length_ns = length_ns;
	out->clock_step_ms = step_ms;
	out->flows = records_flows(&meter->records, g);
	out->cuts = generation->cuts;
	out->busy = generation->busy;
	out->kernel.known = generation->kernel_known != 0;
	out->kernel.received = generation->kernel_received;
	out->kernel.dropped = generation->kernel_dropped;
	out->books = generation->books;
}

void
meter_interval(const struct meter *meter, struct interval *out)
{
	unsigned g = meter_current(meter);
	const struct generation *generation = &meter->records.header->generation[g];
	int64_t length = mono_now().ns - generation->begin_mono_ns;
	int64_t now_ms = wall_now().ns / NS_PER_MS;

	if (length < 0)
		length = 0;
	describe(meter, g, now_ms, length,
	    clock_step_ms(generation->begin_ms, now_ms, length), out);
}

struct meter_command
meter_last_command(const struct meter *meter)
{
	uint64_t packed = meter->records.header->command;

	return (struct meter_command){
	    packed >> 16, (uint32_t)(packed >> 8 & 0xff), (uint32_t)(packed & 0xff)};
}

void
meter_set_command(struct meter *meter, struct meter_command command)
{
	/* One store: a successor sees all of it or nothing. */
	records_barrier();
	meter->records.header->command = command.seq << 16 |
	    (uint64_t)(command.type & 0xff) << 8 | (command.result & 0xff);
	records_barrier();
}

static bool
is_frozen(const struct generation *generation)
{
	return generation->rotation != 0 && !generation->released;
}

int
meter_rotate(struct meter *meter, uint64_t seq, int64_t end_ms, struct interval *out)
{
	struct records_header *header = meter->records.header;
	unsigned old = header->current;
	struct generation *from = &header->generation[old];
	struct generation *to = &header->generation[!old];
	struct mono start = mono_now();
	int64_t length;

	if (!records_label_valid(end_ms))
		return -ERANGE;
	if (is_frozen(to)) {
		from->busy++;
		return -EBUSY;
	}
	length = start.ns - from->begin_mono_ns;
	if (length < 0)
		length = 0;
	/* A clock that was set back must not make a block that ends before it begins; the
	 * next one begins where the clock is now. */
	from->end_ms = end_ms;
	if (end_ms <= from->begin_ms)
		from->end_ms = from->begin_ms + (length + NS_PER_MS - 1) / NS_PER_MS;
	if (from->end_ms > RECORDS_LABEL_MAX_MS) /* a successor must believe it */
		from->end_ms = RECORDS_LABEL_MAX_MS;
	from->clock_step_ms = clock_step_ms(from->begin_ms, end_ms, length);
	from->length_ns = length;
	records_reset(&meter->records, !old, end_ms, start.ns);
	flow_index_clear(&meter->index[!old], &meter->index[old]);
	records_barrier();
	from->rotation = seq;
	records_barrier();
	header->current = !old; /* the change-over */
	meter_set_command(meter, (struct meter_command){seq, MSG_ROTATE, 0});
	meter->no_room = false;
	refusals_next_interval(&meter->refusals);
	meter->pause.last_ns = mono_now().ns - start.ns;
	if (meter->pause.last_ns > meter->pause.worst_ns)
		meter->pause.worst_ns = meter->pause.last_ns;
	meter->pause.count++;
	describe(meter, old, from->end_ms, from->length_ns, from->clock_step_ms, out);
	return 0;
}

uint64_t
meter_frozen(const struct meter *meter, struct interval *out)
{
	unsigned g = !meter_current(meter);
	const struct generation *generation = &meter->records.header->generation[g];

	if (!is_frozen(generation))
		return 0;
	describe(meter, g, generation->end_ms, generation->length_ns,
	    generation->clock_step_ms, out);
	return generation->rotation;
}

struct meter_pause
meter_pause(const struct meter *meter)
{
	return meter->pause;
}

int
meter_release(struct meter *meter, uint64_t rotation)
{
	struct generation *frozen =
	    &meter->records.header->generation[!meter_current(meter)];

	if (rotation == 0 || frozen->rotation != rotation)
		return -ESTALE;
	frozen->released = 1;
	return 0;
}
