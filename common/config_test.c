#include "common/config_testing.h"

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
	    {"the longest runtime path gives a socket path of 107 bytes",
		test_runtime_limit, 0, 0, 0},
	    {"1024 interfaces are taken, 1025 are not", test_iface_limit, 0, 0, 0},
	    {"the commented example has every key and the defaults", test_example, 0, 0,
		0},
	    {"the help has every key", test_help, 0, 0, 0},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
