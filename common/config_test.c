#include "common/config_private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* All faults of one run, each with a newline. */
struct faults {
	char text[65536];
	size_t used;
	size_t count;
};

static void
fault_take(void *arg, const char *line)
{
	struct faults *faults = arg;
	size_t room = sizeof(faults->text) - faults->used;
	int n = snprintf(faults->text + faults->used, room, "%s\n", line);

	assert_true(n > 0 && (size_t)n < room);
	faults->used += (size_t)n;
	faults->count++;
}

static int
parse(const char *text, size_t len, struct config *config, struct faults *faults)
{
	memset(faults, 0, sizeof(*faults));
	return config_parse("f", text, len, config, fault_take, faults);
}

static struct config *
good(const char *text)
{
	static struct config config;
	static struct faults faults;
	int rc = parse(text, strlen(text), &config, &faults);

	assert_string_equal(faults.text, "");
	assert_int_equal(rc, 0);
	return &config;
}

static void
bad(const char *text, const char *expected)
{
	static struct config config;
	static struct faults faults;

	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(parse(text, strlen(text), &config, &faults), -EINVAL);
	assert_string_equal(faults.text, expected);
	assert_int_equal(((unsigned char *)&config)[0], 0x5a); /* untouched */
	assert_int_equal(((unsigned char *)&config)[sizeof(config) - 1], 0x5a);
}

#define ETH0 "interfaces:\n  - name: eth0\n" /* two lines */

static void
test_defaults(void **state)
{
	(void)state;
	struct config *config = good(ETH0);
	struct capture_config capture;

	assert_string_equal(config->runtime, "/run/weir");
	assert_string_equal(config->records, "");
	assert_string_equal(config->store, "/var/lib/weir/store");
	assert_string_equal(config->worker_user, "weir-worker");
	assert_string_equal(config->store_user, "weir");
	assert_string_equal(config->client_group, "weir");
	assert_int_equal(config->rotation_ms, 300000);
	assert_int_equal(config->keep_ms, INT64_C(30) * 86400000);
	assert_int_equal(config->keep_bytes, 0);
	assert_string_equal(config->log, "stderr");
	assert_false(config->log_flows);
	assert_int_equal(config->iface_count, 1);
	assert_string_equal(config->ifaces[0].name.s, "eth0");
	assert_int_equal(config->ifaces[0].kind, CONFIG_IFACE_NAMED);
	assert_int_equal(config->ifaces[0].line, 2);
	assert_int_equal(config->ifaces[0].filter_line, 0);
	capture_config_default(&capture);
	assert_int_equal(
	    capture_config_compare(&config->ifaces[0].capture, &capture), CAPTURE_SAME);
	config_fini(config);
}

static void
test_all_keys(void **state)
{
	(void)state;
	struct config *config = good("interfaces: [{name: a, snaplen: 64}, {name: é, "
				     "filter: ''}]\n"
				     "rotation: 1h\n"
				     "defaults:\n"
				     "  {buffer: 1 KiB, flows: 16, snaplen: 262144, "
				     "timeout: 10s,\n"
				     "   promiscuous: false, filter: \"tcp port 80\"}\n"
				     "runtime: /r\n"
				     "records: /dev/shm/x\n"
				     "store: /s\n"
				     "worker_user: 65534\n"
				     "store_user: nobody\n"
				     "client_group: 0\n"
				     "keep: 0\n"
				     "keep_size: 2GiB\n"
				     "log: udp:192.0.2.1:1514\n"
				     "log_flows: true\n");

	assert_int_equal(config->rotation_ms, 3600000);
	assert_string_equal(config->runtime, "/r");
	assert_string_equal(config->records, "/dev/shm/x");
	assert_string_equal(config->store, "/s");
	assert_string_equal(config->worker_user, "65534");
	assert_string_equal(config->store_user, "nobody");
	assert_string_equal(config->client_group, "0");
	assert_int_equal(config->keep_ms, 0);
	assert_int_equal(config->keep_bytes, INT64_C(2) << 30);
	assert_string_equal(config->log, "udp:192.0.2.1:1514");
	assert_true(config->log_flows);
	assert_int_equal(config->iface_count, 2);
	assert_string_equal(config->ifaces[0].name.s, "a");
	assert_int_equal(config->ifaces[0].capture.snaplen, 64);
	assert_int_equal(config->ifaces[0].filter_line, 5); /* in `defaults` */
	assert_int_equal(config->ifaces[0].buffer_line, 4);
	assert_string_equal(config->ifaces[0].capture.filter, "tcp port 80");
	assert_string_equal(config->ifaces[1].name.s, "\xc3\xa9");
	assert_int_equal(config->ifaces[1].capture.snaplen, 262144);
	assert_int_equal(config->ifaces[1].capture.buffer, 1024);
	assert_int_equal(config->ifaces[1].capture.flows, 16);
	assert_int_equal(config->ifaces[1].filter_line, 1);
	assert_int_equal(config->ifaces[1].capture.timeout_ms, 10000);
	assert_false(config->ifaces[1].capture.promiscuous);
	assert_string_equal(config->ifaces[1].capture.filter, "");
	config_fini(config);
}

