/* A place for the sockets of proto's tests: a directory of its own per test. */
#ifndef WEIR_PROTO_TEST_SOCKET_H
#define WEIR_PROTO_TEST_SOCKET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char test_socket_directory[64];
static char test_socket_path[100];
static char test_socket_url[120]; /* the same path, for nng */

/* A cmocka setup. Nobody listens at the path yet. */
static inline int
test_socket_make(void **state)
{
	(void)state;
	strcpy(test_socket_directory, "/tmp/weir-proto-XXXXXX");
	if (!mkdtemp(test_socket_directory))
		return -1;
	snprintf(test_socket_path, sizeof(test_socket_path), "%s/sock",
	    test_socket_directory);
	snprintf(
	    test_socket_url, sizeof(test_socket_url), "ipc://%s", test_socket_path);
	return 0;
}

/* Its teardown; fails when a test left something else there. */
static inline int
test_socket_remove(void **state)
{
	(void)state;
	unlink(test_socket_path);
	return rmdir(test_socket_directory);
}

#endif
