/* The table of keys: the only place that knows what may stand in the configuration file.
 * Reading, defaults, the help text and the check of the commented example all walk it. */
#include "common/config_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define DAY_MS UINT64_C(86400000)

/* Sums over days and comparisons between days need intervals that begin at midnight. */
static bool
check_rotation(const char *text, uint64_t value, char why[static CONFIG_WHY_SIZE])
{
	if (DAY_MS % value == 0)
		return true;
	snprintf(why, CONFIG_WHY_SIZE,
	    "%s does not divide a day, so intervals would not begin at midnight; e.g. "
	    "60s, 300s and 15m do",
	    text);
	return false;
}

static bool
check_runtime(const char *text, uint64_t value, char why[static CONFIG_WHY_SIZE])
{
	(void)value;
	if (strlen(text) <= CONFIG_RUNTIME_MAX)
		return true;
	snprintf(why, CONFIG_WHY_SIZE,
	    "%zu bytes are too long: at most %zu, since RUNTIME/worker/NNNNNNNNNN.sock must "
	    "fit into the 107 bytes of a socket path",
	    strlen(text), (size_t)CONFIG_RUNTIME_MAX);
	return false;
}

static bool
check_log(const char *text, uint64_t value, char why[static CONFIG_WHY_SIZE])
{
	struct config_log log;

	(void)value;
	if (config_log_parse(text, &log) == 0)
		return true;
	snprintf(why, CONFIG_WHY_SIZE,
	    "\"%s\" is no target; possible are stderr, syslog, udp (127.0.0.1:514), "
	    "udp:ADDRESS:PORT and udp:[IPV6-ADDRESS]:PORT, addresses in numbers",
	    text);
	return false;
}

#define TOP(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define CAPTURE(field) \
	offsetof(struct capture_config, field), \
	    sizeof(((struct capture_config *)0)->field)