static void
test_aliases(void **state)
{
	(void)state;
	struct config *config = good("defaults: &d {snaplen: &n 256}\n"
				     "interfaces:\n"
				     "  - {name: a, flows: *n}\n"
				     "  - name: b\n");

	assert_int_equal(config->ifaces[0].capture.flows, 256);
	assert_int_equal(config->ifaces[1].capture.snaplen, 256);
	config_fini(config);
	/* one wrong value used twice is one fault, where it stands */
	bad("defaults: {snaplen: &n 1}\ninterfaces:\n  - {name: a, snaplen: *n}\n",
	    "f:1:21: snaplen: 1 is out of range: 64 to 262144\n");
	bad("interfaces: &loop\n  - *loop\n",
	    "f:1:13: interfaces: a list where a map is expected; write `- name: eth0`\n");
}

/* Names that other programs have taken apart at a dot, cut off at the last byte, or read
 * as something else; and patterns with what they leave out. */
static void
test_names(void **state)
{
	(void)state;
	static const struct {
		const char *text; /* behind `- name: ` */
		const char *name;
	} rows[] = {
	    {"eth0.100", "eth0.100"},
	    {"lacp20.84", "lacp20.84"},
	    {"enx00e04c688f88", "enx00e04c688f88"}, /* 15 bytes */
	    {"'a@b\"c;\xc3\xa9$('", "a@b\"c;\xc3\xa9$("},
	    {"\"\\x01\\x7f\"", "\x01\x7f"},
	    {"'%s%n'", "%s%n"},
	    {"...", "..."},
	    {"'123'", "123"},
	    {"0x10", "0x10"},
	    {"'true'", "true"},
	    {"'a\\b'", "a\\b"}, /* a backslash is one, where nothing is to be quoted */
	    {"'a\\*\\?b'", "a*?b"},
	    {"'any\\-up'", "any\\-up"},
	};
	char text[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(
		    text, sizeof(text), "interfaces:\n  - name: %s\n", rows[i].text);
		struct config *config = good(text);
		assert_int_equal(config->ifaces[0].kind, CONFIG_IFACE_NAMED);
		assert_string_equal(config->ifaces[0].name.s, rows[i].name);
		assert_string_equal(
		    config_iface_text(&config->ifaces[0]), rows[i].name);
		config_fini(config);
	}
}

static void
test_patterns(void **state)
{
	(void)state;
	struct config *config = good("interfaces:\n"
				     "  - name: \"eth*\"\n"
				     "    not: eth9\n"
				     "  - {not: [\"veth*\", lo], name: any-up}\n"
				     "  - name: any-u[p]\n"
				     "  - name: 'w?an\\*'\n"
				     "  - name: 'eth\\*'\n");
	const struct config_iface *entry = config->ifaces;

	assert_int_equal(config->iface_count, 5);
	assert_int_equal(entry[0].kind, CONFIG_IFACE_PATTERN);
	assert_string_equal(entry[0].pattern, "eth*");
	assert_string_equal(entry[0].name.s, "");
	assert_int_equal(entry[0].not_count, 1);
	assert_string_equal(entry[0].not [0], "eth9");
	assert_int_equal(entry[1].kind, CONFIG_IFACE_ANY_UP);
	assert_string_equal(config_iface_text(&entry[1]), "any-up");
	assert_int_equal(entry[1].not_count, 2);
	assert_string_equal(entry[1].not [0], "veth*");
	assert_string_equal(entry[1].not [1], "lo");
	assert_int_equal(entry[1].line, 4);
	assert_int_equal(entry[2].kind, CONFIG_IFACE_PATTERN);
	assert_string_equal(config_iface_text(&entry[2]), "any-u[p]");
	assert_int_equal(entry[2].not_count, 0);
	assert_int_equal(entry[3].kind, CONFIG_IFACE_PATTERN);
	assert_int_equal(entry[4].kind, CONFIG_IFACE_NAMED);
	assert_string_equal(entry[4].name.s, "eth*");
	/* and which of them gets an interface */
	assert_ptr_equal(config_iface_for(entry, 5, "eth0", false, false), &entry[0]);
	assert_ptr_equal(config_iface_for(entry, 5, "eth9", true, false), &entry[1]);
	assert_ptr_equal(config_iface_for(entry, 5, "eth*", true, false), &entry[4]);
	assert_ptr_equal(config_iface_for(entry, 5, "any-up", false, false), &entry[2]);
	assert_null(config_iface_for(entry, 5, "eth9", false, false));
	config_fini(config);
}

