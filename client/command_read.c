/* weirctl read: for each file a worker in file mode, whose frames become rows as they
 * come; the last frame has the books. A file that ends in a fault still shows what was
 * read of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/file_worker.h"
#include "client/output/flow_rows.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/flow_map.h"
#include "proto/frame.h"
#include "proto/parts.h"

struct reading {
	const struct client *client;
	struct output *out;
	const char *worker_path;
	const char *name; /* of the file, as given */
	char shown[512]; /* the same, safe to print */
	bool several;
	bool failed;
	struct interval interval;
	char link_type[64];
	char error[MSG_TEXT_MAX * 4 + 1]; /* why reading ended early; "" */
};

/* With the file's name first where several files end up in one flat table. */
static struct flow_rows
flow_rows_of(const struct reading *reading)
{
	if (reading->several && reading->out->ops->flat)
		return (struct flow_rows){reading->out, FLOW_ROWS_FILE, reading->name};
	return (struct flow_rows){.out = reading->out};
}

/* Does what one frame says. 1 when it was the last one, 0 to go on, negative errno. */
static int
take_frame(struct reading *reading, const struct msg *msg)
{
	const void *chunk;
	size_t len;

	switch (msg->type) {
	case MSG_MAP:
		if (reading->client->books_only)
			return -EPROTO;
		if (view_bin(msg->body, "chunk", &chunk, &len) != 0)
			return -EPROTO;
		struct flow_rows rows = flow_rows_of(reading);
		return flow_map_each(chunk, len, flow_rows_add, &rows);
	case MSG_BOOKS:
		if (view_interval(msg->body, "interval", &reading->interval) != 0)
			return -EPROTO;
		view_text(msg->body, "link_type", reading->link_type,
		    sizeof(reading->link_type));
		view_text(msg->body, "error", reading->error, sizeof(reading->error));
		return 1;
	default:
		return -EPROTO;
	}
}

/* All frames of a worker: 0 when the books have come, -EPIPE when nobody reads our
 * output any more, other negative errno. */
static int
take_frames(struct reading *reading, int fd)
{
	struct msg msg;
	void *data;
	size_t len;
	int rc = 0;

	while (rc == 0) {
		if (ferror(reading->out->file))
			return -EPIPE;
		rc = frame_read(fd, &data, &len);
		if (rc != 0)
			return rc;
		rc = msg_parse(&msg, data, len);
		if (rc == 0) {
			rc = take_frame(reading, &msg);
			msg_fini(&msg);
		}
		free(data);
	}
	return rc == 1 ? 0 : rc;
}

static void
fail(struct reading *reading, const char *reason)
{
	log_err("read", "%s: %s", reading->shown, reason);
	snprintf(reading->error, sizeof(reading->error), "%s", reason);
	reading->failed = true;
}

static void
run_worker(struct reading *reading, int input)
{
	struct file_worker worker;
	char how[128] = "";
	char reason[256];
	int rc, end;

	rc = file_worker_start(
	    &worker, reading->worker_path, input, reading->client->books_only);
	if (rc != 0) {
		snprintf(reason, sizeof(reason), "weir-worker cannot be started: %s",
		    strerror(-rc));
		fail(reading, reason);
		return;
	}
	rc = take_frames(reading, worker.fd);
	end = file_worker_end(&worker, how, sizeof(how));
	if (rc == -EPIPE && ferror(reading->out->file))
		return; /* client_finish() tells what is to be told */
	if (rc == 0) {
		/* the books have come, so the worker's end does not matter any more */
		if (reading->error[0] != '\0') {
			log_err("read", "%s: %s", reading->shown, reading->error);
			reading->failed = true;
		}
		return;
	}
	if (rc == -ENODATA || end != 0)
		snprintf(reason, sizeof(reason),
		    "weir-worker ended before the books were written: %s",
		    how[0] != '\0' ? how : "exit code 0");
	else
		snprintf(
		    reason, sizeof(reason), "weir-worker's answer: %s", strerror(-rc));
	fail(reading, reason);
}

