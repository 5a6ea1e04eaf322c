/* A child for tests, started as weir-worker or as weir-store. It speaks the
 * protocol, keeps its records as a real worker does (one struct instead of flows), and
 * does wrong what a file in $WEIR_FAKE_DIR asks for; most are used up by that:
 *
 *	worker.die-after-rotate    carries the rotation out, dies before it answers
 *	worker.die-before-rotate   dies with the request
 *	worker.die-at-fetch, worker.die-after-release
 *	worker.crash-at-start      crashes before it serves (stays)
 *	worker.damaged             ends with CHILD_EXIT_RECORDS when there are records
 *	worker.gone                says that its interface is gone (stays)
 *	worker.read-failed         says that it cannot read from it (stays)
 *	worker.unborn              ends before it has made any records (stays)
 *	store.die-after-append     makes the map durable, dies before it answers
 *	store.die-at-append
 *	store.fail                 refuses to append (stays)
 *	store.slow                 answers the next append after 3 s
 *	store.slow-flush           flushes after 3 s
 *
 * The worker counts 10 packets per command and keeps the sum in $WEIR_FAKE_DIR/counted-NAME;
 * the store writes a line per map to $WEIR_FAKE_DIR/stored, which ends with "link" if what
 * the interface counted is known. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/lifeline.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/serve.h"

#define FAKE_CHUNKS 3
#define FAKE_PACKETS 10
#define FAKE_BYTES 60

struct fake_records {
	uint64_t file_id;
	uint64_t seq;
	uint64_t type;
	uint64_t frozen;
	uint64_t packets; /* of the running interval */
	int64_t begin_ms;
	struct interval interval; /* frozen */
};

static char fake_dir[512];
static char fake_iface[32];
static struct fake_records records;
static bool disabled;

static void
fake_path(char out[static 1024], const char *name)
{
	snprintf(out, 1024, "%s/%s", fake_dir, name);
}

static bool
fake_asked(const char *name, bool stays)
{
	char path[1024];

	fake_path(path, name);
	return stays ? access(path, F_OK) == 0 : unlink(path) == 0;
}

static void
fake_die(void)
{
	raise(SIGKILL);
}

