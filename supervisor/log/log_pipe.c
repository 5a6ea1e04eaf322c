/* Bytes are taken as long as there is credit for them and somebody takes the lines; otherwise
 * the pipe is not watched and fills, until a timer looks again. Lines are put together in a buffer
 * of the longest line; of a longer one the rest is thrown away up to the newline. */
#include "supervisor/log/log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/iface.h"
#include "common/log.h"
#include "common/rate.h"
#include "common/text.h"

#define LOG_PIPE_CAPACITY (64 * 1024) /* what a pipe holds */
#define LOG_PIPE_PAUSE_MS 50
#define LOG_PIPE_PIECE 2048 /* its lines fit into the 4 KiB of a pipe that has room */
#define LOG_PIPE_TELL_MS 5000 /* lines left out are told that often */
#define LOG_PIPE_TOPIC_SIZE 24

struct log_pipe {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer pause;
	struct loop_timer tell;
	int fd;
	int pid;
	bool flows;
	char program[32];
	char iface[IFACE_NAME_SIZE];
	int64_t bytes_per_second;
	int64_t bytes; /* that may be read now */
	struct mono filled; /* ... counted up to then */
	struct rate lines; /* that may be passed on */
	uint64_t left_out;
	size_t used;
	bool cut; /* the rest of the line is thrown away */
	char line[LOG_LINE_SIZE];
};

static void log_pipe_on_readable(void *arg);

/* Whether it could be watched; else it is tried again after a pause. */
static void
log_pipe_watch(struct log_pipe *log)
{
	if (log->watch || log->fd < 0)
		return;
	if (loop_watch_fd(log->loop, log->fd, log_pipe_on_readable, log, &log->watch) !=
	    0)
		loop_timer_set(log->loop, &log->pause, LOG_PIPE_PAUSE_MS);
}

static void
log_pipe_on_pause(void *arg)
{
	log_pipe_watch(arg);
}

static void
log_pipe_relay(struct log_pipe *log, enum log_level level, const char *topic,
    const char *iface, const char *text)
{
	struct log_record record = {.level = level,
	    .pid = log->pid,
	    .program = log->program,
	    .iface = iface,
	    .topic = topic,
	    .text = text};

	log_relay(&record);
}

static void
log_pipe_tell(struct log_pipe *log)
{
	char text[80];

	loop_timer_clear(log->loop, &log->tell);
	if (log->left_out == 0)
		return;
	snprintf(text, sizeof(text), "%llu lines of this process were left out",
	    (unsigned long long)log->left_out);
	log->left_out = 0;
	log_pipe_relay(log, LOG_LEVEL_WARNING, "log", log->iface, text);
}

static void
log_pipe_on_tell(void *arg)
{
	log_pipe_tell(arg);
}

static void
log_pipe_fill(struct log_pipe *log)
{
	struct mono now = mono_now();
	int64_t ms = mono_ms_between(log->filled, now);

	if (ms <= 0)
		return;
	log->filled = mono_plus_ms(log->filled, ms);
	if (ms > 60 * MS_PER_S)
		ms = 60 * MS_PER_S;
	log->bytes += ms * log->bytes_per_second / MS_PER_S;
	if (log->bytes > log->bytes_per_second)
		log->bytes = log->bytes_per_second;
}

static bool
log_pipe_admit(struct log_pipe *log, enum log_level level, const char *topic)
{
	if (log->flows && strcmp(topic, "flow") == 0)
		return true;
	if (level == LOG_LEVEL_DEBUG && log_shows_debug())
		return true;
	if (!rate_take(&log->lines, LOG_PIPE_LINES_BURST, LOG_PIPE_LINES_PER_SECOND)) {
		log->left_out++;
		if (!log->tell.armed)
			loop_timer_set(log->loop, &log->tell, LOG_PIPE_TELL_MS);
		return false;
	}
	log_pipe_tell(log);
	return true;
}

/* `<3>` at the beginning. What has none was not written by common/log.c: the words of a
 * library or of a dying process. */
static enum log_level
log_pipe_level(const char **text, size_t *len)
{
	const char *at = *text;

	if (*len < 3 || at[0] != '<' || at[1] < '0' || at[1] > '7' || at[2] != '>')
		return LOG_LEVEL_WARNING;
	*text += 3;
	*len -= 3;
	switch (at[1]) {
	case '0':
	case '1':
	case '2':
	case '3':
		return LOG_LEVEL_ERR;
	case '4':
		return LOG_LEVEL_WARNING;
	case '7':
		return LOG_LEVEL_DEBUG;
	default:
		return LOG_LEVEL_INFO;
	}
}

/* `[eth0]` at text[*n], behind the topic, of a child that serves several interfaces: the
 * name, and *n behind it. One that serves a single one cannot speak for others. */
static void
log_pipe_iface(const struct log_pipe *log, const char *text, size_t len, size_t *n,
    char iface[static IFACE_NAME_SIZE])
{
	const char *end;

	snprintf(iface, IFACE_NAME_SIZE, "%s", log->iface);
	if (iface[0] != '\0' || *n >= len || text[*n] != '[')
		return;
	end = memchr(text + *n, ']', len - *n);
	if (!end)
		return;
	text_unescape_name(
	    iface, IFACE_NAME_SIZE, text + *n + 1, (size_t)(end - text) - *n - 1);
	*n = (size_t)(end - text) + 1;
}

