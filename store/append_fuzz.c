/* Maps handed in by whoever speaks for a worker, into a database: whole ones that are
 * honest, ones whose interval lies, whose parts are cut, missing or out of order, and any
 * bytes for a chunk. A model keeps what was answered as durable; the database holds that and
 * nothing else, its columns add up to its books, and its books close. */
#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/flow_map.h"
#include "store/append.h"
#include "store/columns.h"
#include "tests/fuzz/input.h"

#define MAPS_MAX 3
#define STEPS_MAX 12
#define RECORDS_MAX 40
#define NAMES 8 /* two file ids, four rotations */

/*
 * A database of this process, emptied before each input.
 */

static char directory[] = "/dev/shm/weir-fuzz-XXXXXX";

static void
database_remove(void)
{
	static const char *const files[] = {"weir.db", "weir.db-wal", "weir.db-shm"};
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
}

static sqlite3 *
database(void)
{
	static sqlite3 *db;
	char path[64], why[SCHEMA_WHY_SIZE];

	if (!db) {
		fuzz_check(mkdtemp(directory) != NULL);
		atexit(database_remove);
		snprintf(path, sizeof(path), "%s/weir.db", directory);
		fuzz_check(schema_open(path, &db, why) == 0);
	}
	fuzz_check(sqlite3_exec(db,
		       "BEGIN; DELETE FROM interval; DELETE FROM refused;"
		       " DELETE FROM column_data; DELETE FROM map; COMMIT",
		       NULL, NULL, NULL) == SQLITE_OK);
	return db;
}

/*
 * What must be in it.
 */

struct model {
	struct append *append;
	sqlite3 *db;
	bool durable[NAMES];
	struct interval begun[2 * NAMES]; /* what part 0 of a map came with */
	struct books books; /* of all of them */
	uint64_t flows;
};

static struct counter
columns_sum(sqlite3 *db, const struct store_interval *interval)
{
	struct counter sum = {0, 0};
	enum block_column column;
	struct columns columns;
	struct flow_record flow;
	struct block block;
	const char *why;

	fuzz_check(columns_read(db, interval->id, COLUMNS_ALL, &columns) == 0);
	block_init(&block, interval->rows);
	fuzz_check(columns_decode(&columns, interval->id, COLUMNS_ALL, &block, &column,
		       &why) == 0);
	for (size_t row = 0; row < block.rows; row++) {
		struct counter total;

		block_row(&block, row, &flow);
		total = flow_total(&flow);
		counter_add(&sum, &total);
	}
	block_fini(&block);
	columns_fini(&columns);
	return sum;
}

static void
check_database(const struct model *model)
{
	sqlite3_stmt *statement, *refused;
	struct books books = {.received = {0, 0}};
	struct store_interval interval;
	uint64_t flows = 0;
	int64_t maps = 0;
	int step;

	fuzz_check(sqlite3_prepare_v2(model->db,
		       "SELECT " COLUMNS_OF_INTERVAL " FROM interval", -1, &statement,
		       NULL) == SQLITE_OK);
	fuzz_check(sqlite3_prepare_v2(model->db, COLUMNS_REFUSED, -1, &refused, NULL) ==
	    SQLITE_OK);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct counter sum;

		fuzz_check(columns_interval(statement, &interval) == 0);
		fuzz_check(columns_refused(refused, &interval) == 0);
		fuzz_check(books_close(&interval.interval.books));
		sum = columns_sum(model->db, &interval);
		fuzz_check(counter_equal(&sum, &interval.interval.books.in_flows));
		books_add(&books, &interval.interval.books);
		flows += interval.interval.flows;
	}
	fuzz_check(step == SQLITE_DONE);
	sqlite3_finalize(statement);
	sqlite3_finalize(refused);
	fuzz_check(memcmp(&books, &model->books, sizeof(books)) == 0);
	fuzz_check(flows == model->flows);
	for (int i = 0; i < NAMES; i++)
		maps += model->durable[i];
	fuzz_check(schema_number(model->db, "SELECT count(*) FROM map", -1) == maps);
}

/*
 * A map of the input's.
 */

