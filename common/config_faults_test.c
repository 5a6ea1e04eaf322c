/* Wrong files: what is said about them, and that it ends in bounded words. */
#include <sys/stat.h>
#include <unistd.h>

#include "common/config_testing.h"

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
	/* anchors and aliases, which libyaml compares with one another */
	size_t used = (size_t)snprintf(text, len, "interfaces: [");
	for (int i = 0; i < 100000 && used + 32 < len; i++)
		used += (size_t)snprintf(text + used, len - used, "&a%d x,", i);
	assert_int_equal(parse(text, used, &config, &faults), -EINVAL);
	assert_string_equal(
	    faults.text, "f:1:704: syntax: more than 100 anchors (&NAME)\n");
	/* as many unknown keys as fit: a screenful is told, the rest is said to exist */
	used = 0;
	for (int i = 0; i < 50000; i++)
		used += (size_t)snprintf(text + used, len - used, "k%d: 1\n", i);
	assert_int_equal(parse(text, used, &config, &faults), -EINVAL);
	assert_int_equal(faults.count, CONFIG_FAULTS_MAX + 1);
	assert_non_null(strstr(faults.text, "f:100:1: k99: unknown key\n"));
	assert_non_null(strstr(faults.text, "\nfurther faults are not shown\n"));
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
	/* What would let a daemon wait, or never end. */
	char fifo[] = "/tmp/weir-fifo-XXXXXX";
	const char *const others[] = {fifo, "/dev/zero", "/dev/tty"};
	assert_non_null(mkdtemp(fifo));
	assert_int_equal(rmdir(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		memset(&faults, 0, sizeof(faults));
		assert_int_equal(
		    config_load(others[i], &config, fault_take, &faults), -EINVAL);
		assert_int_equal(faults.count, 1);
		assert_non_null(strstr(faults.text, ": cannot be read: "));
	}
	assert_int_equal(unlink(fifo), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    {"every fault names its line, column and key", test_faults, 0, 0, 0},
	    {"a NUL byte is refused", test_nul, 0, 0, 0},
	    {"large, deep and wrong files end in bounded words", test_bounded, 0, 0, 0},
	    {"a file that cannot be read is one fault", test_unreadable, 0, 0, 0},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
