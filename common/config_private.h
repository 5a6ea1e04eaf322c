/* What the parts of the configuration reader share: the table of keys, and how one
 * scalar becomes one value. Only config*.c and their test include this. */
#ifndef WEIR_COMMON_CONFIG_PRIVATE_H
#define WEIR_COMMON_CONFIG_PRIVATE_H

#include "common/config.h"

#define CONFIG_FILE_MAX (1024 * 1024) /* bytes */
#define CONFIG_DEPTH_MAX 16 /* maps and lists inside one another */
/* libyaml goes through all of them for each anchor and each alias. */
#define CONFIG_ANCHORS_MAX 100
#define CONFIG_FAULTS_MAX 100 /* told of one file */
#define CONFIG_WHY_SIZE 512
#define CONFIG_KEYS_MAX 32

/* RUNTIME/worker/NNNNNNNNNN.sock is the longest socket path; sockaddr_un holds 107. */
#define CONFIG_RUNTIME_MAX (107 - sizeof("/worker/NNNNNNNNNN.sock") + 1)

enum config_type {
	CONFIG_BOOL,
	CONFIG_INTEGER,
	CONFIG_SIZE, /* bytes, with B, KiB, MiB, GiB */
	CONFIG_DURATION, /* milliseconds, with ms, s, m, h, d */
	CONFIG_TEXT,
	CONFIG_PATH, /* absolute */
	CONFIG_ACCOUNT, /* a user or group, name or number */
	CONFIG_TARGET, /* of log lines */
	CONFIG_IFACE, /* an interface name, a pattern, or any-up */
	CONFIG_PATTERNS, /* names and patterns: one, or a list of them */
	CONFIG_MAP, /* of capture keys */
	CONFIG_LIST, /* of interfaces */
};

/* Where a key may stand. */
enum config_section {
	CONFIG_TOP, /* offsets are into struct config */
	CONFIG_ENTRY, /* into struct config_iface: what only an interface has */
	CONFIG_CAPTURE, /* into struct capture_config: interfaces and `defaults` */
};

struct config_key {
	enum config_section section;
	const char *name;
	enum config_type type;
	uint64_t low; /* numbers: value, texts: bytes */
	uint64_t high;
	const char
	    *fallback; /* as it would stand in the file; NULL: required or none */
	size_t offset;
	size_t size; /* of the field */
	const char *help;
	/* A rule beyond type and range: false and the reason in `why`. */
	bool (*check)(
	    const char *text, uint64_t value, char why[static CONFIG_WHY_SIZE]);
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* The key of that name in one of the sections (a set of 1 << section), or NULL. */
const struct config_key *config_key_find(
    unsigned sections, const char *name, size_t len);

/* The key of these sections whose name is closest to a wrong one, or NULL. */
const struct config_key *config_key_suggest(
    unsigned sections, const char *name, size_t len);

/* "64 to 262144", "1 KiB to 1 GiB", "true or false": what the key accepts, for people. */
void config_key_range(const struct config_key *key, char out[static 96]);

/* Sets the key's field in `object` from a scalar. `plain`: it stood there without
 * quotes. False and a reason when it is not acceptable (object untouched). */
bool config_value_set(const struct config_key *key, const char *text, size_t len,
    bool plain, void *object, char why[static CONFIG_WHY_SIZE]);

/* What an entry is for, from the scalar at `name`: its kind with the name or the pattern.
 * False and a reason when it is not acceptable (entry untouched). */
bool config_entry_set_name(const char *text, size_t len, struct config_iface *entry,
    char why[static CONFIG_WHY_SIZE]);

/* One more of `not`. Same returns. */
bool config_entry_add_not(const char *text, size_t len, struct config_iface *entry,
    char why[static CONFIG_WHY_SIZE]);

#endif