/* Every key of a capture, where it can be said, arrives in what the interface gets. */
static void
test_capture_keys(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		const char *value;
		size_t offset;
		size_t size;
		uint64_t number;
		const char *text;
	} rows[] = {
#define CAPTURE_FIELD(field) \
	offsetof(struct capture_config, field), \
	    sizeof(((struct capture_config *)0)->field)
	    {"buffer", "2MiB", CAPTURE_FIELD(buffer), 2097152, NULL},
	    {"flows", "4711", CAPTURE_FIELD(flows), 4711, NULL},
	    {"snaplen", "999", CAPTURE_FIELD(snaplen), 999, NULL},
	    {"timeout", "7ms", CAPTURE_FIELD(timeout_ms), 7, NULL},
	    {"promiscuous", "false", CAPTURE_FIELD(promiscuous), 0, NULL},
	    {"error_threshold", "17", CAPTURE_FIELD(error_threshold), 17, NULL},
	    {"filter", "not port 22", CAPTURE_FIELD(filter), 0, "not port 22"},
	};
	static const struct {
		const char *before;
		const char *after;
	} forms[] = {
	    {"interfaces:\n  - name: eth0\n    ", ""},
	    {"defaults:\n  ", "interfaces:\n  - name: eth0\n"},
	    {"interfaces:\n  - name: eth0\ndefaults:\n  ", ""},
	    {"interfaces:\n  - name: \"et*\"\n    ", ""},
	    {"defaults:\n  ", "interfaces:\n  - name: \"et*\"\n"},
	    {"interfaces:\n  - name: any-up\n    ", ""},
	    {"defaults:\n  ", "interfaces:\n  - name: any-up\n"},
	};
	size_t keys = 0;
	char text[256];

	for (size_t i = 0; i < config_key_count; i++)
		keys += config_keys[i].section == CONFIG_CAPTURE;
	assert_int_equal(keys, sizeof(rows) / sizeof(rows[0]));
	assert_int_equal(keys, CAPTURE_CONFIG_KEYS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t j = 0; j < sizeof(forms) / sizeof(forms[0]); j++) {
			const char *names[CAPTURE_CONFIG_KEYS];
			struct capture_config plain;
			uint64_t number = 0;

			snprintf(text, sizeof(text), "%s%s: %s\n%s", forms[j].before,
			    rows[i].key, rows[i].value, forms[j].after);
			struct config *config = good(text);
			const struct config_iface *entry = config_iface_for(
			    config->ifaces, config->iface_count, "eth0", true, false);
			assert_non_null(entry);
			const char *field =
			    (const char *)&entry->capture + rows[i].offset;
			if (rows[i].text)
				assert_string_equal(field, rows[i].text);
			else
				memcpy(&number, field, rows[i].size);
			assert_int_equal(number, rows[i].number);
			/* that key and no other, under the name it has in the file */
			capture_config_default(&plain);
			assert_int_equal(
			    capture_config_differences(&entry->capture, &plain, names),
			    1);
			assert_string_equal(names[0], rows[i].key);
			config_fini(config);
		}
	}
}

