/* The configuration file that a command is given, which may be standard input. */
#ifndef WEIR_CLIENT_CONFIG_FILE_H
#define WEIR_CLIENT_CONFIG_FILE_H

#include "client/client.h"
#include "common/config.h"

struct config_file {
	const char *name; /* for people: the path as given, or "standard input" */
	/* For another program: what to open, and (-1: nothing) what it must have as its own
	 * standard input to find it there. */
	const char *path;
	int input;
};

/* Reads and checks `path`; "-" is standard input, which is copied, so that it can be read
 * again. 0, or -EINVAL after its faults have been told on stderr, with nothing to give
 * back. Otherwise config_fini() and config_file_close(). */
int config_file_load(const struct client *client, const char *path,
    struct config_file *file, struct config *config);
void config_file_close(struct config_file *file);

#endif
