/* The command line. Options are looked up in the tables of commands.c: before the
 * command in the global one, after it in the command's own and then the global one, so
 * that -s means the socket before `query` and the order after it. Options and operands
 * may be mixed; `--` ends the options. An option's argument may begin with a dash
 * (--first -4h). */
#include "client/client.h"

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

static bool
option_of(const struct command *command, const char *word, size_t len)
{
	return word[1] == '-'
	    ? option_find(command->options, 0, word + 2, len - 2) != NULL
	    : option_find(command->options, word[1], NULL, 0) != NULL;
}

/* Says which commands do have it, when some do. */
static int
unknown_option(const struct client *client, const char *word, size_t len,
    char why[static CLIENT_WHY_SIZE])
{
	char shown[64], owners[256] = "";
	size_t used = 0, count = 0;

	text_escape(shown, sizeof(shown), word, len);
	for (size_t i = 0; i < client_command_count; i++) {
		if (!option_of(&client_commands[i], word, len))
			continue;
		int n = snprintf(owners + used, sizeof(owners) - used, "%s%s",
		    count++ > 0 ? ", " : "", client_commands[i].name);
		used += (size_t)n < sizeof(owners) - used ? (size_t)n : 0;
	}
	if (count > 0 && !client->command)
		snprintf(why, CLIENT_WHY_SIZE,
		    "option %s belongs behind its command (%s)", shown, owners);
	else if (count > 0)
		snprintf(why, CLIENT_WHY_SIZE,
		    "unknown option %s; %s %s it, %s has not", shown, owners,
		    count > 1 ? "have" : "has", client->command->name);
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
	return client_take_option(client, option, value, now, why);
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
		int rc = client_take_option(client, option, value, now, why);
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
	if (client->verbose && client->watch_ms != 0) {
		snprintf(why, CLIENT_WHY_SIZE, "--verbose does not go with --watch");
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