static void
log_pipe_topic(const struct log_pipe *log, const char **text, size_t *len,
    char topic[static LOG_PIPE_TOPIC_SIZE], char iface[static IFACE_NAME_SIZE])
{
	size_t letters = 0;
	size_t n;

	while (letters < *len &&
	    (((*text)[letters] >= 'a' && (*text)[letters] <= 'z') ||
		(*text)[letters] == '_'))
		letters++;
	n = letters;
	log_pipe_iface(log, *text, *len, &n, iface);
	if (letters == 0 || letters >= LOG_PIPE_TOPIC_SIZE || n + 1 >= *len ||
	    (*text)[n] != ':' || (*text)[n + 1] != ' ') {
		snprintf(topic, LOG_PIPE_TOPIC_SIZE, "stderr");
		snprintf(iface, IFACE_NAME_SIZE, "%s", log->iface);
		return;
	}
	memcpy(topic, *text, letters);
	topic[letters] = '\0';
	*text += n + 2;
	*len -= n + 2;
}

/* The line in the buffer, which is empty afterwards. */
static void
log_pipe_line(struct log_pipe *log)
{
	const char *text = log->line;
	size_t len = log->used;
	char topic[LOG_PIPE_TOPIC_SIZE];
	char iface[IFACE_NAME_SIZE];
	char escaped[LOG_LINE_SIZE];
	enum log_level level;

	log->used = 0;
	if (len == 0)
		return;
	level = log_pipe_level(&text, &len);
	log_pipe_topic(log, &text, &len, topic, iface);
	if (!log_pipe_admit(log, level, topic))
		return;
	text_escape(escaped, sizeof(escaped), text, len);
	log_pipe_relay(log, level, topic, iface, escaped);
}

static void
log_pipe_take(struct log_pipe *log, const char *data, size_t len)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;
		size_t room = sizeof(log->line) - log->used;

		if (!log->cut) {
			memcpy(log->line + log->used, data, n < room ? n : room);
			log->used += n < room ? n : room;
		}
		if (!log->cut && n > room) {
			log_pipe_line(log);
			log->cut = true;
		}
		if (!end)
			return;
		if (!log->cut)
			log_pipe_line(log);
		log->cut = false;
		data += n + 1;
		len -= n + 1;
	}
}

static void
log_pipe_close(struct log_pipe *log)
{
	loop_unwatch(log->loop, log->watch);
	log->watch = NULL;
	loop_timer_clear(log->loop, &log->pause);
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	log_pipe_line(log);
}

/* At most `max` bytes; how many, 0 when there is nothing now or any more. */
static size_t
log_pipe_read(struct log_pipe *log, size_t max)
{
	char data[LOG_PIPE_PIECE];
	ssize_t n = read(log->fd, data, max < sizeof(data) ? max : sizeof(data));

	if (n > 0) {
		log_pipe_take(log, data, (size_t)n);
		return (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		log_pipe_close(log);
	return 0;
}

static void
log_pipe_on_readable(void *arg)
{
	struct log_pipe *log = arg;
	size_t taken = 0;
	bool ready = true;

	log_pipe_fill(log);
	while (log->fd >= 0 && log->bytes > 0 && taken < LOG_PIPE_TURN &&
	    (ready = log_ready())) {
		size_t n = log_pipe_read(log, LOG_PIPE_PIECE);

		if (n == 0)
			break;
		taken += n;
		log->bytes -= (int64_t)n;
	}
	if ((log->bytes <= 0 || !ready) && log->watch) {
		loop_unwatch(log->loop, log->watch);
		log->watch = NULL;
		loop_timer_set(log->loop, &log->pause, LOG_PIPE_PAUSE_MS);
	}
}

int
log_pipe_new(struct log_pipe **out, struct loop *loop, const char *program,
    const char *iface, bool flows, int *write_fd)
{
	struct log_pipe *log = calloc(1, sizeof(*log));
	int fds[2];
	int rc;

	if (!log)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		rc = -errno;
		free(log);
		return rc;
	}
	log->loop = loop;
	log->fd = fds[0];
	log->flows = flows;
	log->pause = (struct loop_timer){.fire = log_pipe_on_pause, .arg = log};
	log->tell = (struct loop_timer){.fire = log_pipe_on_tell, .arg = log};
	snprintf(log->program, sizeof(log->program), "%s", program);
	snprintf(log->iface, sizeof(log->iface), "%s", iface);
	log->bytes_per_second =
	    flows ? LOG_PIPE_FLOWS_BYTES_PER_SECOND : LOG_PIPE_BYTES_PER_SECOND;
	log->bytes = log->bytes_per_second;
	rate_init(&log->lines, LOG_PIPE_LINES_BURST);
	log->filled = mono_now();
	rc = loop_watch_fd(loop, log->fd, log_pipe_on_readable, log, &log->watch);
	if (rc != 0) {
		close(fds[0]);
		close(fds[1]);
		free(log);
		return rc;
	}
	*out = log;
	*write_fd = fds[1];
	return 0;
}

void
log_pipe_set_pid(struct log_pipe *log, int pid)
{
	log->pid = pid;
}

void
log_pipe_finish(struct log_pipe *log)
{
	size_t left = LOG_PIPE_CAPACITY;

	if (!log)
		return;
	log_pipe_fill(log);
	while (log->fd >= 0 && left > 0) {
		size_t n = log_pipe_read(log, left);

		if (n == 0)
			break;
		left -= n;
	}
	if (log->fd >= 0)
		log_pipe_close(log);
	log_pipe_tell(log);
}

void
log_pipe_free(struct log_pipe *log)
{
	if (!log)
		return;
	log_pipe_finish(log);
	loop_timer_clear(log->loop, &log->tell);
	free(log);
}
