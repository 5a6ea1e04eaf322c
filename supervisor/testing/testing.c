#include "supervisor/testing/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define DAEMON_WAIT_MS 10000

int
daemon_setup(void **state)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	if (!daemon)
		return -1;
	strcpy(daemon->base, "/tmp/weird-XXXXXX");
	if (!mkdtemp(daemon->base) || chmod(daemon->base, 0755) != 0)
		return -1;
	snprintf(daemon->runtime, sizeof(daemon->runtime), "%.60s/run", daemon->base);
	snprintf(daemon->fake, sizeof(daemon->fake), "%s/fake", daemon->base);
	snprintf(daemon->config, sizeof(daemon->config), "%s/weir.yaml", daemon->base);
	snprintf(daemon->control, sizeof(daemon->control), "%s/control.sock",
	    daemon->runtime);
	/* The users of both children write into it. */
	if (mkdir(daemon->fake, 0755) != 0 || chmod(daemon->fake, 0777) != 0)
		return -1;
	*state = daemon;
	daemon_configure(daemon, "  - name: lo\n  - name: fake0\n", "1h");
	return 0;
}

/* "/tmp/weird-X/run" becomes "/dev/shm/weir/tmp+weird-X+run". */
static void
daemon_records_dir(const struct daemon *daemon, char out[static 128])
{
	int n = snprintf(out, 128, "/dev/shm/weir/");

	snprintf(out + n, 128 - (size_t)n, "%s", daemon->runtime + 1);
	for (char *p = out + n; *p; p++) {
		if (*p == '/')
			*p = '+';
	}
}

int
daemon_teardown(void **state)
{
	struct daemon *daemon = *state;
	char records[128];
	char command[256];

	if (daemon->pid > 0) {
		kill(daemon->pid, SIGKILL);
		waitpid(daemon->pid, NULL, 0);
		usleep(200000); /* its children notice */
	}
	daemon_records_dir(daemon, records);
	snprintf(command, sizeof(command), "rm -rf %s %s", daemon->base, records);
	free(daemon);
	return system(command);
}

void
daemon_configure(struct daemon *daemon, const char *interfaces, const char *rotation)
{
	FILE *file = fopen(daemon->config, "w");

	assert_non_null(file);
	fprintf(file,
	    "interfaces:\n%s"
	    "runtime: %s\n"
	    "store: %s/store\n"
	    "worker_user: %d\n"
	    "store_user: %d\n"
	    "client_group: %d\n"
	    "rotation: %s\n",
	    interfaces, daemon->runtime, daemon->base, TESTING_WORKER_ID,
	    TESTING_STORE_ID, TESTING_CLIENT_ID, rotation);
	assert_int_equal(fclose(file), 0);
}

static int
daemon_try(struct daemon *daemon, enum msg_type type, struct answer *answer)
{
	struct pack request;
	int rc;

	pack_init(&request);
	pack_request(&request, type);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = ask(daemon->control, &request, 25000, answer);
	pack_fini(&request);
	return rc;
}

void
daemon_ask(struct daemon *daemon, enum msg_type type, struct answer *answer)
{
	assert_int_equal(daemon_try(daemon, type, answer), 0);
	assert_int_equal(answer->msg.error, MSG_OK);
}

static bool
daemon_serves(struct daemon *daemon)
{
	const msgpack_object *ifaces;
	const msgpack_object *store;
	struct answer answer;
	bool serves;
	bool running = false;

	if (daemon_try(daemon, MSG_STATUS, &answer) != 0)
		return false;
	serves = view_map(answer.msg.body, "ifaces", &ifaces) == 0 &&
	    view_map(answer.msg.body, "store", &store) == 0 &&
	    view_bool(store, "running", &running) == 0 && running;
	for (uint32_t i = 0; serves && i < ifaces->via.map.size; i++)
		serves = daemon_is_active(&ifaces->via.map.ptr[i].val);
	answer_fini(&answer);
	return serves;
}

void
daemon_start(struct daemon *daemon, bool serve)
{
	struct mono end = mono_plus_ms(mono_now(), DAEMON_WAIT_MS);

	daemon->pid = fork();
	assert_true(daemon->pid >= 0);
	if (daemon->pid == 0) {
		setenv("WEIR_LIBEXECDIR", WEIR_TEST_FAKES, 1);
		setenv("WEIR_FAKE_DIR", daemon->fake, 1);
		execl(WEIR_TEST_SUPERVISOR, "weir-supervisor", "-c", daemon->config,
		    NULL);
		_exit(127);
	}
	while (serve && !daemon_serves(daemon)) {
		assert_true(mono_ms_between(mono_now(), end) > 0);
		usleep(20000);
	}
}

