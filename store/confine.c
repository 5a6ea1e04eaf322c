/* Two lists, the second a part of the first: for the start, when a database is opened that
 * a predecessor may have forged, and for serving. SQLite opens its files when it wants to,
 * so opening is on both; Landlock says which. Writing to them is pwrite64 alone: what may
 * be written to with write is settled when a list is installed.
 *
 * What the store makes is run by nobody and changes nobody's rights: a file in its
 * directory belongs to the group of those who may ask the supervisor, and others can pass
 * through that directory. So no mode has a bit for running, setting a user or a group, or
 * for others. SQLite asks for 0644, or the mode of its database, and takes the umask, 027,
 * which no call changes; what it sets afterwards is that mode again, and it does
 * without. */
#include "store/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <sqlite3.h>

#include "common/log.h"
#include "common/sandbox/sandbox_rows.h"

/* SQLite: the database, its log, its shared memory, their directory, each anew when
 * somebody has moved the file away; beside what nng has. */
#define CONFINE_DESCRIPTORS 64

/* Also while it starts, so that the first list knows all the numbers to come. */
_Static_assert(CONFINE_DESCRIPTORS <= SANDBOX_LATER_MAX, "every number is known");

#define MODES 07777
#define MODES_MADE 0666
#define MODES_SET 0640

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
/* Not O_TMPFILE itself, which has the bit of O_DIRECTORY. */
#define MAKES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))

static const struct sandbox_call database_calls[] = {
    {"open", "the database", 0, {WITHOUT(1, MAKES)}},
    {"open", "a new one", 0,
	{KIND(1, MAKES, O_CREAT), WITHOUT(2, MODES & ~MODES_MADE)}},
    {"open", "a database that can be run", EPERM,
	{KIND(1, MAKES, O_CREAT), WITH(2, MODES & ~MODES_MADE)}},
    {"openat", "the database", 0, {WITHOUT(2, MAKES)}},
    {"openat", "a new one", 0,
	{KIND(2, MAKES, O_CREAT), WITHOUT(3, MODES & ~MODES_MADE)}},
    {"openat", "a database that can be run", EPERM,
	{KIND(2, MAKES, O_CREAT), WITH(3, MODES & ~MODES_MADE)}},
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
    {"fchmod", "the mode of a log is that of its database", 0,
	{WITHOUT(1, MODES & ~MODES_SET)}},
    {"fchmod", "likewise, and it goes on without", EPERM,
	{WITH(1, MODES & ~MODES_SET)}},
    {"fchown", "likewise its owner, and it goes on without", EPERM, {{0}}},
    {"fchown32", "likewise its owner, and it goes on without", EPERM, {{0}}},
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

static const struct sandbox_group *const starting[] = {&sandbox_process,
    &sandbox_serving, &sandbox_starting, &sandbox_attempts, &database_group};
static const struct sandbox_group *const serving[] = {&sandbox_process,
    &sandbox_serving, &sandbox_attempts, &sandbox_attempts_sockets, &database_group};

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

static int
confine(const struct sandbox_group *const groups[], size_t count, uint64_t threads)
{
	const struct sandbox_limits limits = {
	    .file_size = SANDBOX_NO_LIMIT, /* retention is by age and by size */
	    .descriptors = CONFINE_DESCRIPTORS,
	    .threads = threads,
	};
	const char *failed;
	char head[128];
	int rc;

	log_head(LOG_LEVEL_ERR, "sandbox", head, sizeof(head));
	rc = sandbox_confine(&limits, groups, count, head, &failed);
	if (rc != 0)
		log_err("sandbox", "%s: %s", failed, strerror(-rc));
	return rc;
}

int
confine_starting(void)
{
	return confine(starting, COUNT(starting), SANDBOX_NO_LIMIT);
}

int
confine_serving(void)
{
	return confine(serving, COUNT(serving), 0);
}
