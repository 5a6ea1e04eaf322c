/* Configuration files: any bytes are a configuration within its ranges, or faults that an
 * operator can read, and then nothing was touched. */
#include <errno.h>

#include "common/config.h"
#include "tests/fuzz/input.h"

#define UNTOUCHED 0x5a

static void
check_fault(void *arg, const char *line)
{
	unsigned *faults = arg;

	(*faults)++;
	fuzz_check(strncmp(line, "f:", 2) == 0 ||
	    (*faults > 1 && strcmp(line, "further faults are not shown") == 0));
	fuzz_check(strlen(line) < 4096);
	/* Whatever stood in the file, it does nothing to a terminal. */
	for (const char *c = line; *c != '\0'; c++)
		fuzz_check((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void
check_entry(const struct config_iface *entry)
{
	const struct capture_config *c = &entry->capture;

	fuzz_check(config_iface_text(entry)[0] != '\0');
	fuzz_check(
	    entry->kind != CONFIG_IFACE_NAMED || iface_name_valid(entry->name.s));
	fuzz_check(
	    (entry->kind == CONFIG_IFACE_PATTERN) == (entry->pattern[0] != '\0'));
	fuzz_check(entry->not_count <= CONFIG_NOT_MAX);
	fuzz_check(entry->kind != CONFIG_IFACE_NAMED || entry->not_count == 0);
	for (size_t i = 0; i < entry->not_count; i++)
		fuzz_check(entry->not [i][0] != '\0');
	fuzz_check(c->buffer >= CAPTURE_BUFFER_MIN && c->buffer <= CAPTURE_BUFFER_MAX);
	fuzz_check(c->flows >= CAPTURE_FLOWS_MIN && c->flows <= CAPTURE_FLOWS_MAX);
	fuzz_check(
	    c->snaplen >= CAPTURE_SNAPLEN_MIN && c->snaplen <= CAPTURE_SNAPLEN_MAX);
	fuzz_check(c->timeout_ms >= CAPTURE_TIMEOUT_MS_MIN &&
	    c->timeout_ms <= CAPTURE_TIMEOUT_MS_MAX);
	fuzz_check(c->error_threshold <= CAPTURE_ERROR_THRESHOLD_MAX);
	fuzz_check(strnlen(c->filter, sizeof(c->filter)) < sizeof(c->filter));
}

static void
check_config(const struct config *config)
{
	struct config_log log;

	fuzz_check(config->iface_count >= 1);
	fuzz_check(config->iface_count <= CONFIG_IFACES_MAX);
	for (size_t i = 0; i < config->iface_count; i++)
		check_entry(&config->ifaces[i]);
	fuzz_check(config->rotation_ms >= 1000 && config->rotation_ms <= 3600000);
	fuzz_check(UINT64_C(86400000) % config->rotation_ms == 0);
	fuzz_check(config->keep_ms == 0 || config->keep_ms >= config->rotation_ms);
	fuzz_check(config->runtime[0] == '/' && config->store[0] == '/');
	fuzz_check(config_log_parse(config->log, &log) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config, untouched;
	unsigned faults = 0;
	int rc;

	memset(&untouched, UNTOUCHED, sizeof(untouched));
	config = untouched;
	rc = config_parse("f", (const char *)data, size, &config, check_fault, &faults);
	if (rc == 0) {
		fuzz_check(faults == 0);
		check_config(&config);
		config_fini(&config);
		return 0;
	}
	fuzz_check(rc == -EINVAL && faults > 0);
	fuzz_check(memcmp(&config, &untouched, sizeof(config)) == 0);
	return 0;
}