static int
open_input(struct reading *reading, const char **why)
{
	int fd;

	if (strcmp(reading->name, "-") != 0) {
		fd = open(reading->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		*why = fd < 0 ? strerror(errno) : NULL;
		return fd;
	}
	if (isatty(STDIN_FILENO)) {
		*why = "standard input is a terminal; give it a capture";
		return -1;
	}
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	*why = fd < 0 ? strerror(errno) : NULL;
	return fd;
}

static void
show_books(struct reading *reading)
{
	const struct books *books = &reading->interval.books;
	struct output *out = reading->out;

	if (books_rows_wanted(reading->client, out, reading->several))
		books_row(out, reading->name, books, reading->link_type);
	else
		out->ops->books(out, "books", books);
}

static void
warn_link_type(const struct reading *reading)
{
	const struct counter *refused =
	    &reading->interval.books.refused[REFUSED_LINK_TYPE];

	if (refused->packets > 0)
		log_warn("read",
		    "%s: link type %s is not decoded: %llu packets are in no flow",
		    reading->shown, reading->link_type,
		    (unsigned long long)refused->packets);
}

static void
read_one(struct reading *reading, int fd)
{
	struct output *out = reading->out;
	bool groups = reading->several && !out->ops->flat &&
	    !books_rows_wanted(reading->client, out, true);
	static const struct column name_column[] = {{"file", NULL, .unit = UNIT_NONE}};
	static const struct column error_column[] = {
	    {"error", NULL, .unit = UNIT_NONE}};
	struct value value = VALUE_OF_TEXT(reading->name);
	struct flow_rows rows = flow_rows_of(reading);

	if (groups) {
		out->ops->group_begin(out, NULL, reading->name);
		out->ops->fields(out, NULL, name_column, &value, 1);
	}
	if (!reading->client->books_only)
		flow_rows_begin(&rows);
	if (fd >= 0)
		run_worker(reading, fd);
	if (!reading->client->books_only)
		out->ops->rows_end(out, NULL);
	if (!out->ops->exact && !reading->client->books_only)
		output_note(out, "%s", "");
	show_books(reading);
	warn_link_type(reading);
	if (groups) {
		if (reading->error[0] != '\0') {
			value = VALUE_OF_TEXT(reading->error);
			out->ops->fields(out, NULL, error_column, &value, 1);
		}
		out->ops->group_end(out);
	}
}

int
command_read(const struct client *client)
{
	struct reading reading = {
	    .client = client, .several = client->operand_count > 1};
	struct output out;
	char worker_path[PATH_MAX];
	const char *why = NULL;
	int code = EXIT_DONE;
	bool rows = false;
	int fd = -1;

	if (file_worker_find(worker_path, sizeof(worker_path)) != 0) {
		log_err("read",
		    "%s: no such program; WEIR_LIBEXECDIR names the directory that has "
		    "it",
		    worker_path);
		return EXIT_FAILED;
	}
	reading.worker_path = worker_path;
	reading.out = &out;
	for (size_t i = 0; i < client->operand_count; i++) {
		memset(&reading.interval, 0, sizeof(reading.interval));
		reading.link_type[0] = '\0';
		reading.error[0] = '\0';
		reading.failed = false;
		reading.name = client->operands[i];
		text_escape(reading.shown, sizeof(reading.shown), reading.name,
		    strlen(reading.name));
		fd = open_input(&reading, &why);
		if (fd < 0)
			fail(&reading, why);
		/* nothing is known of a single file: no document without content */
		if (fd < 0 && !reading.several)
			return EXIT_FAILED;
		if (i == 0) {
			output_open(&out, client->output, stdout);
			rows = books_rows_wanted(client, &out, reading.several);
			if (rows)
				books_rows_begin(&out);
			else if (reading.several)
				out.ops->list_begin(&out, "files");
		}
		read_one(&reading, fd);
		if (fd >= 0)
			close(fd);
		if (reading.failed)
			code = EXIT_FAILED;
	}
	if (rows)
		out.ops->rows_end(&out, NULL);
	else if (reading.several)
		out.ops->list_end(&out);
	return client_finish(client, &out, code);
}
