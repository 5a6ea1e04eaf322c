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

enum capture_config_change
capture_config_compare(const struct capture_config *a, const struct capture_config *b)
{
	if (a->buffer != b->buffer || a->flows != b->flows ||
	    a->snaplen != b->snaplen || a->error_threshold != b->error_threshold ||
	    a->timeout_ms != b->timeout_ms || a->promiscuous != b->promiscuous)
		return CAPTURE_REOPEN;
	if (strcmp(a->filter, b->filter) != 0)
		return CAPTURE_FILTER_CHANGED;
	return CAPTURE_SAME;
}
