/* A line goes through three steps: admitted (a token bucket per topic and level, in a table
 * of fixed size under a lock that is held for a few comparisons), formatted and escaped in
 * buffers of the caller's own stack, delivered. Lines that stderr does not take are counted
 * as well; the next that it takes is preceded by the count. */
#include "common/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/iface.h"
#include "common/rate.h"
#include "common/text.h"

#define LOG_TOPIC_SIZE 24
#define LOG_BUCKETS 64 /* the last is shared by all topics that find no other */
#define LOG_WIDE_SIZE (LOG_LINE_SIZE + 192) /* all parts of a line, before it is cut */

/* What a pipe has room for when poll(2) says that it has any. That it has none it says, too,
 * while there is still room in its last page. */
#define LOG_ROOM PIPE_BUF

struct log_bucket {
	char topic[LOG_TOPIC_SIZE];
	enum log_level level; /* 0: not in use */
	struct rate rate;
	uint64_t left_out;
};

static struct {
	char program[32];
	char iface[32];
	bool priority; /* a prefix for the journal */
	bool pipe; /* the supervisor reads, and knows who we are */
	bool debug;
	log_sink *sink;
	void *sink_arg;
	atomic_uint_fast64_t lost; /* stderr did not take them */
	atomic_size_t room; /* bytes that stderr takes at once, as far as is known */
	pthread_mutex_t lock; /* of what follows */
	unsigned burst;
	unsigned per_second;
	struct log_bucket buckets[LOG_BUCKETS];
} log_state = {.program = "weir",
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .burst = LOG_LIMIT_BURST,
    .per_second = LOG_LIMIT_PER_SECOND};

static bool
log_variable_set(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] != '\0' && strcmp(value, "0") != 0;
}

void
log_init(const char *program, const char *iface)
{
	snprintf(log_state.program, sizeof(log_state.program), "%s", program);
	snprintf(log_state.iface, sizeof(log_state.iface), "%s", iface ? iface : "");
	log_state.pipe = log_variable_set(LOG_PIPE_VARIABLE);
	log_state.priority = log_state.pipe || getenv("JOURNAL_STREAM") != NULL;
	log_state.debug = log_variable_set("WEIR_DEBUG");
	log_set_limit(LOG_LIMIT_BURST, LOG_LIMIT_PER_SECOND);
}

void
log_set_limit(unsigned burst, unsigned per_second)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.burst = burst;
	log_state.per_second = per_second;
	memset(log_state.buckets, 0, sizeof(log_state.buckets));
	pthread_mutex_unlock(&log_state.lock);
}

void
log_set_sink(log_sink *sink, void *arg)
{
	log_state.sink = sink;
	log_state.sink_arg = arg;
}

/* Under the lock. */
static struct log_bucket *
log_bucket_of(enum log_level level, const char *topic)
{
	struct log_bucket *bucket = log_state.buckets;

	for (size_t i = 0; i < LOG_BUCKETS - 1 && bucket->level != 0; i++, bucket++) {
		if (bucket->level == level &&
		    strncmp(bucket->topic, topic, LOG_TOPIC_SIZE - 1) == 0)
			return bucket;
	}
	if (bucket->level == 0) {
		bool shared = bucket == &log_state.buckets[LOG_BUCKETS - 1];

		snprintf(bucket->topic, sizeof(bucket->topic), "%s",
		    shared ? "other" : topic);
		bucket->level = level;
		rate_init(&bucket->rate, log_state.burst);
	}
	return bucket;
}

/* Whether a line may go out; *left_out are those before it that might not. */
static bool
log_admit(enum log_level level, const char *topic, uint64_t *left_out)
{
	struct log_bucket *bucket;
	bool admitted;

	*left_out = 0;
	if (level == LOG_LEVEL_DEBUG)
		return true;
	pthread_mutex_lock(&log_state.lock);
	if (log_state.burst == 0) {
		pthread_mutex_unlock(&log_state.lock);
		return true;
	}
	bucket = log_bucket_of(level, topic);
	admitted = rate_take(&bucket->rate, log_state.burst, log_state.per_second);
	if (admitted) {
		*left_out = bucket->left_out;
		bucket->left_out = 0;
	} else {
		bucket->left_out++;
	}
	pthread_mutex_unlock(&log_state.lock);
	return admitted;
}

