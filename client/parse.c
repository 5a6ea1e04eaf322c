/* The command line. Options are looked up in the tables of commands.c: before the
 * command in the global one, after it in the command's own and then the global one, so
 * that -s means the socket before `query` and the order after it. Options and operands
 * may be mixed; `--` ends the options. An option's argument may begin with a dash
 * (--first -4h). */
#include "client/client.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

struct words {
	int argc;
	char *const *argv;
	int at;
};

static const struct {
	const char *name;
	enum query_field field;
} query_columns[] = {
    {"time", QUERY_TIME},
    {"iface", QUERY_IFACE},
    {"src", QUERY_SRC},
    {"dst", QUERY_DST},
    {"dport", QUERY_DPORT},
    {"proto", QUERY_PROTO},
};

int
client_parse_columns(
    const char *text, unsigned *fields, char why[static CLIENT_WHY_SIZE])
{
	unsigned set = 0;
	char shown[64];

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		size_t i = 0;
		for (; i < sizeof(query_columns) / sizeof(query_columns[0]); i++) {
			const char *name = query_columns[i].name;
			if (strlen(name) == len && memcmp(name, at, len) == 0)
				break;
		}
		text_escape(shown, sizeof(shown), at, len);
		if (i == sizeof(query_columns) / sizeof(query_columns[0])) {
			snprintf(why, CLIENT_WHY_SIZE,
			    "unknown column \"%s\"; columns are time, iface, src, dst, "
			    "dport, proto, separated by commas",
			    shown);
			return -EINVAL;
		}
		if (set & query_columns[i].field) {
			snprintf(
			    why, CLIENT_WHY_SIZE, "column \"%s\" stands twice", shown);
			return -EINVAL;
		}
		set |= query_columns[i].field;
		at += len;
		if (*at == '\0')
			break;
	}
	*fields = set;
	return 0;
}

static int
refuse(char why[static CLIENT_WHY_SIZE], const struct option_spec *option,
    const char *value, const char *expected)
{
	char shown[64];

	text_escape(shown, sizeof(shown), value, strlen(value));
	snprintf(why, CLIENT_WHY_SIZE, "--%s: \"%s\" is not %s", option->name, shown,
	    expected);
	return -EINVAL;
}

