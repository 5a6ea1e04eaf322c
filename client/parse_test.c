#include "client/client.h"
#include "common/flow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW_MS INT64_C(1767225600000) /* 2026-01-01 */

static int
parse(struct client *client, char *why, const char *line)
{
	static char words[512];
	static char *argv[64];
	int argc = 0;

	snprintf(words, sizeof(words), "weirctl %s", line);
	for (char *at = strtok(words, " "); at; at = strtok(NULL, " "))
		argv[argc++] = at;
	argv[argc] = NULL;
	why[0] = '\0';
	return client_parse(client, argc, argv, (struct wall){NOW_MS * NS_PER_MS}, why);
}

static void
good(struct client *client, const char *line)
{
	char why[CLIENT_WHY_SIZE];
	int rc = parse(client, why, line);

	assert_string_equal(why, "");
	assert_int_equal(rc, 0);
}

static const struct {
	const char *line;
	const char *why;
} wrong[] = {
    {"", "a command is missing"},
    {"-o csv", "a command is missing"},
    {"-o xml status", "--output: \"xml\" is not table, csv or json"},
    {"status -o", "-o needs an argument: FORMAT"},
    {"status --output", "--output needs an argument: FORMAT"},
    {"status --help=1", "--help takes no argument"},
    {"status --fast", "unknown option --fast"},
    {"status -x", "unknown option -x"},
    {"status --books", "unknown option --books; read has it, status has not"},
    {"-n 5 query src", "option -n belongs behind its command (flows, query)"},
    {"status -n 5", "unknown option -n; flows, query have it, status has not"},
    {"rotate --dry-run",
	"unknown option --dry-run; update, reload have it, rotate has not"},
    {"enable --dry-run",
	"unknown option --dry-run; update, reload have it, enable has not"},
    {"reload --dry-run=yes", "--dry-run takes no argument"},
    {"reload weir.yaml", "\"weir.yaml\" is one too many for reload"},
    {"update", "update needs FILE"},
    {"update a.yaml b.yaml", "\"b.yaml\" is one too many for update"},
    {"status -v -w 1", "--verbose does not go with --watch"},
    {"flows -n 0", "--limit: \"0\" is not a number from 1 to 1000"},
    {"flows -n 1001", "--limit: \"1001\" is not a number from 1 to 1000"},
    {"flows --limit many", "--limit: \"many\" is not a number from 1 to 1000"},
    {"flows -s flows", "--sort: \"flows\" is not bytes, packets or last"},
    {"flows --address", "--address needs an argument: ADDR[/BITS]"},
    {"flows --address host.example",
	"--address: \"host.example\" is not an address or a network; e.g. 192.0.2.1, "
	"192.0.2.0/24, 2001:db8::/32"},
    {"flows --address 10.0.0.0/33",
	"--address: \"10.0.0.0/33\" is not an address or a network; e.g. 192.0.2.1, "
	"192.0.2.0/24, 2001:db8::/32"},
    {"flows --address 10.0.0.0/",
	"--address: \"10.0.0.0/\" is not an address or a network; e.g. 192.0.2.1, "
	"192.0.2.0/24, 2001:db8::/32"},
    {"flows --address fe80::1%eth0",
	"--address: \"fe80::1%eth0\" is not an address or a network; e.g. 192.0.2.1, "
	"192.0.2.0/24, 2001:db8::/32"},
    {"flows --address ::/129",
	"--address: \"::/129\" is not an address or a network; e.g. 192.0.2.1, "
	"192.0.2.0/24, 2001:db8::/32"},
    {"flows --port 65536", "--port: \"65536\" is not a port from 0 to 65535"},
    {"flows --port -1", "--port: \"-1\" is not a port from 0 to 65535"},
    {"flows --port https", "--port: \"https\" is not a port from 0 to 65535"},
    {"flows --proto 256",
	"--proto: \"256\" is not a protocol: tcp, udp, icmp, ... or a number from 0 to "
	"255"},
    {"flows --proto quic",
	"--proto: \"quic\" is not a protocol: tcp, udp, icmp, ... or a number from 0 to "
	"255"},
    {"status --watch 0", "--watch: \"0\" is not a time of 0.1 s to 1d"},
    {"status --watch soon", "--watch: \"soon\" is not a time of 0.1 s to 1d"},
    {"status --count 3", "--count needs --watch"},
    {"status -w 1 -c 0", "--count: \"0\" is not a number from 1"},
    {"--timeout 0 status", "--timeout: \"0\" is not a time of 1ms to 1d"},
    {"read", "read needs FILE..."},
    {"query", "query needs COLUMNS"},
    {"query src dst", "\"dst\" is one too many for query"},
    {"query src,colour",
	"unknown column \"colour\"; columns are time, iface, src, dst, dport, proto, "
	"separated by commas"},
    {"query src,",
	"unknown column \"\"; columns are time, iface, src, dst, dport, proto, separated "
	"by commas"},
    {"query src,dst,src", "column \"src\" stands twice"},
    {"query -s size src", "--sort: \"size\" is not bytes, packets or flows"},
    {"query -n many src", "--limit: \"many\" is not a number"},
    {"query -n -1 src", "--limit: \"-1\" is not a number"},
    {"query -i a/b src", "--iface: \"a/b\" is not an interface name"},
    {"query --first tomorrow src",
	"--first: \"tomorrow\" is not a time; e.g. 2026-01-31T23:59, @1767225600, -4h "
	"(before now) or now"},
    {"query --first now --last -1h src", "--first is later than --last"},
};