static void
fake_append_line(const char *name, const char *line)
{
	char path[1024];
	int fd;

	fake_path(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		abort();
	close(fd);
}

static void
fake_save(void)
{
	if (pwrite(CHILD_FD_DATA, &records, sizeof(records), 0) != sizeof(records))
		abort();
}

static void
fake_count(void)
{
	char name[64];

	if (disabled)
		return;
	records.packets += FAKE_PACKETS;
	fake_save();
	snprintf(name, sizeof(name), "counted-%s", fake_iface);
	fake_append_line(name, "10\n");
}

static void
fake_interval(struct interval *out, int64_t end_ms)
{
	*out = (struct interval){.begin_ms = records.begin_ms, .end_ms = end_ms};
	out->flows = FAKE_CHUNKS;
	out->books.received.packets = out->books.in_flows.packets = records.packets;
	out->books.received.bytes = out->books.in_flows.bytes =
	    FAKE_BYTES * records.packets;
}

/* Whether the request is carried out now; else the answer is there. */
static bool
fake_numbered(const struct msg *request, struct pack *answer, bool *repeat)
{
	uint64_t seq = 0;

	*repeat = false;
	if (view_u64(request->body, "seq", UINT64_MAX, &seq) == 0) {
		if (seq == records.seq + 1)
			return true;
		*repeat = seq == records.seq && records.type == request->type;
		if (*repeat)
			return true;
	}
	pack_error(answer, request->type, MSG_E_SEQUENCE, "the last was %" PRIu64,
	    records.seq);
	return false;
}

static void
fake_done(const struct msg *request)
{
	records.seq++;
	records.type = request->type;
	fake_save();
}

static void
fake_worker_status(void *ctx, const struct msg *request, struct pack *answer)
{
	struct interval running;
	const char *reason = "";
	const char *text = "";
	const char *state = disabled ? "uninitialized" : "active";

	(void)ctx;
	if (fake_asked("worker.gone", true)) {
		reason = "gone";
		text = "The interface\ndisappeared";
	} else if (fake_asked("worker.read-failed", true)) {
		reason = "read_failed";
		text = "recvfrom: Network is down";
	}
	pack_answer(answer, request->type);
	pack_key_str(answer, "state", reason[0] != '\0' ? "error" : state);
	pack_key_str(answer, "reason", reason);
	pack_key_str(answer, "reason_text", text);
	pack_key_u64(answer, "file_id", records.file_id);
	pack_key_u64(answer, "seq", records.seq);
	if (records.frozen != 0) {
		pack_key_map(answer, "frozen");
		pack_key_u64(answer, "seq", records.frozen);
		pack_key_u64(answer, "flows", records.interval.flows);
		pack_key_interval(answer, "interval", &records.interval);
		pack_end(answer);
	} else {
		pack_key_nil(answer, "frozen");
	}
	fake_interval(&running, wall_now().ns / NS_PER_MS);
	pack_key_interval(answer, "interval", &running);
}

static void
fake_worker_rotate(void *ctx, const struct msg *request, struct pack *answer)
{
	int64_t end_ms = 0;
	bool repeat;

	(void)ctx;
	if (fake_asked("worker.die-before-rotate", false))
		fake_die();
	if (!fake_numbered(request, answer, &repeat))
		return;
	if (!repeat) {
		if (records.frozen != 0) {
			pack_error(answer, MSG_ROTATE, MSG_E_BUSY,
			    "rotation %" PRIu64 " is not released yet", records.frozen);
			return;
		}
		view_i64(request->body, "end_ms", &end_ms);
		fake_count();
		fake_interval(&records.interval, end_ms);
		records.begin_ms = end_ms;
		records.packets = 0;
		records.frozen = records.seq + 1;
		fake_done(request);
		fake_append_line("rotations", "1\n");
	}
	if (fake_asked("worker.die-after-rotate", false))
		fake_die();
	pack_answer(answer, MSG_ROTATE);
	pack_key_interval(answer, "interval", &records.interval);
	pack_key_u64(answer, "file_id", records.file_id);
}

static void
fake_worker_fetch(void *ctx, const struct msg *request, struct pack *answer)
{
	uint64_t rotation = 0;
	uint64_t cursor = 0;
	char chunk[64];

	(void)ctx;
	if (fake_asked("worker.die-at-fetch", false))
		fake_die();
	view_u64(request->body, "rotation", UINT64_MAX, &rotation);
	view_u64(request->body, "cursor", FAKE_CHUNKS - 1, &cursor);
	if (rotation != records.frozen) {
		pack_error(answer, MSG_FETCH, MSG_E_SEQUENCE, "not frozen");
		return;
	}
	snprintf(chunk, sizeof(chunk), "[%" PRIu64 "/%" PRIu64 "]", rotation, cursor);
	pack_answer(answer, MSG_FETCH);
	pack_key_u64(answer, "cursor", cursor);
	pack_key_u64(answer, "next", cursor + 1);
	pack_key_bool(answer, "last", cursor == FAKE_CHUNKS - 1);
	pack_key_u64(answer, "flows", 1);
	pack_key_bin(answer, "chunk", chunk, strlen(chunk));
}

static void
fake_worker_release(void *ctx, const struct msg *request, struct pack *answer)
{
	bool repeat;

	(void)ctx;
	if (!fake_numbered(request, answer, &repeat))
		return;
	if (!repeat) {
		records.frozen = 0;
		fake_done(request);
	}
	if (fake_asked("worker.die-after-release", false))
		fake_die();
	pack_answer(answer, MSG_RELEASE);
}

static void
fake_worker_disable(void *ctx, const struct msg *request, struct pack *answer)
{
	bool repeat;

	(void)ctx;
	if (!fake_numbered(request, answer, &repeat))
		return;
	if (!repeat) {
		fake_count();
		disabled = true;
		fake_done(request);
	}
	pack_answer(answer, MSG_DISABLE);
	pack_key_str(answer, "state", "uninitialized");
	pack_key_nil(answer, "witness");
}

static void
fake_worker_update(void *ctx, const struct msg *request, struct pack *answer)
{
	bool repeat;

	(void)ctx;
	if (!fake_numbered(request, answer, &repeat))
		return;
	if (!repeat)
		fake_done(request);
	pack_answer(answer, MSG_UPDATE);
	pack_key_str(answer, "result", "applied");
	pack_key_str(answer, "state", "active");
	pack_key_str(answer, "reason", "");
	pack_key_str(answer, "reason_text", "");
}

/* As much as one may: two of these have no room in one message. */
static void
fake_worker_flows(void *ctx, const struct msg *request, struct pack *answer)
{
	static char chunk[MSG_CHUNK_MAX];

	(void)ctx;
	pack_answer(answer, request->type);
	pack_key_u64(answer, "flows", FAKE_CHUNKS);
	pack_key_u64(answer, "matched", FAKE_CHUNKS);
	pack_key_bin(answer, "chunk", chunk, sizeof(chunk));
}

/* Far more than one has reason to: forty texts that become four times as long. */
static void
fake_worker_errors(void *ctx, const struct msg *request, struct pack *answer)
{
	char text[4096];

	(void)ctx;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	pack_answer(answer, request->type);
	for (int i = 0; i < 40; i++)
		pack_key_str(answer, "filter", text);
}

static int
fake_worker_start(void)
{
	bool damaged = false;
	struct msg first;
	void *data;
	size_t len;

	if (fake_asked("worker.unborn", true))
		return CHILD_EXIT_FAILED;
	if (frame_read(CHILD_FD_START, &data, &len) != 0 ||
	    msg_parse(&first, data, len) != 0)
		return CHILD_EXIT_FAILED;
	if (pread(CHILD_FD_DATA, &records, sizeof(records), 0) != sizeof(records)) {
		memset(&records, 0, sizeof(records));
		view_u64(first.body, "file_id", UINT64_MAX, &records.file_id);
		view_i64(first.body, "begin_ms", &records.begin_ms);
	} else {
		damaged = fake_asked("worker.damaged", false);
	}
	view_str(first.body, "iface", fake_iface, sizeof(fake_iface));
	msg_fini(&first);
	free(data);
	if (damaged)
		return CHILD_EXIT_RECORDS;
	fake_count();
	if (fake_asked("worker.crash-at-start", true))
		raise(SIGABRT); /* which no sanitizer turns into an exit code */
	return 0;
}

/*
 * The store: what it has is what stands in the file.
 */

#define FAKE_MAPS 8

/* A map whose parts are coming; those of several may be interleaved. */
struct fake_map {
	char name[128];
	char chunks[256];
	uint64_t part; /* the next */
	struct interval interval;
};

static struct fake_map maps[FAKE_MAPS];

static struct fake_map *
fake_map(const char *name, bool anew)
{
	struct fake_map *found = NULL;

	for (int i = 0; i < FAKE_MAPS; i++) {
		if (strcmp(maps[i].name, name) == 0)
			found = &maps[i];
	}
	for (int i = 0; i < FAKE_MAPS && !found; i++) {
		if (maps[i].name[0] == '\0')
			found = &maps[i];
	}
	if (!found)
		abort();
	if (anew) {
		memset(found, 0, sizeof(*found));
		snprintf(found->name, sizeof(found->name), "%s", name);
	}
	return found;
}

static bool
fake_store_has(const char *map)
{
	char path[1024];
	char line[512];
	bool has = false;
	FILE *file;

	fake_path(path, "stored");
	file = fopen(path, "r");
	while (file && !has && fgets(line, sizeof(line), file))
		has = strncmp(line, map, strlen(map)) == 0;
	if (file)
		fclose(file);
	return has;
}

static void
fake_store_append(void *ctx, const struct msg *request, struct pack *answer)
{
	char iface[32] = "";
	char map[128];
	char line[768];
	uint64_t file_id = 0;
	uint64_t rotation = 0;
	uint64_t part = 0;
	const void *chunk = "";
	struct fake_map *parts;
	size_t len = 0;
	bool last = false;

	(void)ctx;
	if (fake_asked("store.die-at-append", false))
		fake_die();
	if (fake_asked("store.slow", false))
		sleep(3);
	if (fake_asked("store.fail", true)) {
		pack_error(answer, MSG_APPEND, MSG_E_FAILED, "the disk is full");
		return;
	}
	view_str(request->body, "iface", iface, sizeof(iface));
	view_u64(request->body, "file_id", UINT64_MAX, &file_id);
	view_u64(request->body, "rotation", UINT64_MAX, &rotation);
	view_u64(request->body, "part", UINT64_MAX, &part);
	view_bool(request->body, "last", &last);
	view_bin(request->body, "chunk", &chunk, &len);
	snprintf(
	    map, sizeof(map), "%s %" PRIu64 " %" PRIu64 " ", iface, file_id, rotation);
	pack_answer(answer, MSG_APPEND);
	if (fake_store_has(map)) {
		pack_key_str(answer, "result", "known");
		return;
	}
	parts = fake_map(map, part == 0);
	if (part == 0 &&
	    view_interval(request->body, "interval", &parts->interval) != 0)
		abort();
	if (part != parts->part ||
	    len + strlen(parts->chunks) >= sizeof(parts->chunks)) {
		pack_error(answer, MSG_APPEND, MSG_E_SEQUENCE,
		    "part %" PRIu64 " is due", parts->part);
		return;
	}
	parts->part++;
	strncat(parts->chunks, chunk, len);
	if (!last) {
		pack_key_str(answer, "result", "more");
		return;
	}
	snprintf(line, sizeof(line), "%s%" PRId64 " %" PRId64 " %" PRIu64 " %s %s\n",
	    map, parts->interval.begin_ms, parts->interval.end_ms,
	    parts->interval.books.received.packets, parts->chunks,
	    parts->interval.link.known ? "link" : "-");
	memset(parts, 0, sizeof(*parts));
	fake_append_line("stored", line);
	if (fake_asked("store.die-after-append", false))
		fake_die();
	pack_key_str(answer, "result", "durable");
}

static void
fake_store_status(void *ctx, const struct msg *request, struct pack *answer)
{
	(void)ctx;
	pack_answer(answer, request->type);
	pack_key_str(answer, "path", "stored");
	pack_key_u64(answer, "bytes", 0);
}

static void
fake_store_flush(void *ctx, const struct msg *request, struct pack *answer)
{
	(void)ctx;
	if (fake_asked("store.slow-flush", true))
		sleep(3);
	fake_append_line("flushed", "1\n");
	pack_answer(answer, request->type);
}

static serve_handler *const worker_table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = fake_worker_status,
    [MSG_ROTATE] = fake_worker_rotate,
    [MSG_FETCH] = fake_worker_fetch,
    [MSG_RELEASE] = fake_worker_release,
    [MSG_DISABLE] = fake_worker_disable,
    [MSG_UPDATE] = fake_worker_update,
    [MSG_FLOWS] = fake_worker_flows,
    [MSG_ERRORS] = fake_worker_errors,
};

