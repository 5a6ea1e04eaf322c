/* weir-supervisor: starts one worker per interface and the store, asks them, passes on
 * what they answer. See README.md beside this file for the processes and their rights. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/child/orphans.h"
#include "supervisor/control/commands.h"
#include "supervisor/manager/manager.h"
#include "supervisor/host/programs.h"
#include "supervisor/host/rights.h"
#include "supervisor/log/log_target.h"
#include "supervisor/loop/signals.h"
#include "supervisor/supervisor.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define MAIN_FLUSH_MS 5000

struct options {
	const char *config_path;
	bool check;
};

static void
main_help(void)
{
	printf(
	    "usage: weir-supervisor [-c FILE] [--check]\n"
	    "Measures the traffic of network interfaces; runs in the foreground.\n"
	    "\n"
	    "  -c, --config FILE  configuration (%s)\n"
	    "      --check        only check the configuration\n"
	    "  -h, --help         this text\n"
	    "      --version      the version\n"
	    "\n"
	    "SIGTERM and SIGINT: drain, last rotation, flush, exit; a second one exits at\n"
	    "once. SIGHUP: read the configuration again.\n"
	    "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.\n"
	    "\n"
	    "Keys of the configuration:\n",
	    CONFIG_DEFAULT_PATH);
	config_help(stdout);
}

/* 0 to go on, else the exit code plus one. */
static int
main_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {{"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
	int option;

	options->config_path = CONFIG_DEFAULT_PATH;
	options->check = false;
	while ((option = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config_path = optarg;
			break;
		case 'k':
			options->check = true;
			break;
		case 'h':
			main_help();
			return EXIT_SUCCESS + 1;
		case 'v':
			printf("weir-supervisor %s\n", WEIR_VERSION);
			return EXIT_SUCCESS + 1;
		default:
			fprintf(stderr, "weir-supervisor --help shows the options\n");
			return EXIT_USAGE + 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
		    "weir-supervisor: unexpected argument '%s'; the configuration is "
		    "named with -c\n",
		    argv[optind]);
		return EXIT_USAGE + 1;
	}
	return 0;
}

static void
main_fault(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Faults of the file and of what it means on this host; none of them changes anything. */
static int
main_configure(struct supervisor *supervisor, const char *path)
{
	int rc = config_load(path, &supervisor->config, main_fault, NULL);

	if (rc != 0)
		return rc;
	supervisor->config_path = path;
	rc = settings_resolve(
	    &supervisor->settings, &supervisor->config, main_fault, NULL);
	if (rc != 0)
		fprintf(stderr, "(in %s)\n", path);
	return rc;
}

/* Descriptors 0, 1 and 2 exist, and nobody reads from a terminal that is the shell's. */
static int
main_standard_descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && dup2(null, fd) < 0)
			return -errno;
	}
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}

/* Four descriptors per child and nng's own, one per client. */
static void
main_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("supervisor", "open files stay limited: %s", strerror(errno));
}

static void
main_caught(void *arg, int signal)
{
	struct supervisor *supervisor = arg;

	switch (signal) {
	case SIGCHLD:
		children_reap(supervisor->children);
		break;
	case SIGHUP:
		manager_reload(supervisor);
		break;
	default:
		manager_stop(supervisor);
		break;
	}
}

static void
main_child_gone(void *arg)
{
	manager_child_gone(arg);
}

static void
main_rotation_due(void *arg, int64_t end_ms)
{
	manager_rotate_all(arg, end_ms);
}

/* What a child sends comes in pieces of up to 2 MiB, on any thread of nng. glibc would keep
 * those for the next time, in an arena per thread, so that a child could make this process
 * ten megabytes larger; mapped one by one they are given back. */
static void
main_return_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

struct watchdog {
	struct loop *loop;
	struct loop_timer timer;
	int64_t period_ms;
};

static void
main_watchdog_turn(void *arg)
{
	struct watchdog *watchdog = arg;

	sd_notify(0, "WATCHDOG=1");
	loop_timer_set(watchdog->loop, &watchdog->timer, watchdog->period_ms);
}

static void
main_watchdog(struct watchdog *watchdog, struct loop *loop)
{
	uint64_t usec = 0;

	*watchdog = (struct watchdog){.loop = loop};
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return;
	watchdog->period_ms = (int64_t)(usec / 1000 / 3);
	watchdog->timer =
	    (struct loop_timer){.fire = main_watchdog_turn, .arg = watchdog};
	main_watchdog_turn(watchdog);
}

/* What the limit of a topic has left out is told soon, also when nothing more happens. */
struct flusher {
	struct loop *loop;
	struct loop_timer timer;
};

static void
main_flusher_turn(void *arg)
{
	struct flusher *flusher = arg;

	log_flush_suppressed();
	loop_timer_set(flusher->loop, &flusher->timer, MAIN_FLUSH_MS);
}

static void
main_flusher(struct flusher *flusher, struct loop *loop)
{
	*flusher = (struct flusher){
	    .loop = loop, .timer = {.fire = main_flusher_turn, .arg = flusher}};
	loop_timer_set(loop, &flusher->timer, MAIN_FLUSH_MS);
}

/* 0 or negative errno, logged. */
static int
main_log(struct supervisor *supervisor)
{
	char why[LOG_TARGET_WHY_SIZE];
	struct config_log log;
	int rc = config_log_parse(supervisor->config.log, &log);

	if (rc != 0)
		return rc;
	rc = log_target_open(&supervisor->log, &log, why);
	if (rc != 0)
		log_err("supervisor", "log: %s: %s", supervisor->config.log, why);
	return rc;
}

