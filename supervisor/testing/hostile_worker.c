/* Started as weir-worker. For an interface that has a file in $WEIR_HOSTILE_DIR it plays the
 * trick that is named in there; for every other it becomes the real one, which lies in
 * $WEIR_HOSTILE_REAL. It speaks the wire protocol itself, since a library would keep it
 * from breaking it. One thread; counts nothing, and pretends to. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/child.h"
#include "proto/flow_map.h"
#include "proto/frame.h"
#include "supervisor/testing/hostile.h"

static void
hostile_take(const struct hostile *hostile, void *into, size_t len)
{
	uint8_t *at = into;

	while (len > 0) {
		ssize_t n = read(hostile->fd, at, len);

		if (n <= 0)
			_exit(0); /* the supervisor has hung up */
		at += n;
		len -= (size_t)n;
	}
}

void
hostile_put(struct hostile *hostile, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t n = send(hostile->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

void
hostile_put_head(struct hostile *hostile, uint64_t announced)
{
	uint8_t head[9] = {1};

	announced = htobe64(announced);
	memcpy(head + 1, &announced, sizeof(announced));
	hostile_put(hostile, head, sizeof(head));
}

void
hostile_send(struct hostile *hostile, const uint8_t id[4], const void *data, size_t len)
{
	hostile_put_head(hostile, 4 + len);
	hostile_put(hostile, id, 4);
	hostile_put(hostile, data, len);
}

void
hostile_pack_chunk(struct pack *out, uint64_t packets)
{
	struct flow_record flow = {.family = FAMILY_IPV4,
	    .src = {10, 66, 0, 1},
	    .dst = {10, 66, 0, 2},
	    .sport = 40000,
	    .dport = 53,
	    .proto = 17,
	    .first_ns = 1,
	    .last_ns = 2,
	    .conversations = 1};

	flow.count[RECEIVED][FWD].packets = packets;
	flow.count[RECEIVED][FWD].bytes = 100 * packets;
	flow_map_pack(out, &flow);
}

/*
 * What an honest one answers.
 */

static void
hostile_interval(struct interval *interval, int64_t end_ms)
{
	*interval = (struct interval){.begin_ms = end_ms - 1000,
	    .end_ms = end_ms,
	    .length_ns = NS_PER_S,
	    .flows = 1};
	interval->books.received = interval->books.in_flows =
	    (struct counter){HOSTILE_PACKETS, HOSTILE_BYTES};
}

static void
answer_status(struct hostile *hostile)
{
	struct pack *answer = &hostile->answer;
	struct interval running;

	hostile_interval(&running, wall_now().ns / NS_PER_MS);
	pack_key_str(answer, "state", hostile->disabled ? "uninitialized" : "active");
	pack_key_str(answer, "reason", "");
	pack_key_str(answer, "reason_text", "");
	pack_key_u64(answer, "file_id", hostile->file_id);
	pack_key_u64(answer, "seq", hostile->seq);
	if (hostile->frozen != 0) {
		pack_key_map(answer, "frozen");
		pack_key_u64(answer, "seq", hostile->frozen);
		pack_key_u64(answer, "flows", 1);
		pack_key_interval(answer, "interval", &hostile->interval);
		pack_end(answer);
	}
	pack_key_interval(answer, "interval", &running);
}

static void
answer_fetch(struct hostile *hostile)
{
	struct pack *answer = &hostile->answer;
	struct pack chunk;

	pack_init(&chunk);
	hostile_pack_chunk(&chunk, HOSTILE_PACKETS);
	pack_key_u64(answer, "cursor", 0);
	pack_key_u64(answer, "next", 1);
	pack_key_bool(answer, "last", true);
	pack_key_u64(answer, "flows", 1);
	pack_key_bin(answer, "chunk", chunk.buffer.data, chunk.buffer.size);
	pack_fini(&chunk);
}

static void
answer_request(struct hostile *hostile)
{
	struct pack *answer = &hostile->answer;
	int64_t end_ms = 0;

	pack_clear(answer);
	pack_answer(answer, hostile->request->type);
	/* It is told the next number, and takes it. */
	(void)view_u64(hostile->request->body, "seq", UINT64_MAX, &hostile->seq);
	switch (hostile->request->type) {
	case MSG_STATUS:
		answer_status(hostile);
		break;
	case MSG_ROTATE:
		(void)view_i64(hostile->request->body, "end_ms", &end_ms);
		hostile_interval(&hostile->interval, end_ms);
		hostile->frozen = hostile->seq;
		pack_key_interval(answer, "interval", &hostile->interval);
		pack_key_u64(answer, "file_id", hostile->file_id);
		break;
	case MSG_FETCH:
		answer_fetch(hostile);
		break;
	case MSG_RELEASE:
		hostile->frozen = 0;
		break;
	case MSG_DISABLE:
		hostile->disabled = true;
		pack_key_str(answer, "state", "uninitialized");
		break;
	default:
		break;
	}
}

static bool
hostile_trick_is_due(const struct hostile *hostile)
{
	const struct trick *trick = hostile->trick;

	return (trick->at == MSG_NONE || trick->at == hostile->request->type) &&
	    (trick->at_once ||
		mono_ms_between(hostile->started, mono_now()) >= HOSTILE_HEALTHY_MS);
}

static void
hostile_serve(struct hostile *hostile)
{
	for (;;) {
		static uint8_t message[MSG_REQUEST_SIZE_MAX];
		uint8_t head[9];
		uint64_t len;
		struct msg request;

		hostile_take(hostile, head, sizeof(head));
		memcpy(&len, head + 1, sizeof(len));
		len = be64toh(len) - sizeof(hostile->id);
		if (len > sizeof(message))
			abort();
		hostile_take(hostile, hostile->id, sizeof(hostile->id));
		hostile_take(hostile, message, len);
		if (msg_parse(&request, message, len) != 0)
			abort();
		hostile->request = &request;
		answer_request(hostile);
		if (!hostile_trick_is_due(hostile) || hostile->trick->play(hostile)) {
			if (pack_finish(&hostile->answer) != 0)
				abort();
			hostile_send(hostile, hostile->id, hostile->answer.buffer.data,
			    hostile->answer.buffer.size);
		}
		msg_fini(&request);
	}
}

void
hostile_dial(struct hostile *hostile, const char *path)
{
	static const uint8_t rep[8] = {0, 'S', 'P', 0, 0, 0x31};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint8_t req[8];

	if (strlen(path) >= sizeof(address.sun_path))
		abort();
	strcpy(address.sun_path, path);
	hostile->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (hostile->fd < 0 ||
	    connect(hostile->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		exit(CHILD_EXIT_FAILED);
	hostile_put(hostile, rep, sizeof(rep));
	hostile_take(hostile, req, sizeof(req));
}

/* As the real one does: it has the rights of a worker, and no more. */
static void
hostile_become(const char *user)
{
	unsigned uid;
	unsigned gid;

	if (sscanf(user, "%u:%u", &uid, &gid) != 2)
		exit(2);
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0))
		exit(CHILD_EXIT_PRIVILEGE);
}

static void
hostile_take_assignment(struct hostile *hostile)
{
	struct msg first;
	void *data;
	size_t len;

	if (frame_read(CHILD_FD_START, &data, &len) != 0 ||
	    msg_parse(&first, data, len) != 0)
		exit(CHILD_EXIT_FAILED);
	(void)view_u64(first.body, "file_id", UINT64_MAX, &hostile->file_id);
	msg_fini(&first);
	free(data);
}

static const struct trick *
trick_find(const struct trick *tricks, const char *name)
{
	while (tricks->name && strcmp(tricks->name, name) != 0)
		tricks++;
	return tricks->name ? tricks : NULL;
}

/* The trick for the interface, or NULL. */
static const struct trick *
hostile_choose(const char *iface)
{
	const char *dir = getenv("WEIR_HOSTILE_DIR");
	const struct trick *trick;
	char path[512];
	char name[32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "", iface);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	if (fscanf(file, "%31s", name) != 1)
		exit(2);
	fclose(file);
	trick = trick_find(wire_tricks, name);
	if (!trick)
		trick = trick_find(answer_tricks, name);
	if (!trick) {
		fprintf(stderr, "no such trick: %s\n", name);
		exit(2);
	}
	return trick;
}

static int
become_the_real_one(char **argv)
{
	const char *dir = getenv("WEIR_HOSTILE_REAL");
	char path[512];

	snprintf(path, sizeof(path), "%s/weir-worker", dir ? dir : "");
	execv(path, argv);
	return 127;
}

/* weir-worker --socket PATH --user UID:GID -- IFACE */
int
main(int argc, char **argv)
{
	struct hostile hostile = {.started = mono_now()};

	if (argc == 7 && strcmp(argv[1], "--socket") == 0)
		hostile.trick = hostile_choose(argv[6]);
	if (!hostile.trick)
		return become_the_real_one(argv);
	snprintf(hostile.iface, sizeof(hostile.iface), "%s", argv[6]);
	hostile_become(argv[4]);
	hostile_take_assignment(&hostile);
	pack_init(&hostile.answer);
	hostile.path = argv[2];
	hostile_dial(&hostile, argv[2]);
	hostile_serve(&hostile);
	return 0;
}