/* Small numbers mostly, and up to the largest: a mantissa and where it stands. */
static uint64_t
take_number(struct input *in)
{
	uint64_t mantissa = input_u8(in);

	return mantissa << (input_u8(in) & 63);
}

static struct flow_record
take_flow(struct input *in)
{
	static const uint8_t families[] = {
	    FAMILY_IPV4, FAMILY_IPV4, FAMILY_IPV6, FAMILY_NONE};
	struct flow_record flow = {.conversations = 1};
	unsigned ends = input_u8(in), which = input_u8(in);

	flow.family = families[ends & 3];
	if (flow.family != FAMILY_NONE) {
		flow.src[0] = (uint8_t)(ends >> 2 & 7);
		flow.dst[flow.family == FAMILY_IPV4 ? 3 : 15] = (uint8_t)(ends >> 5);
	}
	flow.dport = (uint16_t)(which & 3);
	flow.proto = which & 4 ? 6 : 17;
	flow.orientation = (uint8_t)(which >> 3 & 7);
	flow.tcp_flags[FWD] = (uint8_t)which;
	flow.first_ns = (int64_t)take_number(in);
	flow.last_ns = (int64_t)take_number(in);
	flow.count[which >> 6 & 1][which >> 7] =
	    (struct counter){take_number(in), take_number(in)};
	return flow;
}

struct map {
	struct append_part part;
	struct interval interval;
	struct flow_record flows[RECORDS_MAX];
	size_t count;
	unsigned name; /* file id and rotation */
	unsigned intake; /* and interface */
	bool honest; /* nothing was changed, and no sum is too large */
};

/* Whether the books can be made at all: no sum beyond what SQLite can hold. */
static bool
sum_flows(struct map *map)
{
	struct books *books = &map->interval.books;

	for (size_t i = 0; i < map->count; i++) {
		struct counter total = flow_total(&map->flows[i]);

		if (total.packets > INT64_MAX || total.bytes > INT64_MAX)
			return false;
		counter_add(&books->in_flows, &total);
		if (map->flows[i].family == FAMILY_NONE)
			counter_add(&books->overflow, &total);
		counter_add(&books->received, &total);
		if (books->received.packets > INT64_MAX ||
		    books->received.bytes > INT64_MAX)
			return false;
	}
	return true;
}

/* One number of the interval is another. */
static void
lie(struct map *map, struct input *in)
{
	struct interval *iv = &map->interval;
	uint64_t *const numbers[] = {&iv->flows, &iv->books.received.packets,
	    &iv->books.received.bytes, &iv->books.in_flows.packets,
	    &iv->books.in_flows.bytes, &iv->books.overflow.packets,
	    &iv->books.overflow.bytes, &iv->books.refused[REFUSED_TRUNCATED].packets,
	    &iv->books.refused[REFUSED_TRUNCATED].bytes, &iv->kernel.received,
	    &iv->link.packets};
	uint64_t *number =
	    numbers[input_u8(in) % (sizeof(numbers) / sizeof(numbers[0]))];
	uint64_t value = take_number(in);

	if (*number != value)
		map->honest = false;
	*number = value;
}

#define MANY_REFUSED 0x01
#define LIES 0x02

static void
take_map(struct map *map, struct input *in)
{
	unsigned kind = input_u8(in), what = input_u8(in);

	memset(map, 0, sizeof(*map));
	map->name = kind % NAMES;
	map->intake = kind % (2 * NAMES);
	map->part.file_id = map->name & 1 ? UINT64_MAX : 1;
	map->part.rotation = 1 + (map->name >> 1);
	fuzz_check(iface_name_set(&map->part.iface, kind & 8 ? "eth1" : "eth0") == 0);
	map->part.interval = &map->interval;
	map->interval.begin_ms = kind & 16 ? 300000 : 0;
	map->interval.end_ms = 300000 + map->interval.begin_ms;
	map->interval.length_ns = 300 * NS_PER_S;
	map->interval.kernel.known = kind & 32;
	map->count = (kind >> 6) * 13;
	map->interval.flows = map->count;
	for (size_t i = 0; i < map->count; i++)
		map->flows[i] = take_flow(in);
	map->honest = sum_flows(map);
	if (what & MANY_REFUSED) {
		struct books *books = &map->interval.books;

		books->refused[REFUSED_NOT_IP] = (struct counter){what, what * 60};
		counter_add(&books->received, &books->refused[REFUSED_NOT_IP]);
		if ((books->received.packets | books->received.bytes) > INT64_MAX)
			map->honest = false;
	}
	if (what & LIES)
		lie(map, in);
}

