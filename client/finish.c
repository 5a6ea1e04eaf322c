#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "common/log.h"
#include "common/text.h"

int
client_finish(const struct client *client, struct output *out, int code)
{
	int rc = output_close(out);

	if (rc == 0 || rc == -EPIPE)
		return code;
	log_err(client->command->name, "standard output: %s", strerror(-rc));
	return EXIT_FAILED;
}

void
client_fault(const char *line, size_t len)
{
	size_t size = len * 4 + 1; /* \xNN for each byte */
	char *safe = malloc(size);

	if (!safe)
		return;
	text_escape(safe, size, line, len);
	fprintf(stderr, "%s\n", safe);
	free(safe);
}

void
client_config_fault(void *arg, const char *line)
{
	(void)arg;
	client_fault(line, strlen(line));
}
