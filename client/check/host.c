#include "client/check/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/program.h"
#include "common/account.h"
#include "common/shell.h"

#define PROGRAM "weir-supervisor"

int
check_supervisor_find(char *out, size_t size, const char *worker_path)
{
	const char *slash = strrchr(worker_path, '/');
	int n = snprintf(out, size, "%.*s/" PROGRAM,
	    (int)(slash ? slash - worker_path : 0), worker_path);

	if (slash && n > 0 && (size_t)n < size && access(out, X_OK) == 0)
		return 0;
	n = snprintf(out, size, WEIR_SBINDIR "/" PROGRAM);
	return n > 0 && (size_t)n < size && access(out, X_OK) == 0 ? 0 : -ENOENT;
}

static int
supervisor_start(
    const char *path, const char *config_path, int input, int output, pid_t *pid)
{
	char program[] = PROGRAM;
	char check[] = "--check";
	char config_option[] = "-c";
	char *config_word = strdup(config_path);
	char *const argv[] = {program, check, config_option, config_word, NULL};
	int null = input < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	const struct program_fd fds[] = {{input < 0 ? null : input, STDIN_FILENO},
	    {output, STDOUT_FILENO}, {output, STDERR_FILENO}};
	int rc = -ENOMEM;

	if (input < 0 && null < 0)
		rc = -errno;
	else if (config_word)
		rc = program_start(pid, path, argv, fds, 3);
	if (null >= 0)
		close(null);
	free(config_word);
	return rc;
}

int
check_supervisor_run(const char *path, const char *config_path, int input,
    void (*line)(void *arg, const char *text, size_t len), void *arg)
{
	int ends[2] = {-1, -1};
	FILE *file = NULL;
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int status;
	pid_t pid;
	int rc;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	file = fdopen(ends[0], "r");
	if (!file) {
		rc = -errno;
		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	rc = supervisor_start(path, config_path, input, ends[1], &pid);
	close(ends[1]);
	if (rc != 0)
		goto out;
	while ((n = getline(&text, &size, file)) > 0) {
		if (text[n - 1] == '\n')
			n--;
		line(arg, text, (size_t)n);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		rc = -errno;
		goto out;
	}
	rc = WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
out:
	free(text);
	fclose(file);
	return rc;
}

/* Without the last component, in place; "/" stays. */
static void
cut_to_parent(char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 1 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	path[len] = '\0';
}

/* 0 when it is a directory or nothing is there, else negative errno. Who may not look
 * cannot tell; root will. */
static int
is_directory(const char *path, bool *there)
{
	struct stat st;

	*there = stat(path, &st) == 0;
	if (*there)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	*there = errno == EACCES;
	return errno == ENOENT || errno == EACCES ? 0 : -errno;
}

/* Whether a start can make or open it: true, or a fault in `text`. */
static bool
can_be_made(const char *key, const char *path, char *text, size_t size)
{
	char parent[PATH_MAX];
	char quoted[PATH_MAX * 4 + 8];
	bool there;
	int rc = is_directory(path, &there);

	if (rc == 0 && there)
		return true;
	if (rc != 0) {
		snprintf(text, size, "%s: %s cannot be opened as a directory: %s", key,
		    path, strerror(-rc));
		return false;
	}
	snprintf(parent, sizeof(parent), "%s", path);
	cut_to_parent(parent);
	if (is_directory(parent, &there) == 0 && there)
		return true;
	shell_quote(quoted, sizeof(quoted), parent);
	snprintf(text, size,
	    "%s: the directory %s does not exist; create it: mkdir -p %s", key, parent,
	    quoted);
	return false;
}

/* Whether what lies there, or will be made there, is in memory. Where that cannot be told
 * there is another fault, or nobody to tell it. */
static bool
is_in_memory(const char *path)
{
	char parent[PATH_MAX];
	struct statfs fs;

	snprintf(parent, sizeof(parent), "%s", path);
	if (statfs(parent, &fs) != 0) {
		cut_to_parent(parent);
		if (statfs(parent, &fs) != 0)
			return true;
	}
	return fs.f_type == TMPFS_MAGIC;
}

int
check_directories(const struct config *config,
    void (*line)(void *arg, const char *text, size_t len), void *arg)
{
	/* Without a value records are placed at the start, and errors are not kept. The
	 * runtime directory is the supervisor's to look at. */
	const struct {
		const char *key;
		const char *path;
	} directories[] = {
	    {"store", config->store},
	    {"records", config->records},
	    {"errors", config->errors},
	};
	char text[PATH_MAX * 6];
	int faults = 0;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		const char *key = directories[i].key;
		const char *path = directories[i].path;

		if (path[0] == '\0')
			continue;
		if (can_be_made(key, path, text, sizeof(text))) {
			if (path != config->records || is_in_memory(path))
				continue;
			snprintf(text, sizeof(text),
			    "records: %s does not lie on a tmpfs; leave the key out, or "
			    "name a directory below /dev/shm",
			    path);
		}
		line(arg, text, strlen(text));
		faults++;
	}
	return faults;
}

int
check_worker_user(const struct config *config, char out[static CHECK_USER_SIZE])
{
	uid_t uid;
	gid_t gid;
	int rc = account_user(config->worker_user, &uid, &gid);

	if (rc == 0)
		snprintf(out, CHECK_USER_SIZE, "%u:%u", (unsigned)uid, (unsigned)gid);
	return rc;
}

void
check_missing_rights(char out[static CHECK_MISSING_SIZE])
{
	static const struct {
		unsigned number;
		const char *name;
	} needed[] = {
	    {CAP_NET_RAW, "CAP_NET_RAW"},
	    {CAP_SETUID, "CAP_SETUID"},
	    {CAP_SETGID, "CAP_SETGID"},
	    {CAP_SETPCAP, "CAP_SETPCAP"},
	    {CAP_CHOWN, "CAP_CHOWN"},
	    {CAP_KILL, "CAP_KILL"},
	};
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	size_t used = 0;

	out[0] = '\0';
	if (syscall(SYS_capget, &header, data) != 0)
		return;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (data[CAP_TO_INDEX(needed[i].number)].effective &
		    CAP_TO_MASK(needed[i].number))
			continue;
		used += (size_t)snprintf(out + used, CHECK_MISSING_SIZE - used, "%s%s",
		    used > 0 ? " " : "", needed[i].name);
	}
}