/* Each row is a file and exactly what must be said about it. */
static const struct {
	const char *text;
	const char *faults;
} table[] = {
    /* empty */
    {"", "f:1:1: interfaces: the file is empty; at least one interface is needed\n"},
    {"# nothing\n",
	"f:1:1: interfaces: the file is empty; at least one interface is needed\n"},
    {"---\n",
	"f:1:1: interfaces: the file is empty; at least one interface is needed\n"},
    {"keep: 1d\n", "f:1:1: interfaces: missing; at least one interface is needed\n"},
    {"interfaces: []\n",
	"f:1:13: interfaces: the list is empty; at least one interface is needed\n"},
    /* structure */
    {"just text\n", "f:1:1: file: a single value where a map of keys is expected\n"},
    {"- a\n- b\n", "f:1:1: file: a list where a map of keys is expected\n"},
    {"interfaces: eth0\n",
	"f:1:1: interfaces: must be a list of maps, each with a name\n"},
    {"interfaces:\n", "f:1:1: interfaces: must be a list of maps, each with a name\n"},
    {"interfaces:\n  - eth0\n  - name: b\n",
	"f:2:5: interfaces: a single value where a map is expected; write `- name: "
	"eth0`\n"},
    {"defaults: 5\n" ETH0, "f:1:1: defaults: must be a map with keys of a capture\n"},
    {"store: [a]\n" ETH0,
	"f:1:8: store: a list where a single value is expected: an "
	"absolute path\n"},
    {ETH0 "    snaplen: {a: 1}\n",
	"f:3:14: snaplen: a map where a single value is expected: 64 to 262144\n"},
    {"[a, b]: 5\n" ETH0, "f:1:1: key: a list as a key\n"},
    {ETH0 "---\nkeep: 1d\n",
	"f:3:1: syntax: a second document begins here; only one is read\n"},
    /* keys */
    {"rotatoin: 300s\n" ETH0, "f:1:1: rotatoin: unknown key; did you mean rotation?\n"},
    {"colour: blue\n" ETH0, "f:1:1: colour: unknown key\n"},
    {ETH0 "    snap_len: 128\n",
	"f:3:5: snap_len: unknown key; did you mean snaplen?\n"},
    {ETH0 "    promisc: true\n",
	"f:3:5: promisc: unknown key; did you mean promiscuous?\n"},
    {ETH0 "snaplen: 128\n",
	"f:3:1: snaplen: not possible here: it belongs under `defaults` or an "
	"interface\n"},
    {ETH0 "    store: /s\n",
	"f:3:5: store: not possible here: it belongs to the top level\n"},
    {ETH0 "defaults:\n  name: a\n",
	"f:4:3: name: not possible here: it belongs to an entry of `interfaces`\n"},
    {"keep: 1d\n" ETH0 "keep: 2d\n", "f:4:1: keep: stands twice, first in line 1\n"},
    {ETH0 "    flows: 100\n    flows: 100\n",
	"f:4:5: flows: stands twice, first in line 3\n"},
    {ETH0 ETH0, "f:3:1: interfaces: stands twice, first in line 1\n"},
    {"\"a\\x1b[31mb\": 1\n" ETH0, "f:1:1: a\\x1b[31mb: unknown key\n"},
    /* interfaces */
    {ETH0 "  - name: eth1\n  - name: eth0\n",
	"f:4:11: name: a second entry for \"eth0\", the first is in line 2\n"},
    {"interfaces:\n  - snaplen: 64\n", "f:2:5: name: missing in this entry\n"},
    {"interfaces:\n  - name:\n",
	"f:2:5: name: has no value; a name, a pattern in quotes, or any-up\n"},
    {"interfaces:\n  - name: any\n",
	"f:2:11: name: \"any\" is not supported: packets would count once per device "
	"they pass; write any-up for every interface that is up, or name them\n"},
    {"interfaces:\n  - name: a/b\n",
	"f:2:11: name: \"a/b\" is not an interface name: 1 to 15 bytes without '/', "
	"':' or white space\n"},
    {"interfaces:\n  - name: sixteen-bytes-xx\n",
	"f:2:11: name: \"sixteen-bytes-xx\" is not an interface name: 1 to 15 bytes "
	"without '/', ':' or white space\n"},
    {"interfaces:\n  - name: \"a\\0b\"\n",
	"f:2:11: name: control characters are not allowed\n"},
    {"interfaces:\n  - name: eth0:1\n",
	"f:2:11: name: \"eth0:1\" is not an interface name: 1 to 15 bytes without '/', "
	"':' or white space\n"},
    {"interfaces:\n  - name: \"\"\n", "f:2:11: name: must not be empty\n"},
    {"interfaces:\n  - name: ..\n",
	"f:2:11: name: \"..\" is not an interface name: 1 to 15 bytes without '/', "
	"':' or white space\n"},
    {"interfaces:\n  - name: [eth0, eth1]\n",
	"f:2:11: name: a list where a single value is expected: a name, a pattern in "
	"quotes, or any-up\n"},
    /* patterns */
    {"interfaces:\n  - name: 'eth[0-9'\n",
	"f:2:11: name: \"eth[0-9\" has a bracket [ that is not closed\n"},
    {"interfaces:\n  - name: 'eth[]'\n",
	"f:2:11: name: \"eth[]\" has a bracket [ that is not closed\n"},
    {"interfaces:\n  - name: 'eth*\\'\n",
	"f:2:11: name: \"eth*\\\" ends with a backslash\n"},
    {"interfaces:\n  - name: 'a/*'\n",
	"f:2:11: name: \"a/*\" matches no interface: names have no '/', ':' or white "
	"space\n"},
    {"interfaces:\n  - name: 'eth[9-0]'\n",
	"f:2:11: name: \"eth[9-0]\" matches no interface: nothing fits one of its "
	"brackets\n"},
    {"interfaces:\n  - name: '???????????????*?'\n",
	"f:2:11: name: \"???????????????*?\" matches no interface: names have at most "
	"15 bytes\n"},
    {"interfaces:\n  - name: '*234567890123456789012345678901234567890123456789"
     "0123456789012ab*'\n",
	"f:2:11: name: a pattern of 65 bytes is too long: at most 63\n"},
    {"interfaces:\n  - name: 'eth*'\n    not: eth9\n  - name: 'eth*'\n",
	"f:4:11: name: a second entry for \"eth*\", the first is in line 2\n"},
    {"interfaces:\n  - name: any-up\n  - name: any-up\n    not: lo\n",
	"f:3:11: name: a second entry for \"any-up\", the first is in line 2\n"},
    {"interfaces:\n  - name: 'a\\*b'\n  - name: \"a\\\\*b\"\n",
	"f:3:11: name: a second entry for \"a*b\", the first is in line 2\n"},
    /* what they do not take */
    {ETH0 "    not: eth1\n",
	"f:3:10: not: only with a pattern or any-up as the name\n"},
    {"interfaces:\n  - {not: eth1, name: eth0}\n",
	"f:2:11: not: only with a pattern or any-up as the name\n"},
    {"interfaces:\n  - name: 'eth*'\n    not: []\n",
	"f:3:10: not: 0 names and patterns; 1 to 16 are possible\n"},
    {"interfaces:\n  - name: 'eth*'\n    not: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]\n",
	"f:3:10: not: 17 names and patterns; 1 to 16 are possible\n"},
    {"interfaces:\n  - name: 'eth*'\n    not:\n",
	"f:3:5: not: has no value; a name or a pattern in quotes, or a list of at most "
	"16\n"},
    {"interfaces:\n  - name: 'eth*'\n    not: {a: b}\n",
	"f:3:10: not: a map where a single value is expected: a name or a pattern in "
	"quotes, or a list of at most 16\n"},
    {"interfaces:\n  - name: 'eth*'\n    not: [eth1, [eth2], 'a/b', '[', '', eth3]\n",
	"f:3:17: not: a list where a single value is expected: a name or a pattern in "
	"quotes, or a list of at most 16\n"
	"f:3:25: not: \"a/b\" is not an interface name: 1 to 15 bytes without '/', ':' "
	"or white space\n"
	"f:3:32: not: \"[\" has a bracket [ that is not closed\n"
	"f:3:37: not: must not be empty\n"},
    {"defaults:\n  not: lo\n" ETH0,
	"f:2:3: not: not possible here: it belongs to an entry of `interfaces`\n"},
    /* the log */
    {"log: journal\n" ETH0,
	"f:1:6: log: \"journal\" is no target; possible are stderr, syslog, udp "
	"(127.0.0.1:514), udp:ADDRESS:PORT and udp:[IPV6-ADDRESS]:PORT, addresses in "
	"numbers\n"},
    {"log: udp:localhost:514\nlog_flows: 1\n" ETH0,
	"f:1:6: log: \"udp:localhost:514\" is no target; possible are stderr, syslog, "
	"udp (127.0.0.1:514), udp:ADDRESS:PORT and udp:[IPV6-ADDRESS]:PORT, addresses in "
	"numbers\nf:2:12: log_flows: 1 is neither true nor false\n"},
    /* numbers */
    {ETH0 "    snaplen: 63\n", "f:3:14: snaplen: 63 is out of range: 64 to 262144\n"},
    {ETH0 "    snaplen: 262145\n",
	"f:3:14: snaplen: 262145 is out of range: 64 to 262144\n"},
    {ETH0 "    snaplen: -1\n",
	"f:3:14: snaplen: -1 is not a whole number; 64 to 262144\n"},
    {ETH0 "    snaplen: 1.5\n",
	"f:3:14: snaplen: 1.5 is not a whole number; 64 to 262144\n"},
    {ETH0 "    snaplen: \"128\"\n",
	"f:3:14: snaplen: \"128\" is not a whole number; 64 to 262144\n"},
    {ETH0 "    flows: 15\n", "f:3:12: flows: 15 is out of range: 16 to 16777216\n"},
    {ETH0 "    flows: 99999999999999999999999\n",
	"f:3:12: flows: 99999999999999999999999 is out of range: 16 to 16777216\n"},
    {ETH0 "    snaplen:\n", "f:3:5: snaplen: has no value; 64 to 262144\n"},
    {ETH0 "    snaplen: ~\n", "f:3:14: snaplen: has no value; 64 to 262144\n"},
    /* sizes */
    {ETH0 "    buffer: 1023\n",
	"f:3:13: buffer: 1023 is out of range: 1 KiB to 1 GiB\n"},
    {ETH0 "    buffer: 2GiB\n",
	"f:3:13: buffer: 2GiB is out of range: 1 KiB to 1 GiB\n"},
    {ETH0 "    buffer: 8MB\n",
	"f:3:13: buffer: 8MB is not a size (bytes, or with B, KiB, MiB, GiB); 1 KiB to "
	"1 GiB\n"},
    /* durations */
    {ETH0 "    timeout: 0\n",
	"f:3:14: timeout: 0 is out of range: 1ms to 10s (0 would mean that packets are "
	"never delivered)\n"},
    {ETH0 "    timeout: 0ms\n",
	"f:3:14: timeout: 0ms is out of range: 1ms to 10s (0 would mean that packets "
	"are never delivered)\n"},
    {ETH0 "    timeout: 11s\n", "f:3:14: timeout: 11s is out of range: 1ms to 10s\n"},
    {ETH0 "    timeout: 100\n",
	"f:3:14: timeout: 100 is not a duration (with ms, s, m, h or d); 1ms to 10s\n"},
    {"rotation: 0s\n" ETH0, "f:1:11: rotation: 0s is out of range: 1s to 1h\n"},
    {"rotation: 2h\n" ETH0, "f:1:11: rotation: 2h is out of range: 1s to 1h\n"},
    {"rotation: 7m\n" ETH0,
	"f:1:11: rotation: 7m does not divide a day, so intervals would not begin at "
	"midnight; e.g. 60s, 300s and 15m do\n"},
    {"keep: 60s\n" ETH0,
	"f:1:7: keep: shorter than one interval (`rotation`); 0 keeps everything\n"},
    /* booleans */
    {ETH0 "    promiscuous: perhaps\n",
	"f:3:18: promiscuous: perhaps is neither true nor false\n"},
    {ETH0 "    promiscuous: yes\n",
	"f:3:18: promiscuous: yes is neither true nor false\n"},
    {ETH0 "    promiscuous: True\n",
	"f:3:18: promiscuous: True is neither true nor false\n"},
    {ETH0 "    promiscuous: \"true\"\n",
	"f:3:18: promiscuous: \"true\" is neither true nor false\n"},
    /* paths and accounts */
    {"store: var/lib\n" ETH0,
	"f:1:8: store: \"var/lib\" is not an absolute path: it must begin with /\n"},
    {"store: ''\n" ETH0, "f:1:8: store: must not be empty\n"},
    {"runtime: /123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456\n" ETH0,
	"f:1:10: runtime: 87 bytes are too long: at most 84, since "
	"RUNTIME/worker/NNNNNNNNNN.sock must fit into the 107 bytes of a socket path\n"},
    {"worker_user: a b\n" ETH0,
	"f:1:14: worker_user: \"a b\" is neither a name nor a number\n"},
    /* syntax */
    {"interfaces: [\n",
	"f:2:1: syntax: did not find expected node content, while "
	"parsing a flow node\n"},
    {"keep: 1d\n\trotation: 5m\n",
	"f:2:1: syntax: found a tab character that violates indentation, while "
	"scanning a plain scalar\n"},
    {"keep: *nobody\n" ETH0, "f:1:7: syntax: found undefined alias\n"},
    {"a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n" ETH0,
	"f:1:19: syntax: more than 16 maps and lists inside one another\n"},
    {"keep: 1d # \x07\n",
	"f:1:12: file: control byte 0x07; the file must be plain "
	"text in UTF-8\n"},
    {"é: 1\n# \xff\n", "f:2:3: syntax: invalid leading UTF-8 octet\n"},
    /* several at once, in the order of the file, the last one first found */
    {"interfaces:\n"
     "  - name: eth0\n"
     "    snaplen: 10\n"
     "    promiscuous: maybe\n"
     "  - name: eth0\n"
     "    time_out: 5\n"
     "rotation: 7s\n"
     "colour: blue\n",
	"f:3:14: snaplen: 10 is out of range: 64 to 262144\n"
	"f:4:18: promiscuous: maybe is neither true nor false\n"
	"f:5:11: name: a second entry for \"eth0\", the first is in line 2\n"
	"f:6:5: time_out: unknown key; did you mean timeout?\n"
	"f:7:11: rotation: 7s does not divide a day, so intervals would not begin at "
	"midnight; e.g. 60s, 300s and 15m do\n"
	"f:8:1: colour: unknown key\n"},
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		bad(table[i].text, table[i].faults);
}

