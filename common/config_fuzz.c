/* Configuration files. */
#include <stdint.h>

#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
see(void *arg, const char *line)
{
	(void)arg;
	(void)line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;

	if (config_parse("f", (const char *)data, size, &config, see, NULL) == 0)
		config_fini(&config);
	return 0;
}
