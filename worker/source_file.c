/* A capture file or a pipe, as far as libpcap reads it: pcap and pcapng. libpcap cannot
 * read compressed files, and people keep their captures compressed; so every byte comes
 * through zlib, which hands on what is not gzip as it is. It reads forward only, so a
 * pipe is as good as a file, and nothing is unpacked to disk.
 *
 * A file says nothing about the direction: every packet counts as received. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/clock.h"
#include "worker/source.h"

#define FILE_BUFFER (128u * 1024) /* zlib's, twice of it */

struct file {
	struct source source;
	gzFile gz;
	pcap_t *pcap; /* owns the FILE that reads from gz */
	FILE *unread; /* that FILE while there is no pcap */
	int link_type;
};

static struct file *
file_of(struct source *source)
{
	return (struct file *)source;
}

static const struct file *
file_of_const(const struct source *source)
{
	return (const struct file *)source;
}

static ssize_t
file_cookie_read(void *cookie, char *buffer, size_t size)
{
	struct file *file = cookie;
	int n =
	    gzread(file->gz, buffer, size > FILE_BUFFER ? FILE_BUFFER : (unsigned)size);

	if (n < 0)
		errno = EIO;
	return n;
}

/* What is wrong with the compressed bytes, or NULL. */
static const char *
file_gzip_trouble(struct file *file)
{
	int code = Z_OK;
	const char *words = gzerror(file->gz, &code);

	if (code == Z_OK || code == Z_STREAM_END)
		return NULL;
	return code == Z_BUF_ERROR ? "the compressed file is cut off" : words;
}

/* zlib's word when it has one, since libpcap only knows that the bytes ended. */
static int
file_fault(struct file *file, struct source_fault *fault, enum source_reason reason,
    const char *text)
{
	const char *trouble = file_gzip_trouble(file);

	source_fault_set(fault, reason, "%s", trouble ? trouble : text);
	return -EIO;
}

static int
file_open(struct source **out, const struct source_options *options,
    struct source_fault *fault)
{
	const cookie_io_functions_t functions = {.read = file_cookie_read};
	struct file *file = calloc(1, sizeof(*file));
	int fd = -1;

	if (!file)
		goto no_memory;
	file->source.ops = &source_file;
	fd = dup(options->fd);
	if (fd < 0) {
		source_fault_set(fault, SOURCE_OPEN_FAILED, "%s", strerror(errno));
		free(file);
		return -EBADF;
	}
	file->gz = gzdopen(fd, "rb");
	if (!file->gz)
		goto no_memory;
	fd = -1; /* gz owns it */
	if (gzbuffer(file->gz, FILE_BUFFER) != 0)
		goto no_memory;
	file->unread = fopencookie(file, "rb", functions);
	if (!file->unread)
		goto no_memory;
	(void)setvbuf(file->unread, NULL, _IOFBF, FILE_BUFFER);
	*out = &file->source;
	return 0;
no_memory:
	source_fault_set(fault, SOURCE_OPEN_FAILED, "out of memory");
	if (fd >= 0)
		close(fd);
	if (file && file->gz)
		gzclose(file->gz);
	free(file);
	return -ENOMEM;
}

static int
file_activate(struct source *source, struct source_fault *fault)
{
	struct file *file = file_of(source);
	char text[PCAP_ERRBUF_SIZE] = "";

	file->pcap = pcap_fopen_offline_with_tstamp_precision(
	    file->unread, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!file->pcap)
		return file_fault(file, fault, SOURCE_OPEN_FAILED, text);
	file->unread = NULL;
	file->link_type = pcap_datalink(file->pcap);
	return 0;
}

static unsigned
file_poll(struct source *source, struct pollfd fds[SOURCE_HANDLES_MAX], int *wait_ms)
{
	(void)source;
	(void)fds;
	*wait_ms = 0; /* always worth a try: the reading itself waits */
	return 0;
}

struct delivery {
	int link_type;
	source_sink *sink;
	void *arg;
};

static void
file_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	const struct delivery *to = (const struct delivery *)(const void *)user;
	const struct packet packet = {
	    .ts_ns = packet_time_ns(header->ts.tv_sec, header->ts.tv_usec),
	    .wire_len = header->len,
	    .caplen = header->caplen,
	    .data = data,
	    .link_type = to->link_type,
	    .observed = RECEIVED,
	};

	to->sink(to->arg, &packet);
}

static int
file_dispatch(struct source *source, unsigned most, source_sink *sink, void *arg,
    struct source_fault *fault)
{
	struct file *file = file_of(source);
	struct delivery to = {file->link_type, sink, arg};
	int n =
	    pcap_dispatch(file->pcap, (int)most, file_packet, (u_char *)(void *)&to);

	if (n < 0)
		return file_fault(
		    file, fault, SOURCE_READ_FAILED, pcap_geterr(file->pcap));
	if (n > 0)
		return n;
	/* A cut compressed file may end between two packets, which libpcap takes for the
	 * end. */
	if (file_gzip_trouble(file))
		return file_fault(file, fault, SOURCE_READ_FAILED, "");
	return -ENODATA;
}

static int
file_set_filter(struct source *source, const char *text, struct source_fault *fault)
{
	(void)source;
	(void)text;
	source_fault_set(fault, SOURCE_FILTER, "a file is not filtered");
	return -EOPNOTSUPP;
}

static int
file_stop(struct source *source)
{
	(void)source;
	return 0;
}

static struct source_kernel
file_kernel(struct source *source)
{
	(void)source;
	return (struct source_kernel){.known = false};
}

static bool
file_down(const struct source *source)
{
	(void)source;
	return false;
}

static struct source_facts
file_facts(const struct source *source)
{
	const struct file *file = file_of_const(source);

	return (struct source_facts){
	    .link_type = file->link_type,
	    .handles = 1,
	    .snaplen = (uint32_t)pcap_snapshot(file->pcap),
	};
}

static void
file_close(struct source *source)
{
	struct file *file;

	if (!source)
		return;
	file = file_of(source);
	if (file->pcap)
		pcap_close(file->pcap);
	if (file->unread)
		fclose(file->unread);
	gzclose(file->gz);
	free(file);
}

const struct source_ops source_file = {
    .open = file_open,
    .activate = file_activate,
    .poll = file_poll,
    .dispatch = file_dispatch,
    .set_filter = file_set_filter,
    .stop = file_stop,
    .kernel = file_kernel,
    .down = file_down,
    .facts = file_facts,
    .close = file_close,
};
