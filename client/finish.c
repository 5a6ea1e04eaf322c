#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "common/log.h"

int
client_finish(const struct client *client, struct output *out, int code)
{
	int rc = output_close(out);

	if (rc == 0 || rc == -EPIPE)
		return code;
	log_err(client->command->name, "standard output: %s", strerror(-rc));
	return EXIT_FAILED;
}
