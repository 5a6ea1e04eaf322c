/* SQLite opens its files when it wants to, so opening is on this list; Landlock says
 * which. Writing to them is pwrite64 alone: what may be written to with write is settled
 * when the list is installed. */
#include "store/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <sqlite3.h>

#include "common/log.h"
#include "common/sandbox/sandbox.h"

/* SQLite: the database, its log, its shared memory, their directory, each anew when
 * somebody has moved the file away; beside what nng has. */
#define CONFINE_DESCRIPTORS 64

#define IS(argument, what) \
	{ \
		argument, SANDBOX_IS, (uint64_t)(what), 0 \
	}

static const struct sandbox_call database_calls[] = {
    {"open", "the database", 0, {{0}}},
    {"openat", "the database", 0, {{0}}},
    {"stat", "is it still there", 0, {{0}}},
    {"lstat", "is it still there", 0, {{0}}},
    {"newfstatat", "is it still there", 0, {{0}}},
    {"fstatat64", "is it still there", 0, {{0}}},
    {"stat64", "is it still there", 0, {{0}}},
    {"lstat64", "is it still there", 0, {{0}}},
    {"statx", "is it still there", 0, {{0}}},
    {"access", "is there a log", 0, {{0}}},
    {"faccessat", "is there a log", 0, {{0}}},
    {"faccessat2", "is there a log", 0, {{0}}},
    {"unlink", "a log that is done with", 0, {{0}}},
    {"unlinkat", "a log that is done with", 0, {{0}}},
    {"pread64", "pages", 0, {{0}}},
    {"pwrite64", "pages", 0, {{0}}},
    {"lseek", "the size of a file", 0, {{0}}},
    {"_llseek", "the size of a file", 0, {{0}}},
    {"ftruncate", "space given back", 0, {{0}}},
    {"ftruncate64", "space given back", 0, {{0}}},
    {"fallocate", "space taken", 0, {{0}}},
    {"fsync", "durable", 0, {{0}}},
    {"fdatasync", "durable", 0, {{0}}},
    {"fchmod", "the mode of a log is that of its database", 0, {{0}}},
    {"fchown", "likewise its owner", 0, {{0}}},
    {"fchown32", "likewise its owner", 0, {{0}}},
    {"geteuid", "whether it may", 0, {{0}}},
    {"geteuid32", "whether it may", 0, {{0}}},
    {"fcntl", "close-on-exec", 0, {IS(1, F_GETFD)}},
    {"fcntl", "close-on-exec", 0, {IS(1, F_SETFD)}},
    {"fcntl", "locks", 0, {IS(1, F_GETLK)}},
    {"fcntl", "locks", 0, {IS(1, F_SETLK)}},
    {"fcntl64", "close-on-exec", 0, {IS(1, F_GETFD)}},
    {"fcntl64", "close-on-exec", 0, {IS(1, F_SETFD)}},
    {"fcntl64", "locks", 0, {IS(1, F_GETLK64)}},
    {"fcntl64", "locks", 0, {IS(1, F_SETLK64)}},
};

static const struct sandbox_group database_group =
    SANDBOX_GROUP("SQLite", database_calls);

static const struct sandbox_group *const serving[] = {
    &sandbox_process, &sandbox_serving, &sandbox_attempts, &database_group};

int
confine_files(int directory)
{
	uint64_t seed;
	int abi = 0;
	int rc;

	if (WEIR_SANDBOX_MODE == SANDBOX_OFF) {
#ifndef WEIR_SANITIZED
		log_warn("sandbox", "built without: WEIR_SECCOMP_MODE is off");
#endif
		return 0;
	}
	/* SQLite takes its random numbers from a file, and that only once. */
	sqlite3_randomness(sizeof(seed), &seed);
	rc = sandbox_files(directory, &abi);
	if (rc != 0)
		log_err("sandbox", "one directory alone: %s", strerror(-rc));
	else if (abi == 0)
		log_warn("sandbox",
		    "this kernel has no Landlock: only their owners and modes keep the "
		    "process from files outside of its directory");
	return rc;
}

int
confine_serving(void)
{
	const struct sandbox_limits limits = {
	    .file_size = SANDBOX_NO_LIMIT, /* retention is by age and by size */
	    .descriptors = CONFINE_DESCRIPTORS,
	    .threads = 0,
	};
	char head[128];
	int rc = 0;

	/* Sanitizers end with a thread of theirs. */
	if (WEIR_SANDBOX_MODE != SANDBOX_OFF)
		rc = sandbox_limit(&limits);
	if (rc != 0) {
		log_err("sandbox", "limits: %s", strerror(-rc));
		return rc;
	}
	log_head(LOG_LEVEL_ERR, "sandbox", head, sizeof(head));
	rc = sandbox_filter(
	    serving, sizeof(serving) / sizeof(serving[0]), WEIR_SANDBOX_MODE, head);
	if (rc != 0)
		log_err("sandbox", "the list of system calls: %s", strerror(-rc));
	return rc;
}
