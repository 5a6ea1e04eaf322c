/* The table of commands with their options and manuals. */
#include "client/client.h"
#include "common/config.h"

const struct option_spec client_options[] = {
    {OPTION_SOCKET, 's', "socket", "SOCKET",
	"the daemon's control socket (WEIR_SOCKET; default " CLIENT_SOCKET ")"},
    {OPTION_OUTPUT, 'o', "output", "FORMAT",
	"table (default), csv or json; csv and json are exact"},
    {OPTION_TIMEOUT, 't', "timeout", "TIME",
	"how long to wait for the daemon, e.g. 2s (default 5s; flows 10s; enable,\n"
	"                            disable, update, reload 30s; rotate 60s)"},
    {OPTION_HELP, 'h', "help", NULL, "this text; after a command: its manual"},
    {OPTION_VERSION, 'V', "version", NULL, "the version"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec status_options[] = {
    {OPTION_VERBOSE, 'v', "verbose", NULL,
	"tables: also a block per interface, with the values in force"},
    {OPTION_WATCH, 'w', "watch", "SECONDS",
	"one line per interface every SECONDS, until interrupted"},
    {OPTION_COUNT, 'c', "count", "N", "with --watch: end after N times"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec flows_options[] = {
    {OPTION_FLOWS_LIMIT, 'n', "limit", "N",
	"at most N flows, up to 1000 (default 50; csv, json: 1000 per interface)"},
    {OPTION_FLOWS_SORT, 's', "sort", "ORDER",
	"bytes (default), packets, the largest first, or last, the latest first"},
    {OPTION_ADDRESS, 0, "address", "ADDR[/BITS]",
	"only flows with this address, or one of this network, at either end"},
    {OPTION_PORT, 0, "port", "N", "only flows with this port at either end"},
    {OPTION_PROTO, 0, "proto", "NAME|N",
	"only this protocol: tcp, udp, icmp, ... or its number"},
    {0, 0, NULL, NULL, NULL},
};

static const struct option_spec change_options[] = {
    {OPTION_DRY_RUN, 0, "dry-run", NULL, "say what would be done, and do nothing"},
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
     "packets and bytes received, flows, packets refused (in no flow), packets that were\n"
     "dropped because the ring was full (DROPS), and those that the interface lost before\n"
     "anybody could see them (IFDROPS: dropped by the kernel or missed by the device). \"-\"\n"
     "is not known, which is not 0. Changes nothing. STATE is one of\n"
     "\n"
     "  active    counting\n"
     "  disabled  somebody said `weirctl disable`\n"
     "  starting  its worker is on its way\n"
     "  down      the interface is there, but set down\n"
     "  gone      the interface was there and has vanished\n"
     "  waiting   the interface is not there yet\n"
     "  error     cannot count; the reason stands below the table\n"
     "\n"
     "Below the table: reasons, warnings, and flows that wait for the store.\n"
     "\n"
     "With --verbose a block per interface follows: the values of its capture that are in\n"
     "force beside those that are wanted, what the kernel says of the interface (number,\n"
     "kind, MTU, promiscuity, offloads), its worker, its counts and its warnings.\n"
     "\n"
     "With --watch: one line per interface every SECONDS with packets and bytes per\n"
     "second. Ctrl-C ends it.\n"
     "\n"
     "CSV has everything but the values in force, with the capture's own state in `capture`.\n"
     "JSON is the daemon's whole answer. Exit code 4: the worker of an enabled interface\n"
     "that is there did not answer.\n",
     0, CLIENT_IFACES_MAX, status_options, command_status},
    {"errors", "[IFACE...]", "packets that are in no flow, by class, with a sample",
     "Shows for each interface and class of refusal the packets of the running interval\n"
     "and since its worker started, when the first and the last came, what the class\n"
     "means and the first bytes of a sample. Whole samples are in the error capture\n"
     "files (key errors of the configuration). Changes nothing. Exit code 4: a worker\n"
     "did not answer.\n",
     0, CLIENT_IFACES_MAX, no_options, command_errors},
    {"flows", "[IFACE...]", "the flows of the running interval",
     "Shows flows that have not been rotated out yet, of all or the named interfaces, the\n"
     "largest first, with the columns of `weirctl read`. Each flow is shown as it is at one\n"
     "instant, the whole list is not of one instant. Changes nothing.\n"
     "\n"
     "What --address, --port and --proto say must all hold. The flows of all interfaces are\n"
     "sorted together and cut to --limit; without it, CSV and JSON have up to 1000 of each\n"
     "interface. Below the table: how many flows of each interface matched.\n"
     "\n"
     "JSON is {\"flows\": [...], \"ifaces\": {NAME: {\"flows\": N, \"matched\": N}, ...}}. Exit\n"
     "code 4: an interface did not answer, for the reason on standard error.\n",
     0, CLIENT_IFACES_MAX, flows_options, command_flows},
    {"enable", "[IFACE...]", "count on interfaces again",
     "Enables all or the named interfaces that are configured and answers when they count\n"
     "or cannot. One that is disabled or in error is opened anew; one that counts already\n"
     "is left alone (unchanged). One that is not there is enabled and waited for.\n"
     "Exit code 4: some interfaces failed, 1: all did; the reason is told for each.\n",
     0, CLIENT_IFACES_MAX, no_options, command_enable},
    {"disable", "[IFACE...]", "stop counting on interfaces",
     "Disables all or the named interfaces: what has arrived is counted, then the capture is\n"
     "closed. The flows stay and go to the store when the interval ends (`weirctl rotate`:\n"
     "at once). Lasts until `weirctl enable`, or an update or reload that lists them.\n"
     "Exit code 4: some interfaces failed, 1: all did; the reason is told for each.\n",
     0, CLIENT_IFACES_MAX, no_options, command_disable},
    {"update", "FILE", "make the set of interfaces what FILE says",
     "Reads a configuration FILE (- is standard input), checks it, and makes the daemon's set\n"
     "of interfaces what its `interfaces` and `defaults` say. The other keys of FILE are\n"
     "checked and not used, and the daemon's own file is neither read nor written. ACTION\n"
     "is one of\n"
     "\n"
     "  kept      was so before: its worker and its counters are left alone\n"
     "  changed   the capture is opened again with the new values of KEYS; a filter alone\n"
     "            is changed in place\n"
     "  new       was not there before\n"
     "  enable    was disabled or in error\n"
     "  removed   is no longer listed: drained, rotated, its flows stored, closed\n"
     "\n"
     "With --dry-run nothing is changed, and RESULT says what would become of each: planned,\n"
     "unchanged, or will_fail and why.\n"
     "\n"
     "A FILE with faults changes nothing; each is told as FILE:LINE:COLUMN: KEY: REASON.\n"
     "Exit code 4: some interfaces failed (or will), 1: all did, or FILE has faults.\n",
     1, 1, change_options, command_update},
    {"reload", "", "read the daemon's own configuration file again",
     "The daemon reads its configuration file again and does what it says, as SIGHUP makes it\n"
     "do: with the set of interfaces as `weirctl update` does, which has the words of ACTION\n"
     "and RESULT. Settings beside the interfaces that differ are told below the table: they\n"
     "take effect now, or need a restart of the daemon.\n"
     "\n"
     "With --dry-run nothing is changed: what is shown is what would be done, by the same\n"
     "comparison.\n"
     "\n"
     "A file with faults changes nothing; each is told as FILE:LINE:COLUMN: KEY: REASON.\n"
     "Exit code 4: some interfaces failed (or will), 1: all did, or the file has faults.\n",
     0, 0, change_options, command_reload},
    {"rotate", "[IFACE...]", "end the running interval now and store its flows",
     "Splits the running interval of all or the named interfaces and answers when the\n"
     "flows are safe in the store. Exit code 4: some interfaces could not be rotated,\n"
     "1: none could.\n",
     0, CLIENT_IFACES_MAX, no_options, command_rotate},
    {"check", "[FILE]", "what would fail at a start, and what repairs it",
     "Looks at a configuration FILE (default: " CONFIG_DEFAULT_PATH ")\n"
     "(- is standard input) before weir is started with it: at the file, at the users, groups\n"
     "and directories it names, and at each interface, which is opened as a worker would open\n"
     "it (but never in promiscuous mode) and closed again. Patterns and any-up stand for the\n"
     "interfaces that are there now. Of an interface that is not there or down, the filter is\n"
     "looked at all the same. Changes nothing, and needs no daemon. RESULT is one of\n"
     "\n"
     "  ok     would count at once\n"
     "  waits  would count as soon as the interface is there, or up\n"
     "  fails  would not count, for the reason in WHY\n"
     "\n"
     "REPAIR is the command that helps, or the line and the key of FILE that must change.\n"
     "Only root can open interfaces. Exit code 1: the file has faults, each told as\n"
     "FILE:LINE:COLUMN: KEY: REASON, or something fails.\n",
     0, 1, no_options, command_check},
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
