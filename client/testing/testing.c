#include "client/testing/testing.h"

#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/view.h"

#define WORDS_MAX 24
#define FILES_MAX 8

char testing_out[65536];
char testing_err[65536];

static char directory[] = "/tmp/weirctl-test-XXXXXX";
static char socket_path[64];
static char files[FILES_MAX][128];
static size_t file_count;

static struct {
	pthread_t thread;
	nng_socket socket;
	pthread_mutex_t lock; /* held while an answer is made */
	_Atomic(testing_answer *) answers[MSG_TYPE_MAX];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What a test prepares and reads lies between two answers, which only the weirctl in between
 * tells: this makes it so for the memory too. */
static void
fake_settle(void)
{
	pthread_mutex_lock(&fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

static void
answer(struct pack *pack, const void *data, size_t len)
{
	struct msg msg;

	if (msg_parse(&msg, data, len) != 0) {
		pack_error(pack, MSG_PING, MSG_E_BAD_MESSAGE, "malformed");
		return;
	}
	testing_answer *own = fake.answers[msg.type];
	if (own)
		own(pack, &msg);
	else
		pack_answer(pack, msg.type);
	msg_fini(&msg);
}

static void *
fake_run(void *arg)
{
	(void)arg;
	for (;;) {
		struct pack pack;
		void *data;
		size_t len;
		if (nng_recv(fake.socket, &data, &len, NNG_FLAG_ALLOC) != 0)
			return NULL; /* closed */
		pack_init(&pack);
		pthread_mutex_lock(&fake.lock);
		answer(&pack, data, len);
		pthread_mutex_unlock(&fake.lock);
		if (pack_finish(&pack) == 0)
			nng_send(fake.socket, pack.buffer.data, pack.buffer.size, 0);
		pack_fini(&pack);
		nng_free(data, len);
	}
}

void
testing_on(enum msg_type type, testing_answer *own)
{
	fake.answers[type] = own;
}

int
testing_setup(void **state)
{
	char url[80];

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/control.sock", directory);
	snprintf(url, sizeof(url), "ipc://%s", socket_path);
	unsetenv("WEIR_SOCKET");
	unsetenv("WEIR_STORE");
	unsetenv("COLUMNS");
	if (nng_rep0_open(&fake.socket) != 0 ||
	    nng_listen(fake.socket, url, NULL, 0) != 0)
		return -1;
	return pthread_create(&fake.thread, NULL, fake_run, NULL);
}

int
testing_teardown(void **state)
{
	(void)state;
	nng_close(fake.socket);
	pthread_join(fake.thread, NULL);
	unlink(socket_path);
	for (size_t i = 0; i < file_count; i++)
		unlink(files[i]);
	return rmdir(directory);
}

const char *
testing_file(const char *name, const char *text)
{
	static char path[128];
	bool known = false;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (size_t i = 0; i < file_count; i++)
		known = known || strcmp(files[i], path) == 0;
	if (!known) {
		assert_true(file_count < FILES_MAX);
		memcpy(files[file_count++], path, sizeof(path));
	}
	if (text) {
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fputs(text, file);
		assert_int_equal(fclose(file), 0);
	}
	return path;
}

pid_t
testing_start(const char *line, const char *input)
{
	char words[1024];
	char paths[3][128];
	char *argv[WORDS_MAX + 1];
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int argc = 0;

	fake_settle();
	snprintf(words, sizeof(words), "weirctl %s", line);
	for (char *at = strtok(words, " "); at && argc < WORDS_MAX;
	     at = strtok(NULL, " "))
		argv[argc++] = strcmp(at, "@") == 0 ? socket_path : at;
	argv[argc] = NULL;
	memcpy(paths[0], testing_file("in", input ? input : ""), sizeof(paths[0]));
	memcpy(paths[1], testing_file("out", NULL), sizeof(paths[1]));
	memcpy(paths[2], testing_file("err", NULL), sizeof(paths[2]));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, paths[0], O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
	    &actions, STDOUT_FILENO, paths[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(
	    &actions, STDERR_FILENO, paths[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(
	    posix_spawn(&pid, WEIR_TEST_WEIRCTL, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void
slurp(const char *name, char *text, size_t size)
{
	FILE *file = fopen(testing_file(name, NULL), "r");

	assert_non_null(file);
	size_t len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
}

int
testing_finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	fake_settle();
	slurp("out", testing_out, sizeof(testing_out));
	slurp("err", testing_err, sizeof(testing_err));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int
testing_run(const char *line)
{
	return testing_finish(testing_start(line, NULL));
}

int
testing_run_input(const char *line, const char *input)
{
	return testing_finish(testing_start(line, input));
}

void
testing_expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}
