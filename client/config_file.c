#include "client/config_file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fdio.h"
#include "common/log.h"

#define INPUT_MAX (UINT64_C(16) * 1024 * 1024) /* far above what a file may have */

/* 0 or negative errno. */
static int
copy_input(int to)
{
	char buffer[65536];
	uint64_t copied = 0;

	while (copied < INPUT_MAX) {
		ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		rc = fdio_write_all(to, buffer, (size_t)n);
		if (rc != 0)
			return rc;
		copied += (uint64_t)n;
	}
	return lseek(to, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int
load_input(const struct client *client, struct config_file *file, struct config *config)
{
	int rc;

	if (isatty(STDIN_FILENO)) {
		log_err(client->command->name,
		    "standard input is a terminal; give it a configuration");
		return -EINVAL;
	}
	*file = (struct config_file){.name = "standard input", .path = "/dev/stdin"};
	file->input = memfd_create("configuration", MFD_CLOEXEC);
	rc = file->input < 0 ? -errno : copy_input(file->input);
	if (rc != 0) {
		log_err(client->command->name, "standard input cannot be read: %s",
		    strerror(-rc));
		config_file_close(file);
		return -EINVAL;
	}
	rc = config_load_fd(file->input, file->name, config, client_config_fault, NULL);
	if (rc == 0 && lseek(file->input, 0, SEEK_SET) == 0)
		return 0;
	if (rc == 0)
		config_fini(config);
	config_file_close(file);
	return -EINVAL;
}

int
config_file_load(const struct client *client, const char *path,
    struct config_file *file, struct config *config)
{
	if (strcmp(path, "-") == 0)
		return load_input(client, file, config);
	*file = (struct config_file){.name = path, .path = path, .input = -1};
	return config_load(path, config, client_config_fault, NULL);
}

void
config_file_close(struct config_file *file)
{
	if (file && file->input >= 0)
		close(file->input);
}
