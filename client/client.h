/* weirctl: what a command is, what the command line becomes, and how a command ends. */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/output/output.h"
#include "common/clock.h"
#include "proto/flows_query.h"
#include "store/reader.h"

#define CLIENT_SOCKET "/run/weir/control.sock"
#define CLIENT_STORE "/var/lib/weir/store"
#define CLIENT_SOCKET_MAX 107 /* sun_path without its NUL */
#define CLIENT_IFACES_MAX 1024
#define CLIENT_WHY_SIZE 512
#define CLIENT_TABLE_ROWS 50 /* of a query, in tables, when -n does not say */

enum client_exit {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
	EXIT_INCOMPLETE = 4,
};

struct command;

/* The command line, checked. Strings belong to argv or the environment. */
struct client {
	const struct command *command; /* NULL with help or version alone */
	bool help;
	bool version;

	const char *socket;
	const struct output_ops *output;
	int timeout_ms; /* 0: the command's own */

	const char **operands; /* owned */
	size_t operand_count;

	uint64_t watch_ms; /* status: 0 once */
	uint64_t count; /* status: samples; 0: until interrupted */
	bool verbose; /* status */

	bool dry_run; /* update, reload */

	struct flows_query flows; /* limit 0: not given */

	struct query query; /* query: fields, times, interfaces, sort, limit */
	const char **ifaces; /* query: owned, query.ifaces points here */
	const char *store; /* query: directory; NULL: ask the daemon */
	bool sort_given;
	bool limit_given;

	bool books_only; /* read */
};

enum option_id {
	OPTION_SOCKET,
	OPTION_OUTPUT,
	OPTION_TIMEOUT,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_WATCH,
	OPTION_COUNT,
	OPTION_IFACE,
	OPTION_FIRST,
	OPTION_LAST,
	OPTION_LIMIT,
	OPTION_SORT,
	OPTION_STORE,
	OPTION_BOOKS,
	OPTION_VERBOSE,
	OPTION_DRY_RUN,
	OPTION_FLOWS_LIMIT,
	OPTION_FLOWS_SORT,
	OPTION_ADDRESS,
	OPTION_PORT,
	OPTION_PROTO,
};

struct option_spec {
	enum option_id id;
	char short_name; /* 0: none */
	const char *name;
	const char *argument; /* its name in the help; NULL: takes none */
	const char *help;
};

/* One row of the table of commands: usage, help and dispatch come from it. */
struct command {
	const char *name;
	const char *operands; /* as in the usage line */
	const char *summary; /* one line */
	const char *text; /* the manual: whole lines, with newlines */
	size_t operands_min;
	size_t operands_max;
	const struct option_spec *options; /* own ones; ends with a NULL name */
	int (*run)(const struct client *client); /* returns enum client_exit */
};

extern const struct command client_commands[];
extern const size_t client_command_count;
extern const struct option_spec client_options[]; /* global; ends with a NULL name */

/* Reads the command line. 0, or -EINVAL and a sentence in `why`; -ENOMEM. `now` is what
 * relative times refer to. Free with client_fini either way. */
int client_parse(struct client *client, int argc, char *const *argv, struct wall now,
    char why[static CLIENT_WHY_SIZE]);
void client_fini(struct client *client);

/* One option and its argument (NULL when it takes none). 0, or -EINVAL and a sentence. */
int client_take_option(struct client *client, const struct option_spec *option,
    const char *value, struct wall now, char why[static CLIENT_WHY_SIZE]);

/* The usage of weirctl, or of one command (NULL: all). */
void client_help(FILE *out, const struct command *command);

/* Columns of a query as a set of enum query_field. 0, or -EINVAL with the reason. */
int client_parse_columns(
    const char *text, unsigned *fields, char why[static CLIENT_WHY_SIZE]);

int command_status(const struct client *client);
int command_errors(const struct client *client);
int command_rotate(const struct client *client);
int command_flows(const struct client *client);
int command_enable(const struct client *client);
int command_disable(const struct client *client);
int command_update(const struct client *client);
int command_reload(const struct client *client);
int command_check(const struct client *client);
int command_query(const struct client *client);
int command_read(const struct client *client);

/* Says what went wrong with an output file and answers `code`, or EXIT_FAILED. Nothing
 * is said when the reader of a pipe went away. */
int client_finish(const struct client *client, struct output *out, int code);

/* A fault of a configuration, one complete line, to stderr as it is (control characters
 * escaped). */
void client_fault(const char *line, size_t len);

/* The same for config_load() and config_parse(). */
void client_config_fault(void *arg, const char *line);

#endif
