#include "supervisor/host/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/account.h"
#include "common/shell.h"
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
	char line[PATH_MAX * 6];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	faults->count++;
	faults->fault(faults->arg, line);
}

static void
settings_user(struct settings_faults *faults, const char *key, const char *user,
    const char *home, uid_t *uid, gid_t *gid)
{
	int rc = account_user(user, uid, gid);

	if (rc == -ENOENT)
		settings_fault(faults,
		    "%s: there is no user '%s'; create it: useradd --system "
		    "--user-group --home-dir %s --no-create-home --shell "
		    "/usr/sbin/nologin %s",
		    key, user, home, user);
	else if (rc != 0)
		settings_fault(faults, "%s: the user '%s' cannot be looked up: %s", key,
		    user, strerror(-rc));
	else if (*uid == 0 || *gid == 0)
		settings_fault(faults,
		    "%s: '%s' is root or in its group; choose another user", key, user);
}

static void
settings_group(
    struct settings_faults *faults, const char *key, const char *group, gid_t *gid)
{
	int rc = account_group(group, gid);

	if (rc == -ENOENT)
		settings_fault(faults,
		    "%s: there is no group '%s'; create it: groupadd --system %s", key,
		    group, group);
	else if (rc != 0)
		settings_fault(faults, "%s: the group '%s' cannot be looked up: %s",
		    key, group, strerror(-rc));
	else if (*gid == 0)
		settings_fault(
		    faults, "%s: '%s' is root's group; choose another one", key, group);
}

/* A worker dials its socket after it has become its user, so every directory above the
 * runtime directory must let that user through. */
static void
settings_runtime_reachable(struct settings_faults *faults, const struct config *config,
    const struct settings *settings)
{
	char path[PATH_MAX];
	char quoted[PATH_MAX * 4 + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s", config->runtime);
	for (char *slash = strrchr(path, '/'); slash && slash != path;
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		if (stat(path, &st) < 0) {
			if (errno != ENOENT) {
				settings_fault(
				    faults, "runtime: %s: %s", path, strerror(errno));
				return;
			}
			shell_quote(quoted, sizeof(quoted), path);
			settings_fault(faults,
			    "runtime: the directory %s does not exist; create it: mkdir "
			    "-p %s",
			    path, quoted);
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
	if (faults.count == 0 && settings.worker_gid == settings.client_gid)
		settings_fault(&faults,
		    "client_group: must not be the group of the workers (%s), else one that "
		    "was taken over could ask the daemon",
		    config->worker_user);
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