/* "2", "0.5" (seconds) or with a unit, "500ms" */
static int
to_wait_ms(const char *text, uint64_t *out)
{
	char *end;
	double seconds;

	if (text_to_ms(text, out) == 0)
		return 0;
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	seconds = strtod(text, &end);
	if (*end != '\0' || text[1] == 'x' || text[1] == 'X' || !(seconds < 1e9))
		return -EINVAL;
	*out = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int
take_time(struct client *client, const struct option_spec *option, const char *value,
    struct wall now, char why[static CLIENT_WHY_SIZE])
{
	int64_t *out = option->id == OPTION_FIRST ? &client->query.first_ms
						  : &client->query.last_ms;

	if (text_to_time_ms(value, now, out) == 0)
		return 0;
	return refuse(why, option, value,
	    "a time; e.g. 2026-01-31T23:59, @1767225600, -4h (before now) or now");
}

static int
take_option(struct client *client, const struct option_spec *option, const char *value,
    struct wall now, char why[static CLIENT_WHY_SIZE])
{
	uint64_t number;

	switch (option->id) {
	case OPTION_SOCKET:
		client->socket = value;
		return 0;
	case OPTION_OUTPUT:
		client->output = output_find(value);
		return client->output
		    ? 0
		    : refuse(why, option, value, "table, csv or json");
	case OPTION_TIMEOUT:
		if (to_wait_ms(value, &number) != 0 || number == 0 || number > 86400000)
			return refuse(why, option, value, "a time of 1ms to 1d");
		client->timeout_ms = (int)number;
		return 0;
	case OPTION_HELP:
		client->help = true;
		return 0;
	case OPTION_VERSION:
		client->version = true;
		return 0;
	case OPTION_WATCH:
		if (to_wait_ms(value, &number) != 0 || number < 100 ||
		    number > 86400000)
			return refuse(why, option, value, "a time of 0.1 s to 1d");
		client->watch_ms = number;
		return 0;
	case OPTION_COUNT:
		if (text_to_number(value, &client->count) != 0 || client->count == 0)
			return refuse(why, option, value, "a number from 1");
		return 0;
	case OPTION_IFACE:
		if (!iface_name_valid(value))
			return refuse(why, option, value, "an interface name");
		client->ifaces[client->query.iface_count++] = value;
		return 0;
	case OPTION_FIRST:
	case OPTION_LAST:
		return take_time(client, option, value, now, why);
	case OPTION_LIMIT:
		if (text_to_number(value, &number) != 0 || number > SIZE_MAX / 2)
			return refuse(why, option, value, "a number");
		client->query.limit = (size_t)number;
		client->limit_given = true;
		return 0;
	case OPTION_SORT:
		if (strcmp(value, "bytes") == 0)
			client->query.sort = QUERY_BY_BYTES;
		else if (strcmp(value, "packets") == 0)
			client->query.sort = QUERY_BY_PACKETS;
		else if (strcmp(value, "flows") == 0)
			client->query.sort = QUERY_BY_FLOWS;
		else
			return refuse(why, option, value, "bytes, packets or flows");
		client->sort_given = true;
		return 0;
	case OPTION_STORE:
		client->store = value;
		return 0;
	case OPTION_BOOKS:
		client->books_only = true;
		return 0;
	}
	return -EINVAL;
}

/* By short name, or (short_name 0) by long name of that length. */
static const struct option_spec *
option_find(
    const struct option_spec *options, char short_name, const char *name, size_t len)
{
	for (; options && options->name; options++) {
		if (short_name ? options->short_name == short_name
			       : strlen(options->name) == len &&
			    memcmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}

static const struct option_spec *
option_known(const struct client *client, char short_name, const char *name, size_t len)
{
	const struct option_spec *option = NULL;

	if (client->command)
		option = option_find(client->command->options, short_name, name, len);
	return option ? option : option_find(client_options, short_name, name, len);
}

static int
unknown_option(const struct client *client, const char *word, size_t len,
    char why[static CLIENT_WHY_SIZE])
{
	char shown[64];
	const struct command *owner = NULL;

	text_escape(shown, sizeof(shown), word, len);
	for (size_t i = 0; i < client_command_count && !owner; i++) {
		const struct command *command = &client_commands[i];
		if (word[1] == '-'
			? option_find(command->options, 0, word + 2, len - 2) != NULL
			: option_find(command->options, word[1], NULL, 0) != NULL)
			owner = command;
	}
	if (owner && !client->command)
		snprintf(why, CLIENT_WHY_SIZE,
		    "option %s belongs behind its command (%s)", shown, owner->name);
	else if (owner)
		snprintf(why, CLIENT_WHY_SIZE,
		    "unknown option %s; %s has it, %s has not", shown, owner->name,
		    client->command->name);
	else
		snprintf(why, CLIENT_WHY_SIZE, "unknown option %s", shown);
	return -EINVAL;
}

static int
take_long(struct client *client, struct words *words, struct wall now,
    char why[static CLIENT_WHY_SIZE])
{
	const char *word = words->argv[words->at++];
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
	const struct option_spec *option = option_known(client, 0, word + 2, len);

	if (!option)
		return unknown_option(client, word, 2 + len, why);
	if (!option->argument && value) {
		snprintf(why, CLIENT_WHY_SIZE, "--%s takes no argument", option->name);
		return -EINVAL;
	}
	if (option->argument && !value) {
		if (words->at == words->argc) {
			snprintf(why, CLIENT_WHY_SIZE, "--%s needs an argument: %s",
			    option->name, option->argument);
			return -EINVAL;
		}
		value = words->argv[words->at++];
	}
	return take_option(client, option, value, now, why);
}

/* One word of short options: flags may be joined, an argument may be attached. */
static int
take_short(struct client *client, struct words *words, struct wall now,
    char why[static CLIENT_WHY_SIZE])
{
	const char *word = words->argv[words->at++];

	for (const char *at = word + 1; *at != '\0'; at++) {
		const struct option_spec *option = option_known(client, *at, NULL, 0);
		const char *value = NULL;
		if (!option) {
			char alone[3] = {'-', *at, '\0'};
			return unknown_option(client, alone, 2, why);
		}
		if (option->argument && at[1] != '\0')
			value = at + 1;
		else if (option->argument && words->at < words->argc)
			value = words->argv[words->at++];
		if (option->argument && !value) {
			snprintf(why, CLIENT_WHY_SIZE, "-%c needs an argument: %s", *at,
			    option->argument);
			return -EINVAL;
		}
		int rc = take_option(client, option, value, now, why);
		if (rc != 0 || option->argument)
			return rc;
	}
	return 0;
}

static int
take_word(struct client *client, const char *word, char why[static CLIENT_WHY_SIZE])
{
	char shown[64];

	if (client->command) {
		client->operands[client->operand_count++] = word;
		return 0;
	}
	for (size_t i = 0; i < client_command_count; i++) {
		if (strcmp(client_commands[i].name, word) == 0) {
			client->command = &client_commands[i];
			return 0;
		}
	}
	text_escape(shown, sizeof(shown), word, strlen(word));
	int n = snprintf(
	    why, CLIENT_WHY_SIZE, "unknown command \"%s\"; commands are", shown);
	for (size_t i = 0; i < client_command_count; i++)
		n += snprintf(why + n, CLIENT_WHY_SIZE - (size_t)n, "%s %s",
		    i > 0 ? "," : "", client_commands[i].name);
	return -EINVAL;
}

/* What can only be said of the command line as a whole. */
static int
check_whole(struct client *client, char why[static CLIENT_WHY_SIZE])
{
	const struct command *command = client->command;

	if (client->help || client->version)
		return 0;
	if (!command) {
		snprintf(why, CLIENT_WHY_SIZE, "a command is missing");
		return -EINVAL;
	}
	if (client->operand_count < command->operands_min) {
		snprintf(why, CLIENT_WHY_SIZE, "%s needs %s", command->name,
		    command->operands);
		return -EINVAL;
	}
	if (client->operand_count > command->operands_max) {
		char shown[64];
		const char *extra = client->operands[command->operands_max];
		text_escape(shown, sizeof(shown), extra, strlen(extra));
		snprintf(why, CLIENT_WHY_SIZE, "\"%s\" is one too many for %s", shown,
		    command->name);
		return -EINVAL;
	}
	if (strlen(client->socket) > CLIENT_SOCKET_MAX || client->socket[0] == '\0') {
		snprintf(why, CLIENT_WHY_SIZE,
		    "the socket path has %zu bytes; 1 to %d are possible",
		    strlen(client->socket), CLIENT_SOCKET_MAX);
		return -EINVAL;
	}
	if (client->count != 0 && client->watch_ms == 0) {
		snprintf(why, CLIENT_WHY_SIZE, "--count needs --watch");
		return -EINVAL;
	}
	if (command->run != command_query)
		return 0;
	if (client->query.first_ms > client->query.last_ms) {
		snprintf(why, CLIENT_WHY_SIZE, "--first is later than --last");
		return -EINVAL;
	}
	return client_parse_columns(client->operands[0], &client->query.fields, why);
}

int
client_parse(struct client *client, int argc, char *const *argv, struct wall now,
    char why[static CLIENT_WHY_SIZE])
{
	const char *socket = getenv("WEIR_SOCKET");
	const char *store = getenv("WEIR_STORE");
	struct words words = {.argc = argc, .argv = argv, .at = 1};
	bool options = true;
	int rc = 0;

	memset(client, 0, sizeof(*client));
	client->socket = socket && socket[0] != '\0' ? socket : CLIENT_SOCKET;
	client->store = store && store[0] != '\0' ? store : NULL;
	client->output = &output_table;
	client->query.first_ms = INT64_MIN;
	client->query.last_ms = INT64_MAX;
	client->operands = calloc((size_t)argc + 1, sizeof(*client->operands));
	client->ifaces = calloc((size_t)argc + 1, sizeof(*client->ifaces));
	if (!client->operands || !client->ifaces) {
		snprintf(why, CLIENT_WHY_SIZE, "out of memory");
		return -ENOMEM;
	}
	client->query.ifaces = client->ifaces;
	while (rc == 0 && words.at < words.argc) {
		const char *word = argv[words.at];
		if (!options || word[0] != '-' || word[1] == '\0') {
			words.at++;
			rc = take_word(client, word, why);
		} else if (strcmp(word, "--") == 0) {
			words.at++;
			options = false;
		} else if (word[1] == '-') {
			rc = take_long(client, &words, now, why);
		} else {
			rc = take_short(client, &words, now, why);
		}
	}
	if (rc != 0)
		return rc;
	if (!client->sort_given)
		client->query.sort = QUERY_BY_BYTES;
	rc = check_whole(client, why);
	if (rc != 0)
		return rc;
	if (!client->sort_given && (client->query.fields & QUERY_TIME))
		client->query.sort = QUERY_BY_KEY;
	if (!client->limit_given && !client->output->exact)
		client->query.limit = CLIENT_TABLE_ROWS;
	return 0;
}

void
client_fini(struct client *client)
{
	free(client->operands);
	free(client->ifaces);
	client->operands = NULL;
	client->ifaces = NULL;
}
