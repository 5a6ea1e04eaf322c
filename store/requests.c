/* Requests are served by one thread; retention has a second one, since it must go on
 * when nothing is appended. Both work on the one database handle under one lock, which
 * retention holds for a small step at a time: an append waits for one step at most. */
#include "store/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "store/append.h"
#include "store/format.h"

#define RETENTION_EVERY_S 60
/* Between two steps: the lock is free for whoever waits for it. */
#define RETENTION_PAUSE_NS 1000000

struct store {
	pthread_mutex_t lock; /* of all that follows, but for the constants */
	pthread_cond_t wake; /* retention: something was appended, or the end */
	pthread_t thread;
	bool ending;
	bool appended;
	sqlite3 *db; /* NULL when it had to be closed and could not be opened again */
	struct append *append;
	struct retention retention; /* constant */
	char path[PATH_MAX]; /* constant */
	uint64_t appends;
	char last_error[SCHEMA_WHY_SIZE];
};

/* The same failure again (the supervisor tries again and again) is not worth a line. */
static void
note_error(struct store *store, const char *topic, const char *why)
{
	if (strcmp(store->last_error, why) == 0)
		return;
	snprintf(store->last_error, sizeof(store->last_error), "%s", why);
	log_err(topic, "%s", why);
}

/* Somebody may have moved the file away: what is written then is in no directory, and
 * must not be called durable. */
static int
ensure_open(struct store *store, char why[static SCHEMA_WHY_SIZE])
{
	if (store->db && schema_moved(store->db)) {
		log_err("store", "%s was removed or replaced: opening it anew",
		    store->path);
		sqlite3_close(store->db);
		store->db = NULL;
	}
	if (store->db)
		return 0;
	return schema_open(STORE_DB_NAME, &store->db, why);
}

