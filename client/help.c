/* The help, made from the tables of commands.c. */
#include <stdio.h>

#include "client/client.h"

/* `own`: the options of the command before which these stand; a short name that it uses
 * itself means another thing there. */
static void
help_options(
    FILE *out, const struct option_spec *options, const struct option_spec *own)
{
	char form[64];

	for (; options->name; options++) {
		bool taken = false;
		for (const struct option_spec *o = own; o && o->name; o++)
			taken = taken || o->short_name == options->short_name;
		taken = taken || options->short_name == 0;
		int n = taken ? snprintf(form, sizeof(form), "    --%s", options->name)
			      : snprintf(form, sizeof(form), "-%c, --%s",
				    options->short_name, options->name);
		if (options->argument)
			snprintf(form + n, sizeof(form) - (size_t)n, " %s",
			    options->argument);
		fprintf(out, "  %-25s %s\n", form, options->help);
	}
}

static void
help_command(FILE *out, const struct command *command)
{
	bool own = command->options[0].name != NULL;

	fprintf(out, "usage: weirctl [OPTIONS] %s%s%s%s\n\n%s\n", command->name,
	    own ? " [OPTIONS]" : "", command->operands[0] != '\0' ? " " : "",
	    command->operands, command->text);
	if (own) {
		fputs("Options:\n", out);
		help_options(out, command->options, NULL);
		fputc('\n', out);
	}
	fputs("Options of all commands:\n", out);
	help_options(out, client_options, command->options);
}

void
client_help(FILE *out, const struct command *command)
{
	if (command) {
		help_command(out, command);
		return;
	}
	fputs("usage: weirctl [OPTIONS] COMMAND ...\n\n"
	      "Asks weir, the network flow probe, what it measures.\n\nCommands:\n",
	    out);
	for (size_t i = 0; i < client_command_count; i++) {
		char form[64];
		snprintf(form, sizeof(form), "%s %s", client_commands[i].name,
		    client_commands[i].operands);
		fprintf(out, "  %-25s %s\n", form, client_commands[i].summary);
	}
	fputs("\nOptions, before or after the command:\n", out);
	help_options(out, client_options, NULL);
	fputs(
	    "\nweirctl COMMAND --help shows the manual of a command.\n"
	    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 incomplete.\n",
	    out);
}