static void
test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct client client;
		char why[CLIENT_WHY_SIZE];
		assert_int_equal(parse(&client, why, wrong[i].line), -EINVAL);
		assert_string_equal(why, wrong[i].why);
		client_fini(&client);
	}
}

static void
test_unknown_command(void **state)
{
	struct client client;
	char why[CLIENT_WHY_SIZE];

	(void)state;
	assert_int_equal(parse(&client, why, "stat"), -EINVAL);
	assert_ptr_equal(
	    strstr(why, "unknown command \"stat\"; commands are status, errors, "),
	    why);
	for (size_t i = 0; i < client_command_count; i++)
		assert_non_null(strstr(why, client_commands[i].name));
	client_fini(&client);
}

static void
test_output_anywhere(void **state)
{
	(void)state;
	static const char *const lines[] = {"-o json status eth0",
	    "status -o json eth0", "status eth0 -ojson", "--output=json status eth0",
	    "status eth0 --output json", "status -o csv eth0 -o json"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct client client;
		good(&client, lines[i]);
		assert_ptr_equal(client.output, &output_json);
		assert_string_equal(client.command->name, "status");
		assert_int_equal(client.operand_count, 1);
		assert_string_equal(client.operands[0], "eth0");
		client_fini(&client);
	}
}

static void
test_s(void **state)
{
	(void)state;
	struct client client;

	good(&client, "-s /tmp/a query -s packets src");
	assert_string_equal(client.socket, "/tmp/a");
	assert_int_equal(client.query.sort, QUERY_BY_PACKETS);
	client_fini(&client);
	good(&client, "status -s /tmp/b");
	assert_string_equal(client.socket, "/tmp/b");
	client_fini(&client);
	good(&client, "query --socket /tmp/c --sort flows src");
	assert_string_equal(client.socket, "/tmp/c");
	assert_int_equal(client.query.sort, QUERY_BY_FLOWS);
	client_fini(&client);
}

