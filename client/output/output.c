#include "client/output/output.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct output_ops *
output_find(const char *name)
{
	static const struct output_ops *const all[] = {
	    &output_table, &output_csv, &output_json};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}

/* Only a terminal has a width; a file or a pipe takes whole lines, unless somebody says
 * otherwise by COLUMNS. */
static unsigned
terminal_width(FILE *file)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int fd = fileno(file);

	if (columns && columns[0] != '\0') {
		char *end;
		unsigned long n = strtoul(columns, &end, 10);
		if (*end == '\0' && n > 0 && n < 10000)
			return (unsigned)n;
	}
	if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

void
output_open(struct output *out, const struct output_ops *ops, FILE *file)
{
	memset(out, 0, sizeof(*out));
	out->ops = ops;
	out->file = file;
	out->width = terminal_width(file);
	out->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	ops->begin(out);
}

/* stdio keeps that a write failed, not why: a pipe without a reader can still be told. */
static bool
reader_gone(FILE *file)
{
	struct pollfd pfd = {.fd = fileno(file), .events = POLLOUT};

	return pfd.fd >= 0 && poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLERR);
}

int
output_close(struct output *out)
{
	out->ops->end(out);
	errno = 0;
	if (fflush(out->file) == 0 && !ferror(out->file))
		return 0;
	if (errno == 0)
		errno = reader_gone(out->file) ? EPIPE : EIO;
	return -errno;
}

void
output_note(struct output *out, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	out->ops->note(out, text);
}
