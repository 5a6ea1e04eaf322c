/* weir-store: takes flow maps from the supervisor and keeps them in the database.
 *
 *	weir-store --socket PATH --user UID:GID --keep-ms N --keep-bytes N [--log-flows]
 *
 * Started by the supervisor alone, with the store's directory on CHILD_FD_DATA and the
 * lifelines (common/child.h). */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/child.h"
#include "common/lifeline.h"
#include "common/log.h"
#include "common/privilege.h"
#include "proto/serve.h"
#include "store/confine.h"
#include "store/format.h"
#include "store/requests.h"

struct options {
	const char *socket;
	uid_t uid;
	gid_t gid;
	bool has_user;
	bool log_flows;
	struct retention retention;
};

static int
parse_u64(const char *text, uint64_t max, uint64_t *out, const char **end)
{
	char *after;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long long value = strtoull(text, &after, 10);
	if (errno != 0 || value > max)
		return -ERANGE;
	*out = value;
	*end = after;
	return 0;
}

static int
parse_number(const char *text, uint64_t *out)
{
	const char *end;

	return parse_u64(text, UINT64_MAX, out, &end) == 0 && *end == '\0' ? 0
									   : -EINVAL;
}

/* (uid_t)-1 means "unchanged" to the kernel, so it is not a user. */
static int
parse_user(const char *text, struct options *options)
{
	uint64_t uid, gid;
	const char *end;

	if (parse_u64(text, UINT32_MAX - 1, &uid, &end) < 0 || *end != ':')
		return -EINVAL;
	if (parse_u64(end + 1, UINT32_MAX - 1, &gid, &end) < 0 || *end != '\0')
		return -EINVAL;
	options->uid = (uid_t)uid;
	options->gid = (gid_t)gid;
	options->has_user = true;
	return 0;
}

static int
parse_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {{"socket", required_argument, NULL, 's'},
	    {"user", required_argument, NULL, 'u'},
	    {"keep-ms", required_argument, NULL, 'm'},
	    {"keep-bytes", required_argument, NULL, 'b'},
	    {"log-flows", no_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0}};
	int option, rc = 0;

	memset(options, 0, sizeof(*options));
	while (rc == 0 && (option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case 's':
			options->socket = optarg;
			break;
		case 'u':
			rc = parse_user(optarg, options);
			break;
		case 'm':
			rc = parse_number(optarg, &options->retention.keep_ms);
			break;
		case 'b':
			rc = parse_number(optarg, &options->retention.keep_bytes);
			break;
		case 'l':
			options->log_flows = true;
			break;
		case 'V':
			printf("weir-store " WEIR_VERSION "\n");
			exit(0);
		default:
			rc = -EINVAL;
		}
	}
	if (rc == 0 && (optind != argc || !options->socket || !options->has_user))
		rc = -EINVAL;
	if (rc < 0)
		fprintf(stderr,
		    "usage: weir-store --socket PATH --user UID:GID --keep-ms N "
		    "--keep-bytes N [--log-flows]\n"
		    "weir-supervisor starts it; it is of no use alone.\n");
	return rc;
}

static int
ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
	struct sigaction action = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		if (sigaction(ignored[i], &action, NULL) < 0)
			return -errno;
	}
	return 0;
}

/* Before rights are dropped, in case the directory cannot be seen afterwards. */
static void
name_database(char path[static PATH_MAX])
{
	char directory[PATH_MAX];

	if (!getcwd(directory, sizeof(directory) - sizeof("/" STORE_DB_NAME)))
		strcpy(directory, ".");
	snprintf(path, PATH_MAX, "%.*s/%s", (int)(PATH_MAX - sizeof("/" STORE_DB_NAME)),
	    directory, STORE_DB_NAME);
}

static int
store_is_dialled(void *ctx)
{
	(void)ctx;
	return confine_serving();
}

int
main(int argc, char **argv)
{
	struct options options;
	struct store *store = NULL;
	const pid_t parent = getppid();
	char path[PATH_MAX], why[SCHEMA_WHY_SIZE];
	int rc;

	/* 1. What is asked for. */
	if (parse_options(argc, argv, &options) < 0)
		return 2;
	log_init("weir-store", NULL);

	/* 2. Signals are the supervisor's business. */
	rc = ignore_signals();
	if (rc < 0) {
		log_err("start", "signals cannot be ignored: %s", strerror(-rc));
		return CHILD_EXIT_FAILED;
	}

	/* 3. Every right is given up, and the kernel is asked whether it is so; and it is to
	 * end this process with the supervisor's, whatever has become of it. SQLite loses
	 * nothing that was acknowledged. */
	rc = privilege_become(options.uid, options.gid, false);
	if (rc == 0)
		rc = privilege_verify_none(true, options.uid == 0);
	if (rc < 0) {
		log_err("start", "cannot become %u:%u without capabilities: %s",
		    (unsigned)options.uid, (unsigned)options.gid, strerror(-rc));
		return CHILD_EXIT_PRIVILEGE;
	}

	rc = lifeline_bind(parent);
	if (rc < 0) {
		log_err("start", "cannot be bound to the supervisor: %s",
		    rc == -ESRCH ? "it has ended" : strerror(-rc));
		return CHILD_EXIT_FAILED;
	}

	/* 4. Into the directory, as its owner (the supervisor's root may not have the
	 * capability to enter it), by the descriptor: its path may not be passable. */
	if (fchdir(CHILD_FD_DATA) < 0) {
		log_err("start",
		    "descriptor %d is no directory that can be entered: %s",
		    CHILD_FD_DATA, strerror(errno));
		return CHILD_EXIT_FAILED;
	}
	umask(027);
	name_database(path);

	/* 5. No file outside of it; before the first other thread, since only what a
	 * thread starts after this inherits it. */
	rc = confine_files(CHILD_FD_DATA);
	if (rc < 0)
		return CHILD_EXIT_PRIVILEGE;
	close(CHILD_FD_DATA);

	/* 6. No call but those of the start: whoever wrote the database may have been taken
	 * over. */
	rc = confine_starting();
	if (rc < 0)
		return CHILD_EXIT_PRIVILEGE;

	/* 7. End when the supervisor does. */
	rc = lifeline_watch();
	if (rc < 0) {
		log_err("start", "no lifeline to the supervisor: %s", strerror(-rc));
		return CHILD_EXIT_FAILED;
	}

	/* 8. The database. */
	rc = store_start(path, &options.retention, &store, why);
	if (rc < 0) {
		log_err("start", "%s: %s", path, why);
		return CHILD_EXIT_FAILED;
	}

	if (options.log_flows)
		store_log_flows(store);

	/* 9. Serve until the supervisor closes the pipe. Once the process has dialled, all
	 * threads are there, and every system call goes that is not on the list. */
	rc = serve_child(
	    options.socket, MSG_ROLE_STORE, store_requests, store_is_dialled, store);
	if (rc < 0)
		log_err("serve", "%s", strerror(-rc));

	/* 10. In reverse. */
	store_stop(store);
	return rc < 0 ? CHILD_EXIT_FAILED : 0;
}
