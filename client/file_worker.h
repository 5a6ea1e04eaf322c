/* A weir-worker in file mode: the file is opened here, with the rights of whoever asks;
 * it is parsed there, in the sandbox. */
#ifndef WEIR_CLIENT_FILE_WORKER_H
#define WEIR_CLIENT_FILE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct file_worker {
	pid_t pid;
	int fd; /* frames come from here */
};

/* Where weir-worker is: WEIR_LIBEXECDIR of the environment, else beside this program,
 * else the directory it was built for. 0, or -ENOENT with the last path tried in out. */
int file_worker_find(char *out, size_t size);

/* Starts one that reads `input` (which stays the caller's). 0 or negative errno. */
int file_worker_start(
    struct file_worker *worker, const char *path, int input, bool books_only);

/* Closes the pipe and waits for the end. 0 when it was a good one, else -EIO and how it
 * ended in `how`: "signal 9 (Killed)". */
int file_worker_end(struct file_worker *worker, char *how, size_t size);

#endif