/* clang-format off */
const struct config_key config_keys[] = {
    {CONFIG_TOP, "interfaces", CONFIG_LIST, 1, CONFIG_IFACES_MAX, NULL, 0, 0,
     "the interfaces to measure; each entry has a name and, where it differs from "
     "`defaults`, the keys of a capture", NULL},
    {CONFIG_TOP, "defaults", CONFIG_MAP, 0, 0, NULL, 0, 0,
     "keys of a capture for all interfaces that do not set them", NULL},
    {CONFIG_TOP, "runtime", CONFIG_PATH, 1, PATH_MAX - 1, "/run/weir", TOP(runtime),
     "directory of the sockets and the lock", check_runtime},
    {CONFIG_TOP, "records", CONFIG_PATH, 0, PATH_MAX - 256, "", TOP(records),
     "directory of the flow records of running intervals, on tmpfs; empty: the "
     "runtime directory if that is tmpfs, else below /dev/shm", NULL},
    {CONFIG_TOP, "store", CONFIG_PATH, 1, PATH_MAX - 256, "/var/lib/weir/store",
     TOP(store), "directory of the database", NULL},
    {CONFIG_TOP, "errors", CONFIG_PATH, 0, PATH_MAX - 256, "/var/lib/weir/errors",
     TOP(errors), "directory of the error capture files; empty: none are kept", NULL},
    {CONFIG_TOP, "worker_user", CONFIG_ACCOUNT, 1, 63, "weir-worker", TOP(worker_user),
     "user that workers run as, name or number", NULL},
    {CONFIG_TOP, "store_user", CONFIG_ACCOUNT, 1, 63, "weir", TOP(store_user),
     "user that the store runs as, name or number", NULL},
    {CONFIG_TOP, "client_group", CONFIG_ACCOUNT, 1, 63, "weir", TOP(client_group),
     "group whose members may use weirctl, name or number", NULL},
    {CONFIG_TOP, "rotation", CONFIG_DURATION, 1000, 3600000, "300s", TOP(rotation_ms),
     "length of an interval; divides a day", check_rotation},
    {CONFIG_TOP, "keep", CONFIG_DURATION, 0, 36500 * DAY_MS, "30d", TOP(keep_ms),
     "age after which intervals leave the store; 0: never", NULL},
    {CONFIG_TOP, "keep_size", CONFIG_SIZE, 0, UINT64_C(1) << 60, "0", TOP(keep_bytes),
     "size of the store above which the oldest intervals leave it; 0: never", NULL},
    {CONFIG_TOP, "log", CONFIG_TARGET, 1, 95, "stderr", TOP(log),
     "where log lines go; udp is RFC 5424 in datagrams, to 127.0.0.1:514 or ADDRESS:PORT",
     check_log},
    {CONFIG_TOP, "log_flows", CONFIG_BOOL, 0, 1, "false", TOP(log_flows),
     "one line per flow in the log, when an interval is stored", NULL},

    {CONFIG_ENTRY, "name", CONFIG_IFACE, 1, CONFIG_PATTERN_SIZE - 1, NULL, 0, 0,
     "the interface, as `ip link` shows it; a pattern, for all whose names match; any-up, "
     "for all that are up, but no loopback", NULL},
    {CONFIG_ENTRY, "not", CONFIG_PATTERNS, 0, CONFIG_NOT_MAX, NULL, 0, 0,
     "names and patterns that a pattern or any-up does not take; one, or a list", NULL},

    {CONFIG_CAPTURE, "buffer", CONFIG_SIZE, CAPTURE_BUFFER_MIN, CAPTURE_BUFFER_MAX,
     "8MiB", CAPTURE(buffer), "kernel buffer for packets, per interface", NULL},
    {CONFIG_CAPTURE, "flows", CONFIG_INTEGER, CAPTURE_FLOWS_MIN, CAPTURE_FLOWS_MAX,
     "1000000", CAPTURE(flows), "most flows of one interval; further ones are counted "
     "together, without addresses", NULL},
    {CONFIG_CAPTURE, "snaplen", CONFIG_INTEGER, CAPTURE_SNAPLEN_MIN, CAPTURE_SNAPLEN_MAX,
     "128", CAPTURE(snaplen), "bytes of each packet that are looked at", NULL},
    {CONFIG_CAPTURE, "timeout", CONFIG_DURATION, CAPTURE_TIMEOUT_MS_MIN,
     CAPTURE_TIMEOUT_MS_MAX, "100ms", CAPTURE(timeout_ms),
     "how long the kernel may hold packets back to deliver them together", NULL},
    {CONFIG_CAPTURE, "promiscuous", CONFIG_BOOL, 0, 1, "true", CAPTURE(promiscuous),
     "take packets for other hosts too", NULL},
    {CONFIG_CAPTURE, "error_threshold", CONFIG_INTEGER, 0, CAPTURE_ERROR_THRESHOLD_MAX,
     "10000", CAPTURE(error_threshold), "undecodable packets in a row, over 10 s at least, "
     "after which the capture is opened again; 0: never", NULL},
    {CONFIG_CAPTURE, "filter", CONFIG_TEXT, 0, CAPTURE_FILTER_SIZE - 1, "",
     CAPTURE(filter), "count only what matches, see pcap-filter(7); empty: everything",
     NULL},
};
/* clang-format on */

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX,
    "config.c marks seen keys in an array of CONFIG_KEYS_MAX");

const struct config_key *
config_key_find(unsigned sections, const char *name, size_t len)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if ((sections & 1U << key->section) && strlen(key->name) == len &&
		    memcmp(key->name, name, len) == 0)
			return key;
	}
	return NULL;
}

/* Edits (insert, delete, replace) from one word to the other; both are short. */
static size_t
edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[32];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

const struct config_key *
config_key_suggest(unsigned sections, const char *name, size_t len)
{
	const struct config_key *best = NULL;
	size_t best_distance = 3; /* more than two slips are another word */

	if (len < 2 || len > 30)
		return NULL;
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		size_t key_len = strlen(key->name);
		if (!(sections & 1U << key->section))
			continue;
		size_t distance = edit_distance(name, len, key->name, key_len);
		/* "interface" for "interfaces", "prom" for "promiscuous" */
		if (len >= 4 && len < key_len && memcmp(key->name, name, len) == 0)
			distance = 1;
		if (distance < best_distance && distance < key_len) {
			best = key;
			best_distance = distance;
		}
	}
	return best;
}

