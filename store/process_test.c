/* The real weir-store, started as the supervisor starts it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "proto/flow_map.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"

#define OWNER 61001
#define GROUP 61002

struct child {
	pid_t pid;
	int parent; /* our end of CHILD_FD_PARENT */
	int alive; /* our end of CHILD_FD_ALIVE */
	char socket[128];
};

static void
run_child(const char *socket, const char *directory, int parent, int alive)
{
	char user[32];
	int fd = open(directory, O_RDONLY | O_DIRECTORY);

	snprintf(user, sizeof(user), "%d:%d", OWNER, GROUP);
	if (fd < 0 || dup2(parent, CHILD_FD_PARENT) < 0 ||
	    dup2(alive, CHILD_FD_ALIVE) < 0 || dup2(fd, CHILD_FD_DATA) < 0)
		_exit(90);
	close_range(CHILD_FD_DATA + 1, CHILD_FD_ALIVE - 1, 0);
	close_range(CHILD_FD_PARENT + 1, ~0u, 0);
	execl(WEIR_TEST_STORE, "weir-store", "--socket", socket, "--user", user,
	    "--keep-ms", "0", "--keep-bytes", "0", (char *)NULL);
	_exit(91);
}

/* Before the first nng call of this process, so that fork is safe. */
static void
child_start(struct child *child, const char *directory)
{
	int parent[2], alive[2];

	assert_int_equal(pipe2(parent, O_CLOEXEC), 0);
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0)
		run_child(child->socket, directory, parent[0], alive[1]);
	close(parent[0]);
	close(alive[1]);
	child->parent = parent[1];
	child->alive = alive[0];
}

