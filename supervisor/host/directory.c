/* Everything goes through the descriptor of the directory once it is open, so that what
 * was checked is what is used. A directory with foreign content keeps its owner and mode:
 * "runtime: /tmp" must not make /tmp ours. */
#include "supervisor/host/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/log.h"

static DIR *
directory_list(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;

	if (!dir && copy >= 0)
		close(copy);
	return dir;
}

static bool
directory_is_empty(int fd)
{
	DIR *dir = directory_list(fd);
	const struct dirent *entry;
	bool empty = true;

	if (!dir)
		return false;
	while (empty && (entry = readdir(dir)) != NULL)
		empty =
		    strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	return empty;
}

static bool
directory_is(const struct stat *st, const struct directory *want)
{
	return st->st_uid == want->uid && st->st_gid == want->gid &&
	    (st->st_mode & 07777) == want->mode;
}

/* Mode before owner: once it is another's, only a further capability could change it. */
static int
directory_claim(int fd, const struct directory *want)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == want->uid && st.st_uid != geteuid()) {
		if (fchown(fd, geteuid(), (gid_t)-1) < 0)
			return -errno;
	}
	if (fchmod(fd, want->mode) < 0 || fchown(fd, want->uid, want->gid) < 0 ||
	    fstat(fd, &st) < 0)
		return -errno;
	return directory_is(&st, want) ? 0 : -EPERM;
}

static int
directory_check(int fd, const struct directory *want)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (directory_is(&st, want))
		return 0;
	if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != want->uid) {
		log_err("files", "%s: %s belongs to user %u, not to %u", want->key,
		    want->path, (unsigned)st.st_uid, (unsigned)want->uid);
		return -EPERM;
	}
	if (!directory_is_empty(fd) &&
	    (!want->mark || faccessat(fd, want->mark, F_OK, AT_SYMLINK_NOFOLLOW) < 0)) {
		log_err("files",
		    "%s: %s exists with something else in it; name an empty or a new "
		    "directory, or give it owner %u:%u and mode %04o",
		    want->key, want->path, (unsigned)want->uid, (unsigned)want->gid,
		    (unsigned)want->mode);
		return -EEXIST;
	}
	return directory_claim(fd, want);
}

int
directory_open(int at_fd, const char *name, const struct directory *want)
{
	bool made = mkdirat(at_fd, name, 0700) == 0;
	int fd;
	int rc;

	if (!made && errno != EEXIST) {
		rc = -errno;
		log_err("files", "%s: %s cannot be made: %s", want->key, want->path,
		    strerror(-rc));
		return rc;
	}
	fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Another's, and this process may not look into it (that takes a capability which
	 * nothing else needs): when it is as it must be, the way to it is enough. */
	if (fd < 0 && errno == EACCES)
		fd = openat(at_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		log_err("files", "%s: %s cannot be opened as a directory: %s",
		    want->key, want->path, strerror(-rc));
		return rc;
	}
	rc = made ? directory_claim(fd, want) : directory_check(fd, want);
	if (rc == 0)
		return fd;
	if (rc != -EEXIST)
		log_err("files", "%s: %s cannot get owner %u:%u and mode %04o: %s",
		    want->key, want->path, (unsigned)want->uid, (unsigned)want->gid,
		    (unsigned)want->mode, strerror(-rc));
	close(fd);
	return rc;
}

int
directory_remove_sockets(int fd)
{
	DIR *dir = directory_list(fd);
	const struct dirent *entry;
	int rc = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISSOCK(st.st_mode) && unlinkat(fd, entry->d_name, 0) < 0)
			rc = -errno;
	}
	closedir(dir);
	return rc;
}

int
directory_on_tmpfs(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == TMPFS_MAGIC;
}