static void
size_text(uint64_t bytes, char out[static 24])
{
	static const char *const units[] = {"", " KiB", " MiB", " GiB"};
	size_t unit = 0;

	while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, 24, "%" PRIu64 "%s", bytes, units[unit]);
}

static void
duration_text(uint64_t ms, char out[static 24])
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = {
	    {DAY_MS, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	if (ms == 0) {
		snprintf(out, 24, "0");
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms % units[i].ms == 0) {
			snprintf(
			    out, 24, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
			return;
		}
	}
}

void
config_key_range(const struct config_key *key, char out[static 96])
{
	char low[24];
	char high[24];

	switch (key->type) {
	case CONFIG_BOOL:
		snprintf(out, 96, "true or false");
		return;
	case CONFIG_SIZE:
		size_text(key->low, low);
		size_text(key->high, high);
		break;
	case CONFIG_DURATION:
		duration_text(key->low, low);
		duration_text(key->high, high);
		break;
	case CONFIG_INTEGER:
		snprintf(low, sizeof(low), "%" PRIu64, key->low);
		snprintf(high, sizeof(high), "%" PRIu64, key->high);
		break;
	case CONFIG_TEXT:
		snprintf(out, 96, "at most %" PRIu64 " bytes", key->high);
		return;
	case CONFIG_PATH:
		snprintf(
		    out, 96, "an absolute path%s", key->low == 0 ? " or \"\"" : "");
		return;
	case CONFIG_ACCOUNT:
		snprintf(out, 96, "a name or a number");
		return;
	case CONFIG_TARGET:
		snprintf(out, 96, "stderr, syslog, udp or udp:ADDRESS:PORT");
		return;
	case CONFIG_IFACE:
		snprintf(out, 96, "a name, a pattern in quotes, or any-up");
		return;
	case CONFIG_PATTERNS:
		snprintf(out, 96,
		    "a name or a pattern in quotes, or a list of at most %d",
		    CONFIG_NOT_MAX);
		return;
	case CONFIG_MAP:
		snprintf(out, 96, "a map");
		return;
	case CONFIG_LIST:
		snprintf(out, 96, "a list of %" PRIu64 " to %" PRIu64 " maps", key->low,
		    key->high);
		return;
	}
	snprintf(out, 96, "%s to %s", low, high);
}

static void
help_section(FILE *out, enum config_section section, const char *title)
{
	char range[96];

	fprintf(out, "%s\n", title);
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->section != section)
			continue;
		config_key_range(key, range);
		fprintf(out, "  %-13s %s", key->name, range);
		if (key->fallback)
			fprintf(out, ", default %s",
			    key->fallback[0] != '\0' ? key->fallback : "\"\"");
		else if (key->type == CONFIG_LIST || key->type == CONFIG_IFACE)
			fprintf(out, ", required");
		fprintf(out, "\n                %s\n", key->help);
	}
}

void
config_help(void *out)
{
	FILE *file = out;

	help_section(file, CONFIG_TOP, "Keys of the configuration file (YAML):");
	help_section(file, CONFIG_ENTRY, "\nEach entry of `interfaces`:");
	help_section(file, CONFIG_CAPTURE,
	    "\nKeys of a capture, in `interfaces` and `defaults`:");
	fprintf(file,
	    "\nSizes: bytes, or with B, KiB, MiB, GiB. Durations: with ms, s, m, h, d.\n"
	    "Booleans: true or false.\n"
	    "Patterns: with *, ? and [...] as in the shell, in quotes; a backslash before\n"
	    "one of these takes it as it is. A device that is really called any-up is named\n"
	    "any-u[p]; ? matches a byte that cannot be written in UTF-8.\n");
}