static int
main_interfaces(struct supervisor *supervisor)
{
	struct plan plan;
	int rc = manager_follow_start(supervisor);

	if (rc != 0)
		return rc;
	rc = plan_make(&plan, supervisor, supervisor->config.ifaces,
	    supervisor->config.iface_count);
	if (rc != 0)
		return rc;
	rc = manager_apply(supervisor, &plan);
	plan_fini(&plan);
	return rc;
}

static int
main_run(struct supervisor *supervisor)
{
	struct signals signals = {.fd = -1};
	struct watchdog watchdog;
	struct flusher flusher;
	int program_dir = -1;
	const char *what;
	int rc;

	/* 1. What every process of ours inherits. */
	what = "standard descriptors";
	rc = main_standard_descriptors();
	if (rc != 0)
		goto out;
	main_raise_limits();
	main_return_memory();
	what = "signals";
	rc = signals_block();
	if (rc != 0)
		goto out;

	/* 2. Directories, the lock, the executables: the last steps that need all of
	 * root's rights. Each says itself what is wrong. */
	what = NULL;
	rc = runtime_open(
	    &supervisor->runtime, &supervisor->config, &supervisor->settings);
	if (rc != 0)
		goto out;
	rc = program_dir = programs_open();
	if (rc < 0)
		goto out;
	supervisor->program_dir = program_dir;
	/* What kept it from starting so far is on stderr, in front of who starts it. */
	rc = main_log(supervisor);
	if (rc != 0)
		goto out;

	/* 3. Most rights go; from here on threads may exist. */
	what = "giving up capabilities";
	rc = rights_reduce();
	if (rc != 0)
		goto out;
	what = "log";
	rc = log_target_start(supervisor->log);
	if (rc != 0)
		goto out;

	/* 4. The loop and what it watches. */
	what = "event loop";
	rc = loop_new(&supervisor->loop);
	if (rc != 0)
		goto out;
	manager_init(supervisor);
	rc = children_new(&supervisor->children, supervisor->loop, program_dir);
	if (rc != 0)
		goto out;
	rc = orphans_adopt();
	if (rc != 0)
		goto out;
	children_on_gone(supervisor->children, main_child_gone, supervisor);
	rc = signals_watch(&signals, supervisor->loop, main_caught, supervisor);
	if (rc != 0)
		goto out;
	rc = rotation_init(&supervisor->rotation, supervisor->loop,
	    (int64_t)supervisor->config.rotation_ms, main_rotation_due, supervisor);
	if (rc != 0)
		goto out;
	main_watchdog(&watchdog, supervisor->loop);

	/* 5. Whoever may ask, then whoever is asked. */
	what = "control socket";
	rc = control_new(&supervisor->control, supervisor->loop,
	    supervisor->runtime.control, supervisor->settings.client_gid,
	    commands_table, supervisor);
	if (rc != 0)
		goto out;
	store_link_start(supervisor);
	what = "interfaces";
	rc = main_interfaces(supervisor);
	if (rc != 0)
		goto out;
	manager_take_leftovers(supervisor);

	/* 6. Run. */
	log_info("supervisor", "version %s, process %d, %zu interfaces, socket %s",
	    WEIR_VERSION, (int)getpid(), supervisor->config.iface_count,
	    supervisor->runtime.control);
	sd_notify(0, "READY=1");
	main_flusher(&flusher, supervisor->loop);
	what = "event loop";
	rc = loop_run(supervisor->loop);
	loop_timer_clear(supervisor->loop, &flusher.timer);
	loop_timer_clear(supervisor->loop, &watchdog.timer);

out:
	if (rc < 0 && what)
		log_err("supervisor", "%s: %s", what, strerror(-rc));
	/* 7. In reverse: first those who may be waited for, then who waits. The loop itself
	 * stays, see control_end(). */
	if (supervisor->loop) {
		bool orderly = supervisor->stage == SUPERVISOR_ENDS &&
		    children_count(supervisor->children) == 0;

		if (rc == 0 && !orderly)
			rc = -ECANCELED;
		manager_fini(supervisor);
		manager_follow_stop(supervisor);
		store_link_fini(&supervisor->store);
		if (children_free(supervisor->children) == 0)
			supervisor->children = NULL;
		control_end(supervisor->control);
		rotation_fini(&supervisor->rotation);
		signals_fini(&signals);
	}
	if (program_dir >= 0)
		close(program_dir);
	runtime_close(&supervisor->runtime);
	/* The target itself stays, like the loop. */
	log_flush_suppressed();
	log_target_drain(supervisor->log);
	return rc;
}

int
main(int argc, char **argv)
{
	static struct supervisor supervisor = {
	    .runtime = {.lock_fd = -1, .records_fd = -1, .store_fd = -1},
	    .rotation = {.fd = -1}};
	struct options options;
	int rc;

	log_init("weir-supervisor", NULL);
	supervisor.started = mono_now();
	rc = main_options(argc, argv, &options);
	if (rc != 0)
		return rc - 1;
	rc = main_configure(&supervisor, options.config_path);
	if (rc != 0)
		return EXIT_USAGE;
	if (options.check) {
		printf("%s: no faults; %zu interfaces\n", options.config_path,
		    supervisor.config.iface_count);
		rc = 0;
	} else if (geteuid() != 0) {
		log_err("supervisor",
		    "must be started as root; it keeps only what it needs of root's rights");
		rc = -EPERM;
	} else {
		rc = main_run(&supervisor);
	}
	config_fini(&supervisor.config);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}
