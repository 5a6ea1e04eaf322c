#include "supervisor/host/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

static const char *const programs[] = {"weir-worker", "weir-store"};

static int
programs_look(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]) && rc == 0; i++) {
		if (faccessat(fd, programs[i], X_OK, 0) < 0)
			rc = -errno;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int
programs_own_dir(char dir[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return -ENOENT;
	slash[slash == dir ? 1 : 0] = '\0';
	return 0;
}

int
programs_open(void)
{
	const char *override = getenv("WEIR_LIBEXECDIR");
	char own[PATH_MAX] = "";
	int fd;

	if (override && override[0] != '\0') {
		fd = programs_look(override);
		if (fd < 0)
			log_err("supervisor",
			    "weir-worker and weir-store cannot be executed in %s "
			    "(WEIR_LIBEXECDIR): %s",
			    override, strerror(-fd));
		return fd;
	}
	if (programs_own_dir(own) == 0) {
		fd = programs_look(own);
		if (fd >= 0)
			return fd;
	}
	fd = programs_look(WEIR_LIBEXECDIR);
	if (fd < 0)
		log_err("supervisor",
		    "weir-worker and weir-store are neither in %s nor in %s; set "
		    "WEIR_LIBEXECDIR to their directory",
		    own, WEIR_LIBEXECDIR);
	return fd;
}
