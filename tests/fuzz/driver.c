/* A fuzzer without libFuzzer: every file of a corpus once, so that what was ever found is
 * an ordinary test in every build. Each input lies in a block of its own, of exactly its
 * size, so that AddressSanitizer sees a read behind it. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/input.h"

static int
run_file(const char *path)
{
	struct stat st;
	uint8_t *data;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		perror(path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	data = malloc((size_t)st.st_size);
	if (data || st.st_size == 0)
		n = read(fd, data, (size_t)st.st_size);
	if (n == st.st_size) {
		/* The last one before the end is the culprit. */
		printf("%s\n", path);
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	} else {
		perror(path);
	}
	free(data);
	close(fd);
	return n == st.st_size ? 0 : -1;
}

static int
no_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
run_directory(const char *path)
{
	struct dirent **entries;
	char file[PATH_MAX];
	int count = scandir(path, &entries, no_dot, alphasort);
	int failed = 0;

	if (count <= 0) {
		fprintf(stderr, "%s: no corpus\n", path);
		if (count == 0)
			free(entries);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (run_file(file) != 0)
			failed = -1;
		free(entries[i]);
	}
	free(entries);
	printf("%d inputs\n", count);
	return failed;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		struct stat st;
		bool is_directory = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		if ((is_directory ? run_directory : run_file)(argv[i]) != 0)
			failed = 1;
	}
	return failed;
}
