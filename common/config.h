/* The daemon's configuration file (YAML, read with libyaml's document tree). One table
 * in config.c has every key with type, range, default and one line of help; man page,
 * --help and the commented example are checked against it. All faults of a file are
 * found in one run, each as `file:line:column: key: reason`. */
#ifndef WEIR_COMMON_CONFIG_H
#define WEIR_COMMON_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/capture_config.h"
#include "common/iface.h"

#define CONFIG_DEFAULT_PATH WEIR_SYSCONFDIR "/weir.yaml"
#define CONFIG_IFACES_MAX 1024

struct config_iface {
	struct iface_name name;
	struct capture_config capture;
	size_t line; /* where it stands, from 1 */
};

struct config {
	char runtime[PATH_MAX]; /* sockets and the lock; short: see control socket */
	char records[PATH_MAX]; /* flow records, on tmpfs; "" chooses (DESIGN 4) */
	char store[PATH_MAX]; /* directory of the database */
	char errors[PATH_MAX]; /* error capture files; root's; "" for none */
	char worker_user[64]; /* name or number; workers run as it */
	char store_user[64]; /* name or number; weir-store runs as it */
	char client_group[64]; /* name or number; its members may use the client */
	uint64_t rotation_ms; /* divides a day */
	uint64_t keep_ms; /* age after which intervals leave the store; 0 never */
	uint64_t keep_bytes; /* size of the store above which the oldest go; 0 never */
	struct config_iface *ifaces; /* owned; in the order of the file */
	size_t iface_count;
};

/* Reads and checks `path`. 0, or -EINVAL when there were faults: each has been given
 * to `fault` as a complete line without newline; a file that cannot be read is one
 * fault. `config` is only touched on success; free with config_fini. */
int config_load(const char *path, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg);

/* The same for text already in memory; `name` stands for the path in faults. */
int config_parse(const char *name, const char *text, size_t len, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg);

void config_fini(struct config *config);

/* Writes the table of keys as help text to the stream `out` (a FILE *). */
void config_help(void *out);

#endif