static void
test_query(void **state)
{
	(void)state;
	struct client client;

	good(&client,
	    "query -i eth0 --iface=eth1 --first -4h --last 2026-01-01T00:00 -n 7 "
	    "-d /s proto,time,src");
	assert_int_equal(client.query.fields, QUERY_PROTO | QUERY_TIME | QUERY_SRC);
	assert_int_equal(client.query.iface_count, 2);
	assert_string_equal(client.query.ifaces[0], "eth0");
	assert_string_equal(client.query.ifaces[1], "eth1");
	assert_int_equal(client.query.first_ms, NOW_MS - 4 * 3600000);
	assert_int_equal(client.query.last_ms, NOW_MS);
	assert_int_equal(client.query.limit, 7);
	assert_int_equal(client.query.sort, QUERY_BY_KEY); /* time is among them */
	assert_string_equal(client.store, "/s");
	client_fini(&client);
	good(&client, "query time,iface,src,dst,dport,proto");
	assert_int_equal(client.query.fields, QUERY_ALL);
	assert_int_equal(client.query.limit, CLIENT_TABLE_ROWS);
	assert_true(client.query.first_ms == INT64_MIN);
	assert_true(client.query.last_ms == INT64_MAX);
	client_fini(&client);
	good(&client, "query time -s bytes -o csv");
	assert_int_equal(client.query.sort, QUERY_BY_BYTES);
	assert_int_equal(client.query.limit, 0); /* exact formats leave nothing out */
	client_fini(&client);
}

static void
test_status(void **state)
{
	(void)state;
	struct client client;

	good(&client, "status -w 1 --count 20 eth0 -- -odd");
	assert_int_equal(client.watch_ms, 1000);
	assert_int_equal(client.count, 20);
	assert_int_equal(client.operand_count, 2);
	assert_string_equal(client.operands[1], "-odd");
	client_fini(&client);
	good(&client, "--timeout 250ms status --watch 0.5");
	assert_int_equal(client.watch_ms, 500);
	assert_int_equal(client.timeout_ms, 250);
	client_fini(&client);
}

static void
test_verbose(void **state)
{
	(void)state;
	struct client client;

	good(&client, "status -v eth0");
	assert_true(client.verbose);
	assert_int_equal(client.operand_count, 1);
	client_fini(&client);
	good(&client, "--version");
	assert_false(client.verbose);
	client_fini(&client);
}

static void
test_change(void **state)
{
	(void)state;
	struct client client;

	good(&client, "reload");
	assert_false(client.dry_run);
	client_fini(&client);
	good(&client, "reload --dry-run");
	assert_true(client.dry_run);
	client_fini(&client);
	good(&client, "update - --dry-run");
	assert_true(client.dry_run);
	assert_string_equal(client.operands[0], "-");
	client_fini(&client);
	good(&client, "enable a\xff\"b -- --dry-run");
	assert_false(client.dry_run);
	assert_int_equal(client.operand_count, 2);
	assert_string_equal(client.operands[0], "a\xff\"b");
	assert_string_equal(client.operands[1], "--dry-run");
	client_fini(&client);
	good(&client, "disable");
	assert_int_equal(client.operand_count, 0);
	client_fini(&client);
}

static void
test_flows(void **state)
{
	static const uint8_t v4[16] = {10, 1, 0, 0};
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0x80};
	static const uint8_t any[16] = {0};
	struct client client;

	(void)state;
	good(&client, "flows");
	assert_int_equal(client.flows.limit, 0);
	assert_int_equal(client.flows.sort, FLOWS_BY_BYTES);
	assert_int_equal(client.flows.family, FAMILY_NONE);
	assert_false(client.flows.port_given);
	assert_false(client.flows.proto_given);
	client_fini(&client);
	good(&client,
	    "-s /tmp/a flows -n 1000 -s last --address 10.1.2.3/16 --port 53 "
	    "--proto udp eth0");
	assert_string_equal(client.socket, "/tmp/a");
	assert_int_equal(client.flows.limit, 1000);
	assert_int_equal(client.flows.sort, FLOWS_BY_LAST);
	assert_int_equal(client.flows.family, FAMILY_IPV4);
	assert_int_equal(client.flows.prefix, 16);
	assert_memory_equal(client.flows.address, v4, 16);
	assert_true(client.flows.port_given);
	assert_int_equal(client.flows.port, 53);
	assert_true(client.flows.proto_given);
	assert_int_equal(client.flows.proto, 17);
	assert_string_equal(client.operands[0], "eth0");
	client_fini(&client);
	good(&client, "flows --sort packets --address 2001:db8:ffff::1/33 --proto 255");
	assert_int_equal(client.flows.sort, FLOWS_BY_PACKETS);
	assert_int_equal(client.flows.family, FAMILY_IPV6);
	assert_int_equal(client.flows.prefix, 33);
	assert_memory_equal(client.flows.address, v6, 16);
	assert_int_equal(client.flows.proto, 255);
	client_fini(&client);
	good(&client, "flows --address 10.1.2.3/0 --proto ICMPv6");
	assert_int_equal(client.flows.family, FAMILY_IPV4);
	assert_int_equal(client.flows.prefix, 0);
	assert_memory_equal(client.flows.address, any, 16);
	assert_int_equal(client.flows.proto, 58);
	client_fini(&client);
}

