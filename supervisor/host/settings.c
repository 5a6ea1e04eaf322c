#include "supervisor/host/settings.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/child/listen.h"
#include "supervisor/host/runtime.h"

struct settings_faults {
	void (*fault)(void *arg, const char *line);
	void *arg;
	int count;
};

static void __attribute__((format(printf, 2, 3)))
settings_fault(struct settings_faults *faults, const char *format, ...)
{
	char line[PATH_MAX + 512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	faults->count++;
	faults->fault(faults->arg, line);
}

static bool
settings_number(const char *text, uint32_t *out)
{
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	/* All bits set means "no change" to chown and its kind. */
	if (*end != '\0' || errno != 0 || value >= UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* A number needs no entry in the user database; its group is then the same number. */
static void
settings_user(struct settings_faults *faults, const char *key, const char *user,
    const char *home, uid_t *uid, gid_t *gid)
{
	const struct passwd *entry;
	uint32_t number = 0;

	if (settings_number(user, &number)) {
		entry = getpwuid(number);
		*uid = number;
		*gid = entry ? entry->pw_gid : number;
	} else {
		entry = getpwnam(user);
		if (!entry) {
			settings_fault(faults,
			    "%s: there is no user '%s'; create it: useradd --system "
			    "--user-group --home-dir %s --no-create-home --shell "
			    "/usr/sbin/nologin %s",
			    key, user, home, user);
			return;
		}
		*uid = entry->pw_uid;
		*gid = entry->pw_gid;
	}
	if (*uid == 0 || *gid == 0)
		settings_fault(faults,
		    "%s: '%s' is root or in its group; choose another user", key, user);
}

static void
settings_group(
    struct settings_faults *faults, const char *key, const char *group, gid_t *gid)
{
	const struct group *entry;
	uint32_t number = 0;

	if (settings_number(group, &number)) {
		*gid = number;
		return;
	}
	entry = getgrnam(group);
	if (!entry) {
		settings_fault(faults,
		    "%s: there is no group '%s'; create it: groupadd --system %s", key,
		    group, group);
		return;
	}
	*gid = entry->gr_gid;
}

/* A worker dials its socket after it has become its user, so every directory above the
 * runtime directory must let that user through. */
static void
settings_runtime_reachable(struct settings_faults *faults, const struct config *config,
    const struct settings *settings)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s", config->runtime);
	for (char *slash = strrchr(path, '/'); slash && slash != path;
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		if (stat(path, &st) < 0) {
			if (errno != ENOENT)
				settings_fault(
				    faults, "runtime: %s: %s", path, strerror(errno));
			else
				settings_fault(faults,
				    "runtime: the directory %s does not exist; create it",
				    path);
			return;
		}
		if ((st.st_mode & S_IXOTH) == 0 &&
		    !(st.st_gid == settings->worker_gid && (st.st_mode & S_IXGRP))) {
			settings_fault(faults,
			    "runtime: the workers' user cannot enter %s, which is above %s; "
			    "choose another directory",
			    path, config->runtime);
			return;
		}
	}
}

int
settings_resolve(struct settings *out, const struct config *config,
    void (*fault)(void *arg, const char *line), void *arg)
{
	struct settings_faults faults = {.fault = fault, .arg = arg};
	struct settings settings = {0};
	gid_t unused = 0;

	settings_user(&faults, "worker_user", config->worker_user, "/nonexistent",
	    &settings.worker_uid, &settings.worker_gid);
	settings_user(&faults, "store_user", config->store_user, config->store,
	    &settings.store_uid, &unused);
	settings_group(
	    &faults, "client_group", config->client_group, &settings.client_gid);
	if (faults.count == 0 && settings.worker_uid == settings.store_uid)
		settings_fault(&faults,
		    "worker_user: must not be the store's user (%s), else a worker that was "
		    "taken over could reach the store",
		    config->store_user);
	if (config->runtime[0] != '/')
		settings_fault(
		    &faults, "runtime: '%s' is not an absolute path", config->runtime);
	else if (strlen(config->runtime) > RUNTIME_PATH_MAX)
		settings_fault(&faults,
		    "runtime: the path is %zu bytes long; at most %d leave room for the "
		    "sockets in it (a socket's path has at most %d bytes)",
		    strlen(config->runtime), RUNTIME_PATH_MAX, LISTEN_PATH_SIZE - 1);
	else if (faults.count == 0)
		settings_runtime_reachable(&faults, config, &settings);
	if (config->store[0] != '/')
		settings_fault(
		    &faults, "store: '%s' is not an absolute path", config->store);
	if (faults.count > 0)
		return -EINVAL;
	*out = settings;
	return 0;
}