static void
test_nul(void **state)
{
	(void)state;
	static struct faults faults;
	struct config config;
	const char text[] = "keep: 1d\0\n";

	assert_int_equal(parse(text, sizeof(text) - 1, &config, &faults), -EINVAL);
	assert_string_equal(faults.text,
	    "f:1:9: file: control byte 0x00; the file must "
	    "be plain text in UTF-8\n");
}

static void
test_runtime_limit(void **state)
{
	(void)state;
	char text[256];
	char path[86];

	memset(path, 'r', sizeof(path));
	path[0] = '/';
	path[84] = '\0';
	snprintf(text, sizeof(text), "runtime: %s\n" ETH0, path);
	struct config *config = good(text);
	assert_int_equal(
	    strlen(config->runtime) + strlen("/worker/0123456789.sock"), 107);
	config_fini(config);
}

static void
test_bounded(void **state)
{
	(void)state;
	static struct faults faults;
	struct config config;
	size_t len = CONFIG_FILE_MAX + 1;
	char *text = malloc(len);

	assert_non_null(text);
	memset(text, '#', len);
	assert_int_equal(parse(text, len, &config, &faults), -EINVAL);
	assert_string_equal(faults.text, "f:1:1: file: larger than 1 MiB\n");
	/* the deepest nesting that fits */
	memset(text, '[', len - 1);
	assert_int_equal(parse(text, len - 1, &config, &faults), -EINVAL);
	assert_string_equal(faults.text,
	    "f:1:17: syntax: more than 16 maps and lists inside one another\n");
	/* as many unknown keys as fit: a screenful is told, the rest is said to exist */
	size_t used = 0;
	for (int i = 0; i < 50000; i++)
		used += (size_t)snprintf(text + used, len - used, "k%d: 1\n", i);
	assert_int_equal(parse(text, used, &config, &faults), -EINVAL);
	assert_int_equal(faults.count, CONFIG_FAULTS_MAX + 1);
	assert_non_null(strstr(faults.text, "f:100:1: k99: unknown key\n"));
	assert_non_null(strstr(faults.text, "\nfurther faults are not shown\n"));
	free(text);
}

