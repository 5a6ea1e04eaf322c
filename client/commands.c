/* The table of commands with their options and manuals, and the help made from it. */
#include "client/client.h"

#include <string.h>

const struct option_spec client_options[] = {
    {OPTION_SOCKET, 's', "socket", "SOCKET",
	"the daemon's control socket (WEIR_SOCKET; default " CLIENT_SOCKET ")"},
    {OPTION_OUTPUT, 'o', "output", "FORMAT",
	"table (default), csv or json; csv and json are exact"},
    {OPTION_TIMEOUT, 't', "timeout", "TIME",
	"how long to wait for the daemon, e.g. 2s (default 5s, rotate 60s)"},
    {OPTION_HELP, 'h', "help", NULL, "this text; after a command: its manual"},
    {OPTION_VERSION, 'V', "version", NULL, "the version"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec status_options[] = {
    {OPTION_WATCH, 'w', "watch", "SECONDS",
	"one line per interface every SECONDS, until interrupted"},
    {OPTION_COUNT, 'c', "count", "N", "with --watch: end after N times"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec query_options[] = {
    {OPTION_IFACE, 'i', "iface", "IFACE", "only this interface; may be repeated"},
    {OPTION_FIRST, 'f', "first", "T", "intervals that begin at T or later"},
    {OPTION_LAST, 'l', "last", "T", "intervals that begin before T"},
    {OPTION_LIMIT, 'n', "limit", "N", "at most N rows; 0: all (default: 50 in tables)"},
    {OPTION_SORT, 's', "sort", "ORDER",
	"bytes (default), packets or flows, the largest first"},
    {OPTION_STORE, 'd', "store", "DIR",
	"the store's directory (WEIR_STORE; default: the daemon's, else " CLIENT_STORE
	")"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec read_options[] = {
    {OPTION_BOOKS, 'b', "books", NULL, "only the books, no flows"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec no_options[] = {
    {0, 0, NULL, NULL, NULL},
};

/* clang-format off */
const struct command client_commands[] = {
    {"status", "[IFACE...]", "state, books and drops of interfaces",
     "Shows the daemon, its store and, for each interface, the running interval:\n"
     "packets and bytes received, flows, packets refused (in no flow) and packets the\n"
     "kernel dropped (\"-\" when it gives no count). Changes nothing.\n"
     "\n"
     "With --watch: one line per interface every SECONDS with packets and bytes per\n"
     "second. Ctrl-C ends it.\n"
     "\n"
     "JSON is the daemon's whole answer. Exit code 4: the worker of an enabled\n"
     "interface did not answer.\n",
     0, CLIENT_IFACES_MAX, status_options, command_status},
    {"errors", "[IFACE...]", "packets that are in no flow, by class, with a sample",
     "Shows for each interface and class of refusal the packets of the running interval\n"
     "and since its worker started, when the first and the last came, what the class\n"
     "means and the first bytes of a sample. Whole samples are in the error capture\n"
     "files (key errors of the configuration). Changes nothing. Exit code 4: a worker\n"
     "did not answer.\n",
     0, CLIENT_IFACES_MAX, no_options, command_errors},
    {"rotate", "[IFACE...]", "end the running interval now and store its flows",
     "Splits the running interval of all or the named interfaces and answers when the\n"
     "flows are safe in the store. Exit code 4: some interfaces could not be rotated,\n"
     "1: none could.\n",
     0, CLIENT_IFACES_MAX, no_options, command_rotate},
    {"query", "COLUMNS", "sums over stored flows",
     "Sums what is in the store over any of the columns\n"
     "\n"
     "  time     begin of the interval (UTC)\n"
     "  iface    interface\n"
     "  src      source: the side that started the conversation\n"
     "  dst      destination\n"
     "  dport    port of the destination\n"
     "  proto    protocol\n"
     "\n"
     "separated by commas, e.g. src,dst,dport. Totals and shares refer to everything\n"
     "that was asked for, not to the rows that are shown. With the column time and\n"
     "without --sort, rows come in order of time. With src and dst each row says how\n"
     "sure it is that src started it (DIR): sure, likely or guess, the weakest of the\n"
     "conversations in it.\n"
     "\n"
     "T is a date or time (2026-01-31, 2026-01-31T23:59, with Z or +01:00; UTC\n"
     "otherwise), @SECONDS since 1970, a time before now (-4h, -15d), or now.\n"
     "\n"
     "Needs no daemon, only the right to read the store (group weir). Exit code 4:\n"
     "some intervals could not be read.\n",
     1, 1, query_options, command_query},
    {"read", "FILE...", "flows of capture files, without daemon or privileges",
     "Reads capture files (pcap, pcapng, also gzip; - is standard input), counts them\n"
     "as a worker would, in a worker's sandbox, and prints the flows and the books:\n"
     "packets received = in flows + refused. CSV has the flows, or the books with\n"
     "--books.\n",
     1, 65536, read_options, command_read},
};
/* clang-format on */

const size_t client_command_count =
    sizeof(client_commands) / sizeof(client_commands[0]);

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
		int n = taken ? snprintf(form, sizeof(form), "    --%s", options->name)
			      : snprintf(form, sizeof(form), "-%c, --%s",
				    options->short_name, options->name);
		if (options->argument)
			snprintf(form + n, sizeof(form) - (size_t)n, " %s",
			    options->argument);
		fprintf(out, "  %-24s %s\n", form, options->help);
	}
}

static void
help_command(FILE *out, const struct command *command)
{
	bool own = command->options[0].name != NULL;

	fprintf(out, "usage: weirctl [OPTIONS] %s %s%s\n\n%s\n", command->name,
	    own ? "[OPTIONS] " : "", command->operands, command->text);
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
		fprintf(out, "  %-24s %s\n", form, client_commands[i].summary);
	}
	fputs("\nOptions, before or after the command:\n", out);
	help_options(out, client_options, NULL);
	fputs(
	    "\nweirctl COMMAND --help shows the manual of a command.\n"
	    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 incomplete.\n",
	    out);
}
