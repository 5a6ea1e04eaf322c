/* One line per event: on stderr, written with one write(2) so that lines of several
 * processes do not mix, or handed to the sink that a program has installed. Programs log;
 * library folders (common/, proto/) return errors and never call this. On stderr a line is
 *
 *	<3>weir-worker[eth0]: capture: text
 *
 * with the priority prefix of sd-daemon(3) only where stderr goes to the journal
 * (JOURNAL_STREAM is set). In a process whose stderr is a pipe to the supervisor
 * (LOG_PIPE_VARIABLE is set) it is `<3>capture: text`, since the supervisor knows by itself
 * who writes there, or `<3>flow[eth0]: text` about another interface than that of
 * log_init(). In brackets a backslash is \x5c, a closing bracket \x5d. Control characters and bytes that are not UTF-8 are escaped.
 *
 * Lines are limited per topic and level: a burst, then so many a second. What was left out
 * is counted and told by one line. Debug lines, which somebody has asked for, are not.
 *
 * Safe from any thread; no stdio (its first use needs system calls a sandboxed worker
 * lacks). Nothing here waits for a reader, but log_iface_wait(). */
#ifndef WEIR_COMMON_LOG_H
#define WEIR_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_SIZE 1024 /* with the newline; what is longer is cut */
#define LOG_PIPE_VARIABLE "WEIR_LOG_PIPE"

/* Lines of one topic and level at once, and per second after that. */
#define LOG_LIMIT_BURST 50
#define LOG_LIMIT_PER_SECOND 5

enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Names the program, and optionally the interface it serves ("" or NULL for none).
 * Call before other threads exist. WEIR_DEBUG=1 in the environment shows debug lines. */
void log_init(const char *program, const char *iface);

/* Another limit; a burst of 0 is none at all, for programs whose lines are answers. */
void log_set_limit(unsigned burst, unsigned per_second);

/* `topic` is the subsystem, one word. */
void log_line(enum log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_err(topic, ...) log_line(LOG_LEVEL_ERR, topic, __VA_ARGS__)
#define log_warn(topic, ...) log_line(LOG_LEVEL_WARNING, topic, __VA_ARGS__)
#define log_info(topic, ...) log_line(LOG_LEVEL_INFO, topic, __VA_ARGS__)
#define log_debug(topic, ...) log_line(LOG_LEVEL_DEBUG, topic, __VA_ARGS__)

/* The same about an interface other than that of log_init(). `iface` is its name as the
 * kernel has it, any bytes; "" or NULL: none. */
void log_iface(enum log_level level, const char *topic, const char *iface,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#define log_iface_err(topic, iface, ...) \
	log_iface(LOG_LEVEL_ERR, topic, iface, __VA_ARGS__)
#define log_iface_warn(topic, iface, ...) \
	log_iface(LOG_LEVEL_WARNING, topic, iface, __VA_ARGS__)
#define log_iface_info(topic, iface, ...) \
	log_iface(LOG_LEVEL_INFO, topic, iface, __VA_ARGS__)
#define log_iface_debug(topic, iface, ...) \
	log_iface(LOG_LEVEL_DEBUG, topic, iface, __VA_ARGS__)

/* What stands before the text in a line of this level and topic, "\0" included at most
 * `size` bytes: for whoever must write a line without this module, from a signal's
 * handler. */
void log_head(enum log_level level, const char *topic, char *out, size_t size);

/* Tells of every topic how many lines were left out since that was told last. Otherwise
 * the next line of the topic that passes tells it. */
void log_flush_suppressed(void);

/* A line, as log_iface() takes it, that is not limited and not lost when stderr is a pipe that is full: waits for
 * room, at most *budget_ms, which becomes smaller by what was waited. 0; -ETIMEDOUT or
 * another negative errno when it is lost after all. */
int log_iface_wait(enum log_level level, const char *topic, const char *iface,
    int64_t *budget_ms, const char *format, ...) __attribute__((format(printf, 5, 6)));

struct log_record {
	enum log_level level;
	int pid; /* of the process it comes from */
	const char *program;
	const char *iface; /* as the kernel has it, any bytes; "" for none */
	const char *topic;
	const char *text; /* escaped, without newline */
};

/* Where lines go instead of stderr. `sink` is called from any thread, also by several at
 * the same time, and must not log. NULL: stderr again. Call before other threads exist. */
typedef void log_sink(void *arg, const struct log_record *record);
void log_set_sink(log_sink *sink, void *arg);

/* A line of another process, as it is: to the sink or to stderr, not limited. One that stderr
 * does not take at once is counted like a line that was lost. */
void log_relay(const struct log_record *record);

/* Whether stderr takes 4 KiB of lines from log_relay() at once. */
bool log_ready(void);

/* Whether WEIR_DEBUG asks for debug lines. */
bool log_shows_debug(void);

#endif