static void
test_read(void **state)
{
	(void)state;
	struct client client;

	good(&client, "read --books - a.pcap");
	assert_true(client.books_only);
	assert_int_equal(client.operand_count, 2);
	assert_string_equal(client.operands[0], "-");
	client_fini(&client);
}

static void
test_environment(void **state)
{
	(void)state;
	struct client client;

	good(&client, "status");
	assert_string_equal(client.socket, "/run/weir/control.sock");
	assert_null(client.store);
	client_fini(&client);
	setenv("WEIR_SOCKET", "/tmp/env", 1);
	setenv("WEIR_STORE", "/tmp/store", 1);
	good(&client, "status");
	assert_string_equal(client.socket, "/tmp/env");
	assert_string_equal(client.store, "/tmp/store");
	client_fini(&client);
	good(&client, "-s /tmp/given query --store /tmp/other src");
	assert_string_equal(client.socket, "/tmp/given");
	assert_string_equal(client.store, "/tmp/other");
	client_fini(&client);
	unsetenv("WEIR_SOCKET");
	unsetenv("WEIR_STORE");
}

static void
test_help(void **state)
{
	(void)state;
	struct client client;
	char *text = NULL;
	size_t len;

	good(&client, "--version");
	assert_true(client.version);
	client_fini(&client);
	good(&client, "query --help");
	assert_true(client.help);
	assert_string_equal(client.command->name, "query");
	client_fini(&client);
	for (size_t i = 0; i < client_command_count; i++) {
		const struct command *command = &client_commands[i];
		FILE *out = open_memstream(&text, &len);
		client_help(out, command);
		fclose(out);
		assert_non_null(strstr(text, command->text));
		for (const struct option_spec *o = command->options; o->name; o++)
			assert_non_null(strstr(text, o->name));
		assert_non_null(strstr(text, "--output FORMAT"));
		free(text);
		text = NULL;
	}
	FILE *out = open_memstream(&text, &len);
	client_help(out, NULL);
	fclose(out);
	for (size_t i = 0; i < client_command_count; i++)
		assert_non_null(strstr(text, client_commands[i].summary));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    {"wrong usage is told in a sentence that names the word", test_wrong, 0, 0,
		0},
	    {"-o stands before or after the command, the last one counts",
		test_output_anywhere, 0, 0, 0},
	    {"-s is the socket, and after query the order", test_s, 0, 0, 0},
	    {"query takes columns, times, interfaces, a limit and an order", test_query,
		0, 0, 0},
	    {"status takes interfaces, --watch and --count", test_status, 0, 0, 0},
	    {"an unknown command is told with those that there are",
		test_unknown_command, 0, 0, 0},
	    {"status takes --verbose", test_verbose, 0, 0, 0},
	    {"enable and disable take names, update and reload --dry-run", test_change,
		0, 0, 0},
	    {"flows takes a limit, an order and a filter", test_flows, 0, 0, 0},
	    {"read takes files and - and --books", test_read, 0, 0, 0},
	    {"the environment is weaker than the command line", test_environment, 0, 0,
		0},
	    {"every command has a manual with its options", test_help, 0, 0, 0},
	};

	unsetenv("WEIR_SOCKET");
	unsetenv("WEIR_STORE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