static void
test_iface_limit(void **state)
{
	(void)state;
	static struct faults faults;
	struct config config;
	char *text = malloc(65536);
	size_t used = (size_t)snprintf(text, 65536, "interfaces:\n");

	for (int i = 0; i < CONFIG_IFACES_MAX; i++)
		used +=
		    (size_t)snprintf(text + used, 65536 - used, "  - name: v%d\n", i);
	assert_int_equal(parse(text, used, &config, &faults), 0);
	assert_int_equal(config.iface_count, CONFIG_IFACES_MAX);
	assert_string_equal(config.ifaces[1023].name.s, "v1023");
	config_fini(&config);
	used += (size_t)snprintf(text + used, 65536 - used, "  - name: more\n");
	assert_int_equal(parse(text, used, &config, &faults), -EINVAL);
	assert_string_equal(
	    faults.text, "f:2:3: interfaces: 1025 entries; at most 1024\n");
	free(text);
}

static void
test_unreadable(void **state)
{
	(void)state;
	static struct faults faults;
	struct config config;

	memset(&faults, 0, sizeof(faults));
	assert_int_equal(
	    config_load("/nowhere/weir.yaml", &config, fault_take, &faults), -EINVAL);
	assert_string_equal(faults.text,
	    "/nowhere/weir.yaml: cannot be read: No such file or directory\n");
	memset(&faults, 0, sizeof(faults));
	assert_int_equal(config_load("/", &config, fault_take, &faults), -EINVAL);
	assert_string_equal(faults.text, "/: cannot be read: Is a directory\n");
}

