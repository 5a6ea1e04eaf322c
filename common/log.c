#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_SIZE 1024

static struct {
	char program[32];
	char iface[32];
	bool journal;
	bool debug;
} log_state = {.program = "weir"};

void
log_init(const char *program, const char *iface)
{
	const char *debug = getenv("WEIR_DEBUG");

	snprintf(log_state.program, sizeof(log_state.program), "%s", program);
	if (iface && iface[0] != '\0')
		snprintf(log_state.iface, sizeof(log_state.iface), "[%s]", iface);
	else
		log_state.iface[0] = '\0';
	log_state.journal = getenv("JOURNAL_STREAM") != NULL;
	log_state.debug = debug && debug[0] != '\0' && strcmp(debug, "0") != 0;
}

void
log_line(enum log_level level, const char *topic, const char *format, ...)
{
	char line[LOG_LINE_SIZE];
	size_t used = 0;
	size_t text;
	va_list ap;
	int n;

	if (level == LOG_LEVEL_DEBUG && !log_state.debug)
		return;
	if (log_state.journal)
		used = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	text = used;
	n = snprintf(line + used, sizeof(line) - used, "%s%s: %s: ", log_state.program,
	    log_state.iface, topic);
	used += (size_t)n < sizeof(line) - used ? (size_t)n : 0;
	va_start(ap, format);
	n = vsnprintf(line + used, sizeof(line) - used - 1, format, ap);
	va_end(ap);
	if (n > 0)
		used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n
							    : sizeof(line) - used - 2;
	/* A name or a text from outside must not forge a line or drive a terminal. */
	for (size_t i = text; i < used; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[used++] = '\n';
	while (write(STDERR_FILENO, line, used) < 0)
		break; /* nothing to be done about a full or closed stderr */
}
