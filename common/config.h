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

#define CONFIG_PATTERN_SIZE 64 /* with the NUL */
#define CONFIG_NOT_MAX 16
#define CONFIG_ANY_UP "any-up" /* a device of this name is meant by any-u[p] */

enum config_iface_kind {
	CONFIG_IFACE_NAMED = 0, /* this interface, waited for when it is not there */
	CONFIG_IFACE_PATTERN, /* every interface whose name matches, as they appear */
	CONFIG_IFACE_ANY_UP, /* every interface that is up, but no loopback */
};

/* An entry of `interfaces`. Patterns are those of fnmatch(3): `*`, `?`, `[...]`, and a
 * backslash before one of them takes it as it is. A text without any of `*?[` is a name, in
 * which a backslash is a backslash; one whose `*?[` are all quoted is that name too. */
struct config_iface {
	enum config_iface_kind kind;
	struct iface_name name; /* CONFIG_IFACE_NAMED; else "" */
	char pattern[CONFIG_PATTERN_SIZE]; /* CONFIG_IFACE_PATTERN; else "" */
	char not [CONFIG_NOT_MAX][CONFIG_PATTERN_SIZE]; /* not these; not with a name */
	size_t not_count;
	struct capture_config capture;
	size_t line; /* where it stands, from 1; 0 when it came from elsewhere */
	size_t filter_line; /* where these two stand, maybe in `defaults`; or 0 */
	size_t buffer_line;
};

/* The text of the entry as it is for people: its name, its pattern, or "any-up". */
const char *config_iface_text(const struct config_iface *entry);

/* Which entry an interface belongs to: the one with its name, else the first pattern or
 * any-up that takes it; NULL for none. `up` and `loopback` are those of the link. */
const struct config_iface *config_iface_for(const struct config_iface *entries,
    size_t count, const char *name, bool up, bool loopback);

/* Where log lines go. */
enum config_log_target {
	CONFIG_LOG_STDERR = 0, /* with priorities when that is the journal */
	CONFIG_LOG_SYSLOG, /* syslog(3) */
	CONFIG_LOG_UDP, /* RFC 5424 in datagrams (RFC 5426) */
};

struct config_log {
	enum config_log_target target;
	char address[64]; /* UDP: IPv4 or IPv6, in numbers */
	uint16_t port;
};

/* "stderr", "syslog", "udp" (127.0.0.1:514), "udp:ADDRESS:PORT", "udp:[ADDRESS]:PORT".
 * 0, or -EINVAL with *out untouched. */
int config_log_parse(const char *text, struct config_log *out);

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
	char log[96]; /* as config_log_parse takes it */
	bool log_flows; /* one line per flow in the log, when an interval is stored */
	struct config_iface *ifaces; /* owned; in the order of the file */
	size_t iface_count;
};

/* Reads and checks `path`. 0, or -EINVAL when there were faults: each has been given
 * to `fault` as a complete line without newline; a file that cannot be read, or
 * is no regular file, is one fault. `config` is only touched on success; free with config_fini. */
int config_load(const char *path, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg);

/* The same for what is open as `fd`, read to its end; `name` stands for the path in faults.
 * A negative fd is a file that could not be opened, for which errno is the reason. */
int config_load_fd(int fd, const char *name, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg);

/* The same for text already in memory; `name` stands for the path in faults. */
int config_parse(const char *name, const char *text, size_t len, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg);

void config_fini(struct config *config);

/* Writes the table of keys as help text to the stream `out` (a FILE *). */
void config_help(void *out);

#endif