static serve_handler *const store_table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = fake_store_status,
    [MSG_APPEND] = fake_store_append,
    [MSG_FLUSH] = fake_store_flush,
};

/* `--user UID:GID` after the socket, which no other user may connect to. */
static int
fake_become(int argc, char **argv)
{
	unsigned uid;
	unsigned gid;

	if (argc < 5 || strcmp(argv[3], "--user") != 0)
		return 0;
	if (sscanf(argv[4], "%u:%u", &uid, &gid) != 2 || setgroups(0, NULL) < 0 ||
	    setgid(gid) < 0 || setuid(uid) < 0)
		return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	bool worker = strstr(argv[0], "weir-worker") != NULL;
	const char *dir = getenv("WEIR_FAKE_DIR");
	int rc;

	if (argc < 3 || strcmp(argv[1], "--socket") != 0 || !dir)
		return 2;
	if (fake_become(argc, argv) < 0)
		return CHILD_EXIT_PRIVILEGE;
	snprintf(fake_dir, sizeof(fake_dir), "%s", dir);
	if (worker) {
		rc = fake_worker_start();
		if (rc != 0)
			return rc;
	}
	if (lifeline_watch() != 0)
		return CHILD_EXIT_FAILED;
	rc = serve_child(argv[2], worker ? MSG_ROLE_WORKER : MSG_ROLE_STORE,
	    worker ? worker_table : store_table, NULL, NULL);
	return rc == 0 ? 0 : CHILD_EXIT_FAILED;
}
