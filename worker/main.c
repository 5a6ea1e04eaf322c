/* weir-worker: one process per interface. What it does is the numbered list in
 * worker_main(); it has rights only down to step 5, and reads no packet before. From step
 * 4 on it makes no system call that is not on a list of confine.c; the list gets shorter
 * with steps 7 and 9. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/iface.h"
#include "common/lifeline.h"
#include "common/log.h"
#include "common/privilege.h"
#include "proto/serve.h"
#include "worker/assignment.h"
#include "worker/capture.h"
#include "worker/check.h"
#include "worker/commands.h"
#include "worker/confine.h"
#include "worker/meter.h"
#include "worker/read.h"
#include "worker/refusals.h"

/* "nobody" and "nogroup", for file mode started by root. */
#define NOBODY 65534

#define EXIT_USAGE 2

struct arguments {
	bool read;
	bool check;
	bool books_only;
	uint64_t flow_limit;
	const char *socket_path;
	uid_t uid;
	gid_t gid;
	bool has_user;
	struct iface_name iface;
};

static const char usage[] =
    "weir-worker captures on one interface; weir-supervisor starts it.\n"
    "\n"
    "  weir-worker --socket PATH --user UID:GID IFACE\n"
    "  weir-worker --check [--user UID:GID] IFACE  opens and closes the interface;\n"
    "                                              for weirctl (descriptor 7)\n"
    "  weir-worker --read [--books] [--flows N]    reads a capture file (descriptor 6)\n"
    "                                              for weirctl (descriptor 7)\n"
    "  weir-worker --help | --version\n";