/*
 * Handing in.
 */

static void
is_durable(struct model *model, const struct map *map)
{
	const struct interval *interval = &model->begun[map->intake];

	fuzz_check(!model->durable[map->name]);
	model->durable[map->name] = true;
	books_add(&model->books, &interval->books);
	model->flows += interval->flows;
}

/* Whether nothing of what is stored is so large that the sum with this map is too. */
static bool
leaves_room(const struct model *model, const struct map *map)
{
	struct books sum = model->books;

	books_add(&sum, &map->interval.books);
	return (sum.received.packets | sum.received.bytes) <= INT64_MAX;
}

static int
hand_in(struct model *model, struct map *map, enum append_result *result)
{
	bool known = model->durable[map->name];
	char why[SCHEMA_WHY_SIZE];
	int rc;

	if (map->part.part == 0 && map->part.interval)
		model->begun[map->intake] = *map->part.interval;
	rc = append_part(model->append, model->db, &map->part, result, why);
	if (rc != 0) {
		fuzz_check(why[0] != '\0');
		return rc;
	}
	fuzz_check((*result == APPEND_KNOWN) == known);
	if (*result == APPEND_DURABLE) {
		fuzz_check(map->part.last);
		is_durable(model, map);
	}
	return 0;
}

/* A whole map in parts; `skip` leaves one out, `cut` shortens one. */
static void
hand_in_map(
    struct model *model, struct map *map, size_t per_part, unsigned skip, unsigned cut)
{
	enum append_result result = APPEND_MORE;
	size_t maps = append_maps(model->append), at = 0;
	struct pack chunk;
	bool known = model->durable[map->name], room = leaves_room(model, map);
	int rc = 0;

	pack_init(&chunk);
	do {
		pack_clear(&chunk);
		for (size_t n = 0; n < per_part && at < map->count; n++)
			flow_map_pack(&chunk, &map->flows[at++]);
		map->part.chunk = chunk.buffer.data;
		map->part.len = chunk.buffer.size;
		map->part.last = at == map->count;
		if (map->part.part + 1 == cut && map->part.len > 0) {
			map->part.len--;
			map->honest = false;
		}
		if (map->part.part + 1 == skip)
			map->honest = false;
		else
			rc = hand_in(model, map, &result);
		map->part.part++;
	} while (rc == 0 && result == APPEND_MORE && !map->part.last);
	pack_fini(&chunk);
	if (map->honest && !known && room)
		fuzz_check(rc == 0 ? result == APPEND_DURABLE
				   : rc == -EBUSY && maps >= MAPS_MAX);
}

/* One part that belongs nowhere, of any bytes. */
static void
hand_in_bytes(struct model *model, struct map *map, struct input *in)
{
	unsigned kind = input_u8(in);
	struct input bytes = input_bytes(in, input_u8(in));
	enum append_result result;

	map->part.part = kind & 3;
	map->part.last = kind & 4;
	if (kind & 8)
		map->part.interval = NULL;
	map->part.chunk = bytes.at;
	map->part.len = input_left(&bytes);
	(void)hand_in(model, map, &result);
}

#define BYTES 0x01

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	struct model model = {.flows = 0};
	static struct map map;

	model.append = append_new(MAPS_MAX, UINT64_C(1) << 20);
	model.db = database();
	fuzz_check(model.append != NULL);
	for (int step = 0; step < STEPS_MAX && input_left(&in) > 0; step++) {
		unsigned how = input_u8(&in);

		take_map(&map, &in);
		if (how & BYTES)
			hand_in_bytes(&model, &map, &in);
		else
			hand_in_map(
			    &model, &map, 1 + (how >> 4), how >> 1 & 3, how >> 2 & 3);
		fuzz_check(append_maps(model.append) <= MAPS_MAX);
	}
	check_database(&model);
	append_free(model.append);
	return 0;
}