/* The example must show every key, and at its default. */
static void
test_example(void **state)
{
	(void)state;
	static struct faults faults;
	struct config config;
	struct config *plain;
	char text[16384];
	FILE *file = fopen(WEIR_TEST_EXAMPLE, "r");

	assert_non_null(file);
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	for (size_t i = 0; i < config_key_count; i++) {
		char key[64];
		snprintf(key, sizeof(key), "%s:", config_keys[i].name);
		if (!strstr(text, key))
			fail_msg("the example does not have %s", key);
	}
	memset(&faults, 0, sizeof(faults));
	assert_int_equal(
	    config_load(WEIR_TEST_EXAMPLE, &config, fault_take, &faults), 0);
	assert_string_equal(faults.text, "");
	plain = good(ETH0);
	assert_string_equal(config.runtime, plain->runtime);
	assert_string_equal(config.records, plain->records);
	assert_string_equal(config.store, plain->store);
	assert_string_equal(config.worker_user, plain->worker_user);
	assert_string_equal(config.store_user, plain->store_user);
	assert_string_equal(config.client_group, plain->client_group);
	assert_int_equal(config.rotation_ms, plain->rotation_ms);
	assert_int_equal(config.keep_ms, plain->keep_ms);
	assert_int_equal(config.keep_bytes, plain->keep_bytes);
	assert_string_equal(config.errors, plain->errors);
	assert_string_equal(config.log, plain->log);
	assert_int_equal(config.log_flows, plain->log_flows);
	assert_int_equal(capture_config_compare(
			     &config.ifaces[0].capture, &plain->ifaces[0].capture),
	    CAPTURE_SAME);
	config_fini(plain);
	config_fini(&config);
}