static void *
retention_main(void *arg)
{
	struct store *store = arg;
	char why[SCHEMA_WHY_SIZE];

	pthread_mutex_lock(&store->lock);
	while (!store->ending) {
		uint64_t expired = 0;
		int rc = 1;
		/* What is appended between two steps asks for one more round. */
		store->appended = false;
		while (rc == 1 && !store->ending && store->db) {
			rc = expire_step(store->db, &store->retention,
			    wall_now().ns / NS_PER_MS, &expired, why);
			pthread_mutex_unlock(&store->lock);
			nanosleep(&(struct timespec){0, RETENTION_PAUSE_NS}, NULL);
			pthread_mutex_lock(&store->lock);
		}
		if (rc < 0)
			note_error(store, "retention", why);
		if (expired > 0)
			log_debug("retention", "%llu intervals were expired",
			    (unsigned long long)expired);
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RETENTION_EVERY_S;
		while (!store->ending && !store->appended &&
		    pthread_cond_timedwait(&store->wake, &store->lock, &until) == 0)
			;
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

static int
part_view(
    const msgpack_object *body, struct append_part *part, struct interval *interval)
{
	char iface[IFACE_NAME_SIZE];
	int rc;

	memset(part, 0, sizeof(*part));
	rc = view_str(body, "iface", iface, sizeof(iface));
	if (rc == 0)
		rc = iface_name_set(&part->iface, iface);
	if (rc == 0)
		rc = view_u64(body, "file_id", UINT64_MAX, &part->file_id);
	if (rc == 0)
		rc = view_u64(body, "rotation", INT64_MAX, &part->rotation);
	if (rc == 0)
		rc = view_u64(body, "part", UINT32_MAX, &part->part);
	if (rc == 0)
		rc = view_bool(body, "last", &part->last);
	if (rc == 0)
		rc = view_bin(body, "chunk", &part->chunk, &part->len);
	if (rc == 0 && part->len > MSG_CHUNK_MAX)
		rc = -ERANGE;
	if (rc == 0 && part->part == 0) {
		rc = view_interval(body, "interval", interval);
		part->interval = interval;
	}
	return rc;
}

static void
store_do_append(void *ctx, const struct msg *request, struct pack *answer)
{
	static const char *const names[] = {[APPEND_MORE] = "more",
	    [APPEND_DURABLE] = "durable",
	    [APPEND_KNOWN] = "known"};
	struct store *store = ctx;
	struct append_part part;
	struct interval interval;
	enum append_result result;
	char why[SCHEMA_WHY_SIZE] = "";

	if (part_view(request->body, &part, &interval) < 0) {
		pack_error(answer, MSG_APPEND, MSG_E_BAD_MESSAGE,
		    "a key is missing, of the wrong type or out of range");
		return;
	}
	pthread_mutex_lock(&store->lock);
	int rc = ensure_open(store, why);
	if (rc == 0)
		rc = append_part(store->append, store->db, &part, &result, why);
	if (rc == 0 && result == APPEND_DURABLE) {
		store->appends++;
		store->last_error[0] = '\0';
		store->appended = true;
		pthread_cond_signal(&store->wake);
	} else if (rc < 0 && rc != -ESTALE) {
		char text[SCHEMA_WHY_SIZE];
		snprintf(text, sizeof(text), "%s: %.400s", part.iface.s, why);
		note_error(store, "append", text);
	}
	pthread_mutex_unlock(&store->lock);

	if (rc == 0) {
		pack_answer(answer, MSG_APPEND);
		pack_key_str(answer, "result", names[result]);
	} else {
		pack_error(answer, MSG_APPEND,
		    rc == -ESTALE ? MSG_E_SEQUENCE : MSG_E_FAILED, "%.*s", MSG_TEXT_MAX,
		    why);
	}
}

static uint64_t
bytes_on_disk(void)
{
	static const char *const files[] = {
	    STORE_DB_NAME, STORE_DB_NAME "-wal", STORE_DB_NAME "-shm"};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct stat st;
		if (fstatat(AT_FDCWD, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (uint64_t)st.st_blocks * 512;
	}
	return sum;
}

static void
store_do_status(void *ctx, const struct msg *request, struct pack *answer)
{
	struct store *store = ctx;
	int64_t intervals = 0, oldest = 0, newest = 0;
	char error[MSG_TEXT_MAX + 1];

	(void)request;
	pthread_mutex_lock(&store->lock);
	if (store->db) {
		intervals =
		    schema_number(store->db, "SELECT count(*) FROM interval", 0);
		oldest =
		    schema_number(store->db, "SELECT min(begin_ms) FROM interval", 0);
		newest = schema_number(store->db,
		    "SELECT end_ms FROM interval ORDER BY begin_ms DESC LIMIT 1", 0);
	}
	snprintf(error, sizeof(error), "%.*s", MSG_TEXT_MAX, store->last_error);
	uint64_t appends = store->appends;
	pthread_mutex_unlock(&store->lock);

	pack_answer(answer, MSG_STATUS);
	pack_key_str(answer, "path", store->path);
	pack_key_u64(answer, "bytes", bytes_on_disk());
	pack_key_u64(answer, "intervals", (uint64_t)intervals);
	pack_key_i64(answer, "oldest_ms", oldest);
	pack_key_i64(answer, "newest_ms", newest);
	pack_key_u64(answer, "appends", appends);
	pack_key_str(answer, "last_error", error);
}

static void
store_do_flush(void *ctx, const struct msg *request, struct pack *answer)
{
	struct store *store = ctx;
	int rc = -EIO;

	(void)request;
	pthread_mutex_lock(&store->lock);
	if (store->db)
		rc = schema_checkpoint(store->db);
	pthread_mutex_unlock(&store->lock);
	/* A reader that still looks at the log keeps it from being emptied; everything
	 * is on disk in either file. */
	if (rc == 0 || rc == -EBUSY)
		pack_answer(answer, MSG_FLUSH);
	else
		pack_error(answer, MSG_FLUSH, MSG_E_FAILED,
		    "the log could not be moved into the database: %s", strerror(-rc));
}

serve_handler *const store_requests[MSG_TYPE_MAX] = {
    [MSG_STATUS] = store_do_status,
    [MSG_APPEND] = store_do_append,
    [MSG_FLUSH] = store_do_flush,
};

static int
thread_start(struct store *store)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc != 0)
		return -rc;
	/* A clock that is set must not make the wait endless. */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&store->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (rc != 0)
		return -rc;
	rc = pthread_create(&store->thread, NULL, retention_main, store);
	if (rc != 0)
		pthread_cond_destroy(&store->wake);
	return -rc;
}

int
store_start(const char *path, const struct retention *retention, struct store **out,
    char why[static SCHEMA_WHY_SIZE])
{
	struct store *store = calloc(1, sizeof(*store));
	int rc = -ENOMEM;

	snprintf(why, SCHEMA_WHY_SIZE, "out of memory");
	if (!store)
		return rc;
	pthread_mutex_init(&store->lock, NULL);
	store->retention = *retention;
	snprintf(store->path, sizeof(store->path), "%s", path);
	store->append = append_new(APPEND_MAPS_MAX, APPEND_BYTES_MAX);
	if (!store->append)
		goto fail;
	rc = schema_open(STORE_DB_NAME, &store->db, why);
	if (rc < 0)
		goto fail;
	rc = thread_start(store);
	if (rc < 0) {
		snprintf(
		    why, SCHEMA_WHY_SIZE, "no thread for retention: %s", strerror(-rc));
		goto fail;
	}
	*out = store;
	return 0;
fail:
	schema_close(store->db);
	append_free(store->append);
	pthread_mutex_destroy(&store->lock);
	free(store);
	return rc;
}

void
store_log_flows(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	append_log_flows(store->append);
	pthread_mutex_unlock(&store->lock);
}

void
store_stop(struct store *store)
{
	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->ending = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	schema_close(store->db);
	append_free(store->append);
	pthread_cond_destroy(&store->wake);
	pthread_mutex_destroy(&store->lock);
	free(store);
}