int
daemon_end(struct daemon *daemon, int signal, int64_t most_ms)
{
	struct mono end = mono_plus_ms(mono_now(), most_ms);
	int status;
	pid_t pid;

	if (signal != 0)
		kill(daemon->pid, signal);
	while ((pid = waitpid(daemon->pid, &status, WNOHANG)) == 0) {
		assert_true(mono_ms_between(mono_now(), end) > 0);
		usleep(10000);
	}
	assert_int_equal(pid, daemon->pid);
	daemon->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool
daemon_is_active(const msgpack_object *iface)
{
	const msgpack_object *worker;
	char state[16];

	return view_str(iface, "state", state, sizeof(state)) == 0 &&
	    strcmp(state, "active") == 0 && view_map(iface, "worker", &worker) == 0;
}

bool
daemon_is_quiet(const msgpack_object *iface)
{
	const msgpack_object *worker;
	const msgpack_object *frozen;

	return daemon_is_active(iface) && view_map(iface, "waiting", &frozen) != 0 &&
	    view_map(iface, "worker", &worker) == 0 &&
	    view_map(worker, "frozen", &frozen) != 0;
}

void
daemon_wait(
    struct daemon *daemon, const char *iface, bool (*what)(const msgpack_object *iface))
{
	struct mono end = mono_plus_ms(mono_now(), DAEMON_WAIT_MS);
	bool holds = false;

	while (!holds) {
		const msgpack_object *ifaces;
		const msgpack_object *part;
		struct answer answer;

		assert_true(mono_ms_between(mono_now(), end) > 0);
		daemon_ask(daemon, MSG_STATUS, &answer);
		holds = view_map(answer.msg.body, "ifaces", &ifaces) == 0 &&
		    view_map(ifaces, iface, &part) == 0 && what(part);
		answer_fini(&answer);
		if (!holds)
			usleep(20000);
	}
}

uint64_t
daemon_number(struct daemon *daemon, const char *iface, const char *key)
{
	const msgpack_object *ifaces;
	const msgpack_object *part;
	struct answer answer;
	uint64_t value;

	daemon_ask(daemon, MSG_STATUS, &answer);
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	assert_int_equal(view_map(ifaces, iface, &part), 0);
	assert_int_equal(view_u64(part, key, UINT64_MAX, &value), 0);
	answer_fini(&answer);
	return value;
}

static void
daemon_script_path(struct daemon *daemon, const char *name, char out[static 192])
{
	snprintf(out, 192, "%s/%s", daemon->fake, name);
}

void
daemon_script(struct daemon *daemon, const char *name)
{
	char path[192];
	int fd;

	daemon_script_path(daemon, name, path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

void
daemon_unscript(struct daemon *daemon, const char *name)
{
	char path[192];

	daemon_script_path(daemon, name, path);
	assert_int_equal(unlink(path), 0);
}

bool
daemon_has_script(struct daemon *daemon, const char *name)
{
	char path[192];

	daemon_script_path(daemon, name, path);
	return access(path, F_OK) == 0;
}

struct stored
daemon_stored(struct daemon *daemon, const char *iface)
{
	struct stored stored = {0};
	char seen[64][64];
	char path[192];
	char line[512];
	FILE *file;

	daemon_script_path(daemon, "stored", path);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		char name[32];
		char chunks[128];
		char want[128];
		uint64_t file_id;
		uint64_t rotation;
		int64_t begin_ms;
		int64_t end_ms;
		uint64_t packets;
		char link[8];

		assert_int_equal(sscanf(line,
				     "%31s %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64
				     " %" SCNu64 " %127s %7s",
				     name, &file_id, &rotation, &begin_ms, &end_ms,
				     &packets, chunks, link),
		    8);
		if (strcmp(name, iface) != 0)
			continue;
		snprintf(want, sizeof(want),
		    "[%" PRIu64 "/0][%" PRIu64 "/1][%" PRIu64 "/2]", rotation, rotation,
		    rotation);
		assert_string_equal(chunks, want);
		assert_true(stored.maps < 64);
		snprintf(seen[stored.maps], sizeof(seen[0]), "%" PRIu64 " %" PRIu64,
		    file_id, rotation);
		for (unsigned i = 0; i < stored.maps; i++)
			assert_string_not_equal(seen[i], seen[stored.maps]);
		if (stored.maps < 16) {
			stored.end_ms[stored.maps] = end_ms;
			stored.link_known[stored.maps] = strcmp(link, "link") == 0;
		}
		stored.maps++;
		stored.packets += packets;
	}
	if (file)
		fclose(file);
	return stored;
}

uint64_t
daemon_counted(struct daemon *daemon, const char *iface)
{
	char path[192];
	char name[64];
	char line[32];
	uint64_t sum = 0;
	FILE *file;

	snprintf(name, sizeof(name), "counted-%s", iface);
	daemon_script_path(daemon, name, path);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sum += strtoull(line, NULL, 10);
	if (file)
		fclose(file);
	return sum;
}

unsigned
daemon_record_files(struct daemon *daemon, const char *part)
{
	const struct dirent *entry;
	char path[128];
	unsigned count = 0;
	DIR *dir;

	daemon_records_dir(daemon, path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL)
		count += strstr(entry->d_name, part) != NULL;
	if (dir)
		closedir(dir);
	return count;
}