static void
test_help(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	config_help(out);
	fclose(out);
	for (size_t i = 0; i < config_key_count; i++) {
		if (!strstr(text, config_keys[i].name))
			fail_msg("no help for %s", config_keys[i].name);
		if (!strstr(text, config_keys[i].help))
			fail_msg("help of %s is missing", config_keys[i].name);
	}
	assert_non_null(strstr(text, "snaplen       64 to 262144, default 128\n"));
	assert_non_null(strstr(text,
	    "log           stderr, syslog, udp or udp:ADDRESS:PORT, "
	    "default stderr\n"));
	assert_non_null(strstr(text,
	    "name          a name, a pattern in quotes, or any-up, "
	    "required\n"));
	assert_non_null(strstr(text, "any-u[p]"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    {"what is not set has the table's default", test_defaults, 0, 0, 0},
	    {"every key arrives in its field, defaults from anywhere in the file",
		test_all_keys, 0, 0, 0},
	    {"aliases stand for what they name", test_aliases, 0, 0, 0},
	    {"names have dots, 15 bytes and whatever the kernel allows", test_names, 0,
		0, 0},
	    {"patterns and any-up take what they say, less what `not` says",
		test_patterns, 0, 0, 0},
	    {"each key of a capture arrives by interface, by defaults and by pattern",
		test_capture_keys, 0, 0, 0},
	    {"every fault names its line, column and key", test_faults, 0, 0, 0},
	    {"a NUL byte is refused", test_nul, 0, 0, 0},
	    {"the longest runtime path gives a socket path of 107 bytes",
		test_runtime_limit, 0, 0, 0},
	    {"large, deep and wrong files end in bounded words", test_bounded, 0, 0, 0},
	    {"1024 interfaces are taken, 1025 are not", test_iface_limit, 0, 0, 0},
	    {"a file that cannot be read is one fault", test_unreadable, 0, 0, 0},
	    {"the commented example has every key and the defaults", test_example, 0, 0,
		0},
	    {"the help has every key", test_help, 0, 0, 0},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
