/* weirctl:
 *
 *	1. the locale's encoding, the command line;
 *	2. SIGPIPE off: a reader that goes away is no fault, and the output module sees it;
 *	3. the command, whose answer is the exit code.
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "client/client.h"
#include "common/log.h"

int
main(int argc, char **argv)
{
	struct client client;
	char why[CLIENT_WHY_SIZE];
	int code = EXIT_DONE;

	setlocale(LC_CTYPE, "");
	log_init("weirctl", NULL);
	log_set_limit(0, 0); /* every line is an answer to somebody */
	signal(SIGPIPE, SIG_IGN);
	if (client_parse(&client, argc, argv, wall_now(), why) != 0) {
		if (client.command)
			log_err("usage", "%s; see weirctl %s --help", why,
			    client.command->name);
		else
			log_err("usage", "%s; see weirctl --help", why);
		code = EXIT_USAGE;
	} else if (client.version) {
		printf("weirctl %s\n", WEIR_VERSION);
	} else if (client.help) {
		client_help(stdout, client.command);
	} else {
		code = client.command->run(&client);
	}
	client_fini(&client);
	errno = 0;
	if (fflush(stdout) != 0 && errno != EPIPE && code == EXIT_DONE)
		code = EXIT_FAILED;
	return code;
}
