/* One line per event on stderr, written with one write(2) so that lines of several
 * processes do not mix. Programs log; library folders (common/, proto/) return errors
 * and never call this. The line is
 *
 *	<3>weir-worker[eth0]: capture: text
 *
 * with the priority prefix of sd-daemon(3) only where stderr goes to the journal
 * (JOURNAL_STREAM is set). Control characters in the text are escaped. Safe from any
 * thread; no stdio (its first use needs system calls a sandboxed worker lacks). */
#ifndef WEIR_COMMON_LOG_H
#define WEIR_COMMON_LOG_H

enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Names the program, and optionally the interface it serves ("" or NULL for none).
 * Call before other threads exist. WEIR_DEBUG=1 in the environment shows debug lines. */
void log_init(const char *program, const char *iface);

/* `topic` is the subsystem, one word. */
void log_line(enum log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_err(topic, ...) log_line(LOG_LEVEL_ERR, topic, __VA_ARGS__)
#define log_warn(topic, ...) log_line(LOG_LEVEL_WARNING, topic, __VA_ARGS__)
#define log_info(topic, ...) log_line(LOG_LEVEL_INFO, topic, __VA_ARGS__)
#define log_debug(topic, ...) log_line(LOG_LEVEL_DEBUG, topic, __VA_ARGS__)

#endif
