/* weirctl check: what would fail if weir were started with a configuration, and what
 * repairs it. First the file itself, then what it means on this host (asked of the
 * supervisor), then each interface (asked of a worker). Every question is put to the
 * program that will have to answer it at the start; nothing is decided here. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/check/host.h"
#include "client/check/plan.h"
#include "client/check/probe.h"
#include "client/check/verdict.h"
#include "client/client.h"
#include "client/config_file.h"
#include "client/file_worker.h"
#include "common/log.h"

enum {
	C_IFACE,
	C_ENTRY,
	C_LINE,
	C_RESULT,
	C_REASON,
	C_WHY,
	C_REPAIR,
	C_MAX
};

/* REPAIR is never cut, since it is there to be copied: it stands last, so a terminal
 * wraps it. */
static const struct column columns[C_MAX] = {
    [C_IFACE] = {"iface", "IFACE", UNIT_NONE, .left = true},
    [C_ENTRY] = {"entry", "ENTRY", UNIT_NONE, .left = true, .drop = 1},
    [C_LINE] = {"line", NULL, .unit = UNIT_NONE},
    [C_RESULT] = {"result", "RESULT", UNIT_NONE, .left = true},
    [C_REASON] = {"reason", NULL, .unit = UNIT_NONE},
    [C_WHY] = {"why", "WHY", UNIT_NONE, .left = true, .shrink = 30},
    [C_REPAIR] = {"repair", "REPAIR", UNIT_NONE, .left = true},
};

static const struct column file_column[] = {{"file", NULL, .unit = UNIT_NONE}};
static const struct column fault_column[] = {{"fault", NULL, .unit = UNIT_NONE}};

/* What is said of the configuration on this host, line by line. */
struct host_lines {
	char **lines;
	size_t count;
	size_t faults_at; /* those from here on are faults */
	bool no_memory;
};

struct host_question {
	const struct config_file *file;
	struct host_lines *host;
};

static void
take_line(void *arg, const char *text, size_t len)
{
	struct host_lines *host = arg;
	char **more = reallocarray(host->lines, host->count + 1, sizeof(*more));

	if (more)
		host->lines = more;
	if (more && (more[host->count] = strndup(text, len)) != NULL)
		host->count++;
	else
		host->no_memory = true;
}

static void
host_lines_fini(struct host_lines *host)
{
	for (size_t i = 0; i < host->count; i++)
		free(host->lines[i]);
	free(host->lines);
}

