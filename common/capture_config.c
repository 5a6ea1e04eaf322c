#include "common/capture_config.h"

#include <string.h>

void
capture_config_default(struct capture_config *config)
{
	memset(config, 0, sizeof(*config));
	config->buffer = CAPTURE_BUFFER_DEFAULT;
	config->flows = CAPTURE_FLOWS_DEFAULT;
	config->error_threshold = CAPTURE_ERROR_THRESHOLD_DEFAULT;
	config->snaplen = CAPTURE_SNAPLEN_DEFAULT;
	config->timeout_ms = CAPTURE_TIMEOUT_MS_DEFAULT;
	config->promiscuous = true;
}

size_t
capture_config_differences(const struct capture_config *a,
    const struct capture_config *b, const char *names[static CAPTURE_CONFIG_KEYS])
{
	size_t count = 0;

	if (a->buffer != b->buffer)
		names[count++] = "buffer";
	if (a->flows != b->flows)
		names[count++] = "flows";
	if (a->snaplen != b->snaplen)
		names[count++] = "snaplen";
	if (a->timeout_ms != b->timeout_ms)
		names[count++] = "timeout";
	if (a->promiscuous != b->promiscuous)
		names[count++] = "promiscuous";
	if (a->error_threshold != b->error_threshold)
		names[count++] = "error_threshold";
	if (strcmp(a->filter, b->filter) != 0)
		names[count++] = "filter";
	return count;
}

enum capture_config_change
capture_config_compare(const struct capture_config *a, const struct capture_config *b)
{
	const char *names[CAPTURE_CONFIG_KEYS];
	size_t count = capture_config_differences(a, b, names);

	if (count == 0)
		return CAPTURE_SAME;
	return count == 1 && strcmp(names[0], "filter") == 0 ? CAPTURE_FILTER_CHANGED
							     : CAPTURE_REOPEN;
}