static int
child_end(struct child *child)
{
	int status;

	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	close(child->parent);
	close(child->alive);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
exchange(nng_socket sock, struct pack *request, char *result, size_t size)
{
	struct msg msg;
	void *data;
	size_t len;

	assert_int_equal(pack_finish(request), 0);
	assert_int_equal(
	    nng_send(sock, request->buffer.data, request->buffer.size, 0), 0);
	assert_int_equal(nng_recv(sock, &data, &len, NNG_FLAG_ALLOC), 0);
	assert_int_equal(msg_parse(&msg, data, len), 0);
	assert_int_equal(msg.error, MSG_OK);
	if (result)
		assert_int_equal(view_str(msg.body, "result", result, size), 0);
	msg_fini(&msg);
	nng_free(data, len);
}

static void
serves_drops_its_rights_and_ends_with_the_pipe(void **state)
{
	struct child child = {0};
	struct flow_record flows[50];
	char path[PATH_MAX], line[256], result[32] = "", why[STORE_WHY_SIZE];
	struct store_reader *reader;
	struct store_interval *list;
	struct pack request, chunk;
	nng_socket sock;
	struct stat st;
	size_t count;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to become another user\n");
		skip();
	}
	/* Below a directory that only root may pass. */
	assert_int_equal(mkdir("home", 0700), 0);
	assert_int_equal(mkdir("home/store", 0750), 0);
	assert_int_equal(chown("home/store", OWNER, GROUP), 0);
	assert_int_equal(mkdir("run", 0755), 0);
	assert_int_equal(chmod(".", 0755), 0);
	assert_non_null(getcwd(path, sizeof(path)));
	snprintf(child.socket, sizeof(child.socket), "%.64s/run/store.sock", path);
	child_start(&child, "home/store");

	char url[160];
	snprintf(url, sizeof(url), "ipc://%s", child.socket);
	assert_int_equal(nng_req0_open(&sock), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_REQ_RESENDTIME, -1), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, 20000), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_SENDTIMEO, 20000), 0);
	assert_int_equal(nng_listen(sock, url, NULL, 0), 0);
	assert_int_equal(chmod(child.socket, 0666), 0);

	testing_flows(flows, 50, 1, TESTING_BEGIN_MS, TESTING_ROTATION_MS);
	struct interval interval = testing_interval(
	    flows, 50, TESTING_BEGIN_MS, TESTING_BEGIN_MS + TESTING_ROTATION_MS);
	pack_init(&chunk);
	for (int i = 0; i < 50; i++)
		flow_map_pack(&chunk, &flows[i]);
	pack_init(&request);
	pack_request(&request, MSG_APPEND);
	pack_key_str(&request, "iface", "eth0");
	pack_key_u64(&request, "file_id", 7);
	pack_key_u64(&request, "rotation", 1);
	pack_key_u64(&request, "part", 0);
	pack_key_bool(&request, "last", true);
	pack_key_interval(&request, "interval", &interval);
	pack_key_bin(&request, "chunk", chunk.buffer.data, chunk.buffer.size);
	exchange(sock, &request, result, sizeof(result));
	assert_string_equal(result, "durable");

	/* The kernel's word on what the process may do. */
	snprintf(path, sizeof(path), "/proc/%d/status", (int)child.pid);
	FILE *file = fopen(path, "r");
	int seen = 0;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Uid:", 4) == 0)
			seen += strcmp(line, "Uid:\t61001\t61001\t61001\t61001\n") == 0;
		else if (strncmp(line, "Groups:", 7) == 0)
			seen += strspn(line + 7, " \t\n") == strlen(line + 7);
		else if (strncmp(line, "CapEff:", 7) == 0 ||
		    strncmp(line, "CapPrm:", 7) == 0 ||
		    strncmp(line, "CapBnd:", 7) == 0)
			seen += strcmp(line + 7, "\t0000000000000000\n") == 0;
		else if (strncmp(line, "NoNewPrivs:", 11) == 0)
			seen += strcmp(line + 11, "\t1\n") == 0;
	}
	fclose(file);
	assert_int_equal(seen, 6);
	assert_int_equal(stat("home/store/" STORE_DB_NAME, &st), 0);
	assert_int_equal(st.st_uid, OWNER);
	assert_int_equal(st.st_gid, GROUP);
	assert_int_equal(st.st_mode & 0777, 0640);

	/* Signals are not for it. */
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(kill(child.pid, SIGINT), 0);
	assert_int_equal(kill(child.pid, SIGHUP), 0);
	pack_clear(&request);
	pack_request(&request, MSG_FLUSH);
	exchange(sock, &request, NULL, 0);

	/* The supervisor closes the pipe: a clean end. */
	nng_close(sock);
	assert_int_equal(child_end(&child), 0);
	assert_int_equal(store_reader_open("home/store", &reader, why), 0);
	assert_int_equal(
	    store_reader_list(reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(list[0].interval.flows, 50);
	free(list);
	store_reader_close(reader);
	pack_fini(&request);
	pack_fini(&chunk);
}

static void
wrong_arguments_end_with_2(void **state)
{
	static const char *const wrong[][6] = {{NULL}, {"--socket", "x", NULL},
	    {"--socket", "x", "--user", "0", NULL},
	    {"--socket", "x", "--user", "-1:0", NULL},
	    {"--socket", "x", "--user", "4294967295:0", NULL},
	    {"--user", "1:1", "--keep-ms", "5s", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int status;
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			char *args[8] = {strdup("weir-store")};
			for (int n = 0; wrong[i][n]; n++)
				args[n + 1] = strdup(wrong[i][n]);
			int null = open("/dev/null", O_WRONLY);
			dup2(null, STDERR_FILENO);
			execv(WEIR_TEST_STORE, args);
			_exit(91);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 2);
	}
}

static void
ends_when_the_supervisor_is_gone(void **state)
{
	struct child child = {0};
	struct mono before;
	char byte;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to become another user\n");
		skip();
	}
	assert_int_equal(mkdir("store", 0750), 0);
	assert_int_equal(chown("store", OWNER, GROUP), 0);
	snprintf(child.socket, sizeof(child.socket), "/nonexistent/socket");
	child_start(&child, "store");
	before = mono_now();
	close(child.parent);
	child.parent = -1;
	/* The end of its lifeline is how we would learn of it. */
	assert_int_equal(read(child.alive, &byte, 1), 0);
	/* much sooner than it would give up to dial */
	assert_true(mono_ms_between(before, mono_now()) < 2000);
	assert_int_equal(child_end(&child), CHILD_EXIT_FAILED);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	/* The one that calls nng comes last: no fork after that. */
	const struct CMUnitTest tests[] = {
	    TEST(wrong_arguments_end_with_2),
	    TEST(ends_when_the_supervisor_is_gone),
	    TEST(serves_drops_its_rights_and_ends_with_the_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