static int
parse_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int
parse_user(const char *text, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(text, ':');
	char first[16];
	uint64_t u;
	uint64_t g;

	if (!colon || (size_t)(colon - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(colon - text));
	first[colon - text] = '\0';
	/* The highest number means "unchanged" to the system calls. */
	if (parse_number(first, UINT32_MAX - 1, &u) != 0 ||
	    parse_number(colon + 1, UINT32_MAX - 1, &g) != 0)
		return -EINVAL;
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return 0;
}

/* Whether what was given makes one of the three modes. */
static bool
arguments_fit(const struct arguments *arguments, int names)
{
	if (arguments->read)
		return !arguments->check && names == 0;
	if (arguments->check)
		return !arguments->socket_path && names == 1;
	return arguments->socket_path && arguments->has_user && names == 1;
}

/* 0 to go on, else the exit code + 1. */
static int
parse_arguments(int argc, char **argv, struct arguments *out)
{
	static const struct option options[] = {
	    {"read", no_argument, NULL, 'r'},
	    {"check", no_argument, NULL, 'c'},
	    {"books", no_argument, NULL, 'b'},
	    {"flows", required_argument, NULL, 'n'},
	    {"socket", required_argument, NULL, 's'},
	    {"user", required_argument, NULL, 'u'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	*out = (struct arguments){.flow_limit = CAPTURE_FLOWS_DEFAULT};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			out->read = true;
			break;
		case 'c':
			out->check = true;
			break;
		case 'b':
			out->books_only = true;
			break;
		case 'n':
			if (parse_number(optarg, CAPTURE_FLOWS_MAX, &out->flow_limit) !=
				0 ||
			    out->flow_limit < CAPTURE_FLOWS_MIN) {
				fprintf(stderr,
				    "weir-worker: --flows: %d to %" PRIu64 "\n",
				    CAPTURE_FLOWS_MIN, CAPTURE_FLOWS_MAX);
				return EXIT_USAGE + 1;
			}
			break;
		case 's':
			out->socket_path = optarg;
			break;
		case 'u':
			if (parse_user(optarg, &out->uid, &out->gid) != 0) {
				fprintf(stderr,
				    "weir-worker: --user: two numbers, UID:GID\n");
				return EXIT_USAGE + 1;
			}
			out->has_user = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS + 1;
		case 'V':
			printf("weir-worker %s\n", WEIR_VERSION);
			return EXIT_SUCCESS + 1;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (!arguments_fit(out, argc - optind)) {
		fputs(usage, stderr);
		return EXIT_USAGE + 1;
	}
	if (!out->read && iface_name_set(&out->iface, argv[optind]) != 0) {
		fprintf(stderr, "weir-worker: no name of an interface\n");
		return EXIT_USAGE + 1;
	}
	return 0;
}

/* The supervisor takes the signals and tells its children what to do; a Ctrl-C at the
 * terminal reaches all of them, and the last rotation needs them alive. */
static void
ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Packets are nobody's business, and writing gigabytes of ring and records to disk would
 * keep the successor waiting. */
static void
forbid_core_files(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
}

static int
worker_is_dialled(void *ctx)
{
	(void)ctx;
	return confine_serving();
}

static int
worker_main(const struct arguments *arguments)
{
	const struct mono start = mono_now();
	const pid_t parent = getppid();
	struct commands commands = {.adoption_ms = 0};
	struct source_options source;
	struct assignment assignment;
	int exit_code = CHILD_EXIT_FAILED;
	int rc;

	/* 1. Nothing from outside ends it but its supervisor. */
	log_init("weir-worker", arguments->iface.s);
	ignore_signals();
	forbid_core_files();

	/* 2. Its own user, CAP_NET_RAW alone; and an end with the supervisor's. */
	rc = privilege_become(arguments->uid, arguments->gid, true);
	if (rc != 0) {
		log_err("start", "cannot become %u:%u with CAP_NET_RAW alone: %s",
		    (unsigned)arguments->uid, (unsigned)arguments->gid, strerror(-rc));
		return CHILD_EXIT_PRIVILEGE;
	}
	rc = lifeline_bind(parent);
	if (rc != 0) {
		log_err("start", "cannot be bound to the supervisor: %s",
		    rc == -ESRCH ? "it has ended" : strerror(-rc));
		return CHILD_EXIT_FAILED;
	}

	/* 3. What to do. */
	rc = assignment_read(&arguments->iface, &assignment);
	if (rc != 0) {
		log_err("start", "the first message: %s", strerror(-rc));
		return CHILD_EXIT_FAILED;
	}

	/* 4. The capture, unless only the flows of a predecessor are to be handed over. One
	 * that cannot be opened does not end the process, for the same reason. Its filter
	 * is compiled with CAP_NET_RAW, so every call that opening does not take goes
	 * before. */
	rc = confine_opening(assignment.config.flows);
	if (rc != 0)
		return CHILD_EXIT_PRIVILEGE;
	source = (struct source_options){
	    .iface = arguments->iface.s, .config = &assignment.config};
	rc = capture_new(&commands.capture, &source_live, &source);
	if (rc != 0) {
		log_err("start", "capture: %s", strerror(-rc));
		return CHILD_EXIT_FAILED;
	}
	if (assignment.enabled)
		capture_enable(commands.capture);

	/* 5. The last capability. */
	rc = privilege_drop_all();
	if (rc == 0)
		rc = privilege_verify_none(true, arguments->uid == 0);
	if (rc != 0) {
		log_err("start", "still has rights that it should not have");
		exit_code = CHILD_EXIT_PRIVILEGE;
		goto out;
	}

	/* 6. Files: before the first other thread, since only what a thread starts after
	 * this inherits it. */
	rc = confine_files();
	if (rc != 0) {
		exit_code = CHILD_EXIT_PRIVILEGE;
		goto out;
	}

	/* 7. The records, taken over while the rings already fill. Whoever wrote them may
	 * have been taken over itself, so they are read without any right, and with no
	 * call but those of the start. */
	rc = confine_starting();
	if (rc != 0) {
		exit_code = CHILD_EXIT_PRIVILEGE;
		goto out;
	}
	rc = meter_open(&commands.meter,
	    &(struct meter_options){.fd = CHILD_FD_DATA,
		.iface = arguments->iface.s,
		.file_id = assignment.file_id,
		.begin_ms = assignment.begin_ms,
		.flow_limit = assignment.config.flows});
	if (rc != 0) {
		log_err("start", "records: %s",
		    rc == -EBADMSG ? "the file is damaged, or not of this interface"
				   : strerror(-rc));
		exit_code = rc == -EBADMSG ? CHILD_EXIT_RECORDS
		    : rc == -ENOSPC        ? CHILD_EXIT_NO_ROOM
					   : CHILD_EXIT_FAILED;
		goto out;
	}
	commands.adoption = meter_adoption(commands.meter);
	if (fcntl(CHILD_FD_ERRORS, F_GETFD) >= 0)
		refusals_set_file(meter_refusals(commands.meter), CHILD_FD_ERRORS);

	/* 8. Threads: the lifeline, the capture. */
	rc = lifeline_watch();
	if (rc != 0 && rc != -EBADF) {
		log_err("start", "lifeline: %s", strerror(-rc));
		goto out;
	}
	commands.adoption_ms = mono_ms_between(start, mono_now());
	rc = capture_start(commands.capture, commands.meter);
	if (rc != 0) {
		log_err("start", "capture thread: %s", strerror(-rc));
		goto out;
	}

	/* 9. Serve; the first nng call of the process is in here. Once it has dialled,
	 * all threads, sockets and files are there, and every other system call goes. */
	rc = serve_child(arguments->socket_path, MSG_ROLE_WORKER, commands_table,
	    worker_is_dialled, &commands);
	if (rc != 0)
		log_err("serve", "%s", strerror(-rc));
	exit_code = rc == 0 ? EXIT_SUCCESS : CHILD_EXIT_FAILED;

	/* 10. What the rings still hold goes into the records. */
out:
	capture_free(commands.capture);
	meter_free(commands.meter);
	return exit_code;
}

static int
check_main(const struct arguments *arguments)
{
	const struct check_options options = {
	    .iface = arguments->iface,
	    .has_user = arguments->has_user,
	    .uid = arguments->uid,
	    .gid = arguments->gid,
	};

	/* No signals are ignored, as with --read. */
	forbid_core_files();
	return check_run(&options);
}

static int
read_main(const struct arguments *arguments)
{
	const struct read_options options = {
	    .input = CHILD_FD_INPUT,
	    .output = CHILD_FD_OUTPUT,
	    .books_only = arguments->books_only,
	    .flow_limit = arguments->flow_limit,
	};
	const bool root = geteuid() == 0;
	int rc;

	log_init("weir-worker", "read");
	/* No signals are ignored: a Ctrl-C ends it, and a reader that has gone too. */
	forbid_core_files();
	if (fcntl(CHILD_FD_INPUT, F_GETFD) < 0 || fcntl(CHILD_FD_OUTPUT, F_GETFD) < 0) {
		log_err("read",
		    "descriptors %d and %d have to be open; use weirctl read",
		    CHILD_FD_INPUT, CHILD_FD_OUTPUT);
		return EXIT_USAGE;
	}
	rc = root ? privilege_become(NOBODY, NOBODY, false)
		  : privilege_drop_unprivileged();
	if (rc == 0)
		rc = privilege_verify_none(root, false);
	if (rc != 0) {
		log_err("read", "cannot give up rights: %s", strerror(-rc));
		return CHILD_EXIT_PRIVILEGE;
	}
	rc = confine_reading(arguments->flow_limit);
	if (rc != 0)
		return CHILD_EXIT_PRIVILEGE;
	return read_run(&options) == 0 ? EXIT_SUCCESS : CHILD_EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	struct arguments arguments;
	int rc = parse_arguments(argc, argv, &arguments);

	if (rc != 0)
		return rc - 1;
	if (arguments.read)
		return read_main(&arguments);
	return arguments.check ? check_main(&arguments) : worker_main(&arguments);
}
