/* For tests: a whole weir-supervisor in directories of its own, with the children of
 * fake_child.c. */
#ifndef WEIR_SUPERVISOR_TESTING_H
#define WEIR_SUPERVISOR_TESTING_H

#include <sys/types.h>

#include "proto/ask.h"
#include "proto/parts.h"

#define TESTING_WORKER_ID 64501 /* numbers need no entry in the user database */
#define TESTING_STORE_ID 64502
#define TESTING_CLIENT_ID 64503

struct daemon {
	char base[64]; /* everything is below */
	char runtime[92];
	char fake[96]; /* WEIR_FAKE_DIR */
	char config[96]; /* path */
	char control[108];
	pid_t pid; /* 0: not running */
};

/* cmocka fixtures: directories and configuration (interfaces "lo" and "fake0", intervals
 * of an hour), nothing started. *state is a struct daemon. Skips the group without root. */
int daemon_setup(void **state);
/* Ends what runs and removes everything. */
int daemon_teardown(void **state);

/* Writes the configuration with these interfaces (YAML list items) and interval. */
void daemon_configure(
    struct daemon *daemon, const char *interfaces, const char *rotation);

/* Starts it; with `serve`, waits until its store runs and all of its interfaces are
 * active. */
void daemon_start(struct daemon *daemon, bool serve);

/* Its exit code after the signal (0: just wait), or -SIGNAL. Fails the test after
 * most_ms. */
int daemon_end(struct daemon *daemon, int signal, int64_t most_ms);

/* One request without members; fails the test when there is no answer. */
void daemon_ask(struct daemon *daemon, enum msg_type type, struct answer *answer);

/* Asks `status` until `what` holds for the interface; fails the test after 10 s. */
void daemon_wait(struct daemon *daemon, const char *iface,
    bool (*what)(const msgpack_object *iface));
bool daemon_is_active(const msgpack_object *iface);
bool daemon_is_quiet(const msgpack_object *iface); /* active, nothing waits */

/* A number of the interface's part of status. */
uint64_t daemon_number(struct daemon *daemon, const char *iface, const char *key);

/* Makes, or takes back, a file that asks the fakes for a fault. */
void daemon_script(struct daemon *daemon, const char *name);
void daemon_unscript(struct daemon *daemon, const char *name);
bool daemon_has_script(struct daemon *daemon, const char *name);

/* What the store has of the interface: maps and packets; and that no map is twice and all
 * their chunks are whole. */
struct stored {
	unsigned maps;
	uint64_t packets;
	int64_t end_ms[16];
	bool link_known[16]; /* with what the interface counted */
};
struct stored daemon_stored(struct daemon *daemon, const char *iface);

/* What the workers of the interface have counted, in all. */
uint64_t daemon_counted(struct daemon *daemon, const char *iface);

/* How many record files there are whose name contains `part`. */
unsigned daemon_record_files(struct daemon *daemon, const char *part);

#endif