/* In a line the name stands in brackets, which it must not end early. */
static void
log_escape_iface(char out[static IFACE_SHOWN_SIZE], const char *iface)
{
	char escaped[IFACE_SHOWN_SIZE];
	size_t used = 0;

	for (const char *p = iface_shown(iface, escaped); *p != '\0'; p++) {
		if (*p == ']') {
			if (used + 4 >= IFACE_SHOWN_SIZE)
				break;
			used += (size_t)snprintf(out + used, 5, "\\x5d");
		} else {
			if (used + 1 >= IFACE_SHOWN_SIZE)
				break;
			out[used++] = *p;
		}
	}
	out[used] = '\0';
}

/* The line with its newline, cut between characters. Returns its length. */
static size_t
log_compose(char line[static LOG_LINE_SIZE], const struct log_record *record)
{
	char wide[LOG_WIDE_SIZE];
	char iface[IFACE_SHOWN_SIZE];
	char prefix[8] = "";
	bool named = record->iface[0] != '\0';
	size_t len;

	/* Whoever reads the pipe knows of which interface the process is. */
	if (log_state.pipe && strcmp(record->iface, log_state.iface) == 0)
		named = false;

	if (log_state.priority)
		snprintf(prefix, sizeof(prefix), "<%u>", (unsigned)record->level % 8);
	log_escape_iface(iface, record->iface);
	if (log_state.pipe)
		snprintf(wide, sizeof(wide), "%s%s%s%s%s: %s", prefix, record->topic,
		    named ? "[" : "", named ? iface : "", named ? "]" : "",
		    record->text);
	else
		snprintf(wide, sizeof(wide), "%s%s%s%s%s: %s: %s", prefix,
		    record->program, named ? "[" : "", iface, named ? "]" : "",
		    record->topic, record->text);
	len = strlen(wide);
	if (len > LOG_LINE_SIZE - 1) {
		len = LOG_LINE_SIZE - 1;
		while (len > 0 && ((unsigned char)wide[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(line, wide, len);
	line[len] = '\n';
	return len + 1;
}

/* One write: a pipe takes it as a whole or, when it is full, not at all. */
static int
log_write(const char *line, size_t len)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static struct log_record
log_own_record(enum log_level level, const char *topic, const char *iface)
{
	return (struct log_record){.level = level,
	    .pid = (int)getpid(),
	    .program = log_state.program,
	    .iface = iface ? iface : log_state.iface,
	    .topic = topic};
}

/* With `wait`, for whoever reads. Otherwise what is written is taken from the room that is
 * known to be there; what another thread has written meanwhile leaves none. */
static int
log_write_record(const struct log_record *record, bool wait)
{
	char line[LOG_LINE_SIZE];
	size_t len = log_compose(line, record);
	size_t room = atomic_load(&log_state.room);

	if (wait) {
		atomic_store(&log_state.room, 0);
		return log_write(line, len);
	}
	if (room < len) {
		if (!log_ready())
			return -EAGAIN;
		room = LOG_ROOM;
	}
	atomic_compare_exchange_strong(&log_state.room, &room, room - len);
	return log_write(line, len);
}

static void
log_tell_lost(bool wait)
{
	uint64_t lost = atomic_exchange(&log_state.lost, 0);
	struct log_record record;
	char text[80];

	if (lost == 0)
		return;
	snprintf(text, sizeof(text), "%llu lines were lost: nobody took them in time",
	    (unsigned long long)lost);
	record = log_own_record(LOG_LEVEL_WARNING, "log", NULL);
	record.text = text;
	if (log_write_record(&record, wait) != 0)
		atomic_fetch_add(&log_state.lost, lost);
}

bool
log_ready(void)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	/* What is wrong with it is the business of the write, which will not wait then. */
	bool ready = log_state.sink || poll(&fd, 1, 0) != 0;

	atomic_store(&log_state.room, ready ? LOG_ROOM : 0);
	return ready;
}

bool
log_shows_debug(void)
{
	return log_state.debug;
}

static void
log_deliver(const struct log_record *record, bool wait)
{
	if (log_state.sink) {
		log_state.sink(log_state.sink_arg, record);
		return;
	}
	log_tell_lost(wait);
	if (log_write_record(record, wait) != 0)
		atomic_fetch_add(&log_state.lost, 1);
}

void
log_relay(const struct log_record *record)
{
	log_deliver(record, false);
}

static void
log_tell_left_out(enum log_level level, const char *topic, uint64_t left_out)
{
	struct log_record record;
	char text[80];

	if (left_out == 0)
		return;
	snprintf(text, sizeof(text), "%llu lines like these were left out",
	    (unsigned long long)left_out);
	/* Of whichever interfaces. */
	record = log_own_record(level, topic, NULL);
	record.text = text;
	log_deliver(&record, true);
}

/* A name or a text from outside must not forge a line or drive a terminal. */
static void __attribute__((format(printf, 2, 0)))
log_format(char text[static LOG_LINE_SIZE], const char *format, va_list ap)
{
	char raw[LOG_LINE_SIZE];
	int n = vsnprintf(raw, sizeof(raw), format, ap);

	if (n < 0)
		n = 0;
	text_escape(text, LOG_LINE_SIZE, raw,
	    (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1);
}

static void __attribute__((format(printf, 4, 0))) log_event(enum log_level level,
    const char *topic, const char *iface, const char *format, va_list ap)
{
	struct log_record record = log_own_record(level, topic, iface);
	char text[LOG_LINE_SIZE];
	uint64_t left_out;

	if (level == LOG_LEVEL_DEBUG && !log_state.debug)
		return;
	if (!log_admit(level, topic, &left_out))
		return;
	log_tell_left_out(level, topic, left_out);
	log_format(text, format, ap);
	record.text = text;
	log_deliver(&record, true);
}

void
log_line(enum log_level level, const char *topic, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_event(level, topic, NULL, format, ap);
	va_end(ap);
}

void
log_iface(
    enum log_level level, const char *topic, const char *iface, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_event(level, topic, iface ? iface : "", format, ap);
	va_end(ap);
}

void
log_head(enum log_level level, const char *topic, char *out, size_t size)
{
	struct log_record record = log_own_record(level, topic, NULL);
	char line[LOG_LINE_SIZE];
	size_t len;

	record.text = "";
	len = log_compose(line, &record) - 1;
	line[len] = '\0';
	snprintf(out, size, "%s", line);
}

void
log_flush_suppressed(void)
{
	for (size_t i = 0; i < LOG_BUCKETS; i++) {
		struct log_bucket *bucket = &log_state.buckets[i];
		char topic[LOG_TOPIC_SIZE];
		enum log_level level;
		uint64_t left_out;

		pthread_mutex_lock(&log_state.lock);
		memcpy(topic, bucket->topic, sizeof(topic));
		level = bucket->level;
		left_out = bucket->left_out;
		bucket->left_out = 0;
		pthread_mutex_unlock(&log_state.lock);
		log_tell_left_out(level, topic, left_out);
	}
}

static int
log_write_wait(const char *line, size_t len, int64_t *budget_ms)
{
	struct mono begin = mono_now();
	int64_t left = *budget_ms;
	int rc;

	for (;;) {
		struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
		/* Also where writing would wait by itself, and for ever. */
		int n = poll(&fd, 1, (int)(left < 60000 ? left : 60000));

		rc = n < 0 && errno != EINTR ? -errno
		    : n > 0                  ? log_write(line, len)
					     : -EAGAIN;
		if (rc != -EAGAIN)
			break;
		if (left == 0) {
			rc = -ETIMEDOUT;
			break;
		}
		left = *budget_ms - mono_ms_between(begin, mono_now());
		if (left < 0)
			left = 0;
	}
	/* What is less than a millisecond is nothing: lines are many. */
	left = *budget_ms - mono_ms_between(begin, mono_now());
	*budget_ms = left > 0 ? left : 0;
	return rc;
}

int
log_iface_wait(enum log_level level, const char *topic, const char *iface,
    int64_t *budget_ms, const char *format, ...)
{
	struct log_record record = log_own_record(level, topic, iface);
	char text[LOG_LINE_SIZE];
	char line[LOG_LINE_SIZE];
	va_list ap;

	va_start(ap, format);
	log_format(text, format, ap);
	va_end(ap);
	record.text = text;
	if (log_state.sink) {
		log_state.sink(log_state.sink_arg, &record);
		return 0;
	}
	return log_write_wait(line, log_compose(line, &record), budget_ms);
}