static void __attribute__((format(printf, 2, 3)))
add_fault(struct host_lines *host, const char *format, ...)
{
	char line[PATH_MAX + 512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	take_line(host, line, strlen(line));
}

/* A line of the supervisor's. Where it says what it was told to open, people have given
 * that another name. */
static void
take_answer(void *arg, const char *text, size_t len)
{
	struct host_question *question = arg;
	const struct config_file *file = question->file;
	const char *path = memmem(text, len, file->path, strlen(file->path));
	char *line = NULL;
	int n;

	if (!path || strcmp(file->path, file->name) == 0) {
		take_line(question->host, text, len);
		return;
	}
	n = asprintf(&line, "%.*s%s%.*s", (int)(path - text), text, file->name,
	    (int)(len - (size_t)(path - text) - strlen(file->path)),
	    path + strlen(file->path));
	if (n < 0) {
		question->host->no_memory = true;
		return;
	}
	take_line(question->host, line, (size_t)n);
	free(line);
}

/* What the supervisor says is a fault when its exit code is one. */
static void
ask_supervisor(
    const char *worker_path, const struct config_file *file, struct host_lines *host)
{
	struct host_question question = {.file = file, .host = host};
	char path[PATH_MAX];
	int rc;

	if (check_supervisor_find(path, sizeof(path), worker_path) != 0) {
		add_fault(host,
		    "%s: no such program; users and directories were not checked",
		    path);
		return;
	}
	rc =
	    check_supervisor_run(path, file->path, file->input, take_answer, &question);
	if (rc == 0)
		host->faults_at = host->count;
	else if (host->count == 0)
		add_fault(host, "%s: %s", path,
		    rc < 0 ? strerror(-rc) : "failed without a word");
}

/* EXIT_DONE, or EXIT_FAILED after its faults have been told. */
static int
check_host(const struct check_asker *asker, const struct config_file *file,
    const struct config *config, const char *worker_path, struct host_lines *host)
{
	ask_supervisor(worker_path, file, host);
	check_directories(config, take_line, host);
	/* before there is any interface, the supervisor itself needs these */
	if (asker->root && asker->missing[0] != '\0')
		add_fault(host, "root lacks %s here; " CHECK_GRANT, asker->missing,
		    asker->missing);
	for (size_t i = host->faults_at; i < host->count; i++)
		client_fault(host->lines[i], strlen(host->lines[i]));
	if (host->no_memory)
		log_err("check", "%s", strerror(ENOMEM));
	return host->count > host->faults_at || host->no_memory ? EXIT_FAILED
								: EXIT_DONE;
}

static void
show_host(struct output *out, const struct host_lines *host)
{
	if (!out->ops->exact) {
		/* that there are no faults is said only when there are none */
		for (size_t i = 0; host->count == host->faults_at && i < host->count;
		     i++)
			output_note(out, "%s", host->lines[i]);
		return;
	}
	if (out->ops->flat)
		return;
	out->ops->rows_begin(out, "host", fault_column, 1);
	for (size_t i = host->faults_at; i < host->count; i++) {
		const struct value value = VALUE_OF_TEXT(host->lines[i]);
		out->ops->row(out, &value);
	}
	out->ops->rows_end(out, NULL);
}

static struct value
text_or_none(const char *text)
{
	return text[0] != '\0' ? VALUE_OF_TEXT(text) : VALUE_UNKNOWN;
}

/* One row; EXIT_FAILED when it fails. */
static int
show_target(struct output *out, const struct check_asker *asker,
    const struct check_target *target, const struct check_probe *probe)
{
	struct check_verdict verdict;
	char iface[IFACE_SHOWN_SIZE];

	check_judge(asker, target, probe, &verdict);
	const struct value v[C_MAX] = {
	    [C_IFACE] = text_or_none(iface_shown(target->iface.s, iface)),
	    [C_ENTRY] = VALUE_OF_TEXT(config_iface_text(target->entry)),
	    [C_LINE] = VALUE_OF_U64(target->entry->line),
	    [C_RESULT] = VALUE_OF_TEXT(check_result_name(verdict.result)),
	    [C_REASON] = text_or_none(probe->reason),
	    [C_WHY] = text_or_none(verdict.why),
	    [C_REPAIR] = text_or_none(verdict.repair),
	};
	out->ops->row(out, v);
	return verdict.result == CHECK_FAILS ? EXIT_FAILED : EXIT_DONE;
}

/* A probe per target, in their order. One without an interface asks about `absent`, which
 * is none: what is wrong with its keys is found all the same. */
static struct check_probe *
probes_new(const struct check_target *targets, size_t count, const char *absent)
{
	struct check_probe *probes = calloc(count + 1, sizeof(*probes));

	for (size_t i = 0; probes && i < count; i++) {
		const char *iface = targets[i].iface.s;

		probes[i].iface = iface[0] != '\0' ? iface : absent;
		probes[i].config = &targets[i].entry->capture;
	}
	return probes;
}

static int
check_ifaces(const struct check_asker *asker, const struct config *config,
    const char *worker_path, struct output *out)
{
	char user[CHECK_USER_SIZE];
	bool as_user = asker->root && check_worker_user(config, user) == 0;
	struct check_link *links = NULL;
	struct check_target *targets = NULL;
	struct check_probe *probes = NULL;
	struct iface_name absent;
	size_t link_count = 0, target_count = 0;
	int code = EXIT_DONE;
	int rc;

	rc = check_links(&links, &link_count);
	if (rc == 0)
		rc = check_plan(config->ifaces, config->iface_count, links, link_count,
		    &targets, &target_count);
	if (rc == 0) {
		check_absent(links, link_count, &absent);
		probes = probes_new(targets, target_count, absent.s);
		rc = probes ? 0 : -ENOMEM;
	}
	if (rc != 0) {
		log_err("check", "the interfaces: %s", strerror(-rc));
		code = EXIT_FAILED;
		goto out;
	}
	check_probe_all(worker_path, as_user ? user : NULL, probes, target_count);
	for (size_t i = 0; i < target_count; i++) {
		if (show_target(out, asker, &targets[i], &probes[i]) != EXIT_DONE)
			code = EXIT_FAILED;
	}
out:
	free(links);
	free(targets);
	free(probes);
	return code;
}

int
command_check(const struct client *client)
{
	const char *operand = client->operand_count > 0 ? client->operands[0] : NULL;
	char missing[CHECK_MISSING_SIZE];
	struct check_asker asker = {
	    .operand = operand, .root = geteuid() == 0, .missing = missing};
	struct host_lines host = {0};
	char worker_path[PATH_MAX];
	struct config_file file;
	struct config config;
	struct output out;
	int code;

	if (config_file_load(
		client, operand ? operand : CONFIG_DEFAULT_PATH, &file, &config) != 0)
		return EXIT_FAILED;
	asker.file = file.name;
	if (file_worker_find(worker_path, sizeof(worker_path)) != 0) {
		log_err("check",
		    "%s: no such program; WEIR_LIBEXECDIR names the directory that has "
		    "it",
		    worker_path);
		config_fini(&config);
		config_file_close(&file);
		return EXIT_FAILED;
	}
	check_missing_rights(missing);
	code = check_host(&asker, &file, &config, worker_path, &host);
	output_open(&out, client->output, stdout);
	const struct value name = VALUE_OF_TEXT(asker.file);
	out.ops->fields(&out, NULL, file_column, &name, 1);
	show_host(&out, &host);
	out.ops->rows_begin(&out, "ifaces", columns, C_MAX);
	if (check_ifaces(&asker, &config, worker_path, &out) != EXIT_DONE)
		code = EXIT_FAILED;
	out.ops->rows_end(&out, NULL);
	host_lines_fini(&host);
	config_fini(&config);
	config_file_close(&file);
	return client_finish(client, &out, code);
}
