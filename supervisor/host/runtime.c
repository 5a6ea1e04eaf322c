#include "supervisor/host/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/host/directory.h"

#define RUNTIME_LOCK "weir.lock"
#define RUNTIME_SHM "/dev/shm/weir"

static int
runtime_lock(struct runtime *runtime, int dir_fd)
{
	char pid[32];
	ssize_t n;
	int rc;

	runtime->lock_fd = openat(
	    dir_fd, RUNTIME_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (runtime->lock_fd < 0) {
		rc = -errno;
		log_err("files", "runtime: %s/" RUNTIME_LOCK ": %s", runtime->path,
		    strerror(-rc));
		return rc;
	}
	if (flock(runtime->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		n = pread(runtime->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = '\0';
		pid[strspn(pid, "0123456789")] = '\0';
		log_err("files",
		    "another weir-supervisor (process %s) uses the runtime directory %s; "
		    "stop it first, or set another one with the key runtime",
		    pid[0] ? pid : "unknown", runtime->path);
		return rc;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(runtime->lock_fd, 0) < 0 ||
	    pwrite(runtime->lock_fd, pid, (size_t)n, 0) != n) {
		rc = -errno;
		log_err("files", "runtime: %s/" RUNTIME_LOCK ": %s", runtime->path,
		    strerror(-rc));
		return rc;
	}
	return 0;
}

/* A directory inside for sockets, empty of those that a dead supervisor left. */
static int
runtime_socket_dir(
    int dir_fd, const char *name, const char *path, gid_t gid, mode_t mode)
{
	struct directory want = {.key = "runtime",
	    .path = path,
	    .uid = geteuid(),
	    .gid = gid,
	    .mode = mode,
	    .mark = "."}; /* whatever is in it: RUNTIME is ours */
	int fd = directory_open(dir_fd, name, &want);
	int rc;

	if (fd < 0)
		return fd;
	rc = directory_remove_sockets(fd);
	close(fd);
	return rc;
}

/* Below /dev/shm the name is made from the runtime directory, so that two supervisors
 * never share records. */
static int
runtime_records_in_shm(struct runtime *runtime)
{
	struct directory want = {.key = "records",
	    .path = RUNTIME_SHM,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .mode = 0700,
	    .mark = "."};
	char name[3 * sizeof(runtime->path)];
	char *to = name;
	int shm;
	int fd;

	for (const char *from = runtime->path + 1; *from; from++) {
		if (*from == '/')
			*to++ = '+';
		else if (*from == '+' || *from == '%' || (*from == '.' && to == name))
			to += sprintf(to, "%%%02X", (unsigned char)*from);
		else
			*to++ = *from;
	}
	*to = '\0';
	shm = directory_open(AT_FDCWD, RUNTIME_SHM, &want);
	if (shm < 0)
		return shm;
	runtime->records_chosen = true;
	snprintf(runtime->records, sizeof(runtime->records), RUNTIME_SHM "/%s", name);
	want.path = runtime->records;
	fd = directory_open(shm, name, &want);
	close(shm);
	return fd;
}

static int
runtime_records(struct runtime *runtime, int dir_fd, const struct config *config)
{
	struct directory want = {.key = "records",
	    .path = runtime->records,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .mode = 0700};
	int fd;

	if (config->records[0] != '\0') {
		snprintf(
		    runtime->records, sizeof(runtime->records), "%s", config->records);
		fd = directory_open(AT_FDCWD, config->records, &want);
	} else if (directory_on_tmpfs(dir_fd) == 1) {
		snprintf(runtime->records, sizeof(runtime->records), "%s/records",
		    runtime->path);
		fd = directory_open(dir_fd, "records", &want);
	} else {
		fd = runtime_records_in_shm(runtime);
	}
	if (fd < 0)
		return fd;
	runtime->records_fd = fd;
	if (directory_on_tmpfs(fd) != 1) {
		log_err("files",
		    "records: %s does not lie on a tmpfs; counting would wait for a disk. "
		    "Leave the key out, or name a directory below /dev/shm",
		    runtime->records);
		return -EINVAL;
	}
	return 0;
}

int
runtime_open(struct runtime *runtime, const struct config *config,
    const struct settings *settings)
{
	struct directory want = {.key = "runtime",
	    .path = config->runtime,
	    .uid = geteuid(),
	    .gid = settings->client_gid,
	    .mode = 0751,
	    .mark = RUNTIME_LOCK};
	struct directory store = {.key = "store",
	    .path = config->store,
	    .uid = settings->store_uid,
	    .gid = settings->client_gid,
	    .mode = 02750};
	struct directory errors = {.key = "errors",
	    .path = config->errors,
	    .uid = geteuid(),
	    .gid = settings->client_gid,
	    .mode = 0750,
	    .mark = "."};
	int dir_fd;
	int rc;

	memset(runtime, 0, sizeof(*runtime));
	runtime->lock_fd = runtime->records_fd = runtime->store_fd = -1;
	runtime->errors_fd = -1;
	if (strlen(config->runtime) > RUNTIME_PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(runtime->path, sizeof(runtime->path), "%s", config->runtime);
	for (size_t n = strlen(runtime->path); n > 1 && runtime->path[n - 1] == '/';
	     n--)
		runtime->path[n - 1] = '\0';
	snprintf(runtime->control, sizeof(runtime->control), "%s/control.sock",
	    runtime->path);
	snprintf(runtime->worker, sizeof(runtime->worker), "%s/worker", runtime->path);
	snprintf(runtime->store, sizeof(runtime->store), "%s/store", runtime->path);

	dir_fd = directory_open(AT_FDCWD, runtime->path, &want);
	if (dir_fd < 0)
		return dir_fd;
	rc = runtime_lock(runtime, dir_fd);
	if (rc == 0)
		rc = directory_remove_sockets(dir_fd);
	if (rc == 0)
		rc = runtime_socket_dir(
		    dir_fd, "worker", runtime->worker, settings->worker_gid, 0710);
	if (rc == 0)
		rc = runtime_socket_dir(
		    dir_fd, "store", runtime->store, getegid(), 0711);
	if (rc == 0)
		rc = runtime_records(runtime, dir_fd, config);
	close(dir_fd);
	if (rc == 0) {
		runtime->store_fd = directory_open(AT_FDCWD, config->store, &store);
		if (runtime->store_fd < 0)
			rc = runtime->store_fd;
	}
	if (rc != 0) {
		runtime_close(runtime);
		return rc;
	}
	/* Samples of what cannot be decoded are no reason not to count: it was said in
	 * the log, and they are left out. */
	if (config->errors[0] != '\0')
		runtime->errors_fd = directory_open(AT_FDCWD, config->errors, &errors);
	return 0;
}

void
runtime_close(struct runtime *runtime)
{
	/* Succeeds only when nothing is left in it. */
	if (runtime->records_chosen)
		rmdir(runtime->records);
	runtime->records_chosen = false;

	int *fds[] = {&runtime->errors_fd, &runtime->store_fd, &runtime->records_fd,
	    &runtime->lock_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
