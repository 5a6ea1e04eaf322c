/* Where log lines go, as text: apart from the reader of the file, since programs that
 * read no file are told it on their command line. */
#include "common/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define LOG_ADDRESS "127.0.0.1"
#define LOG_PORT 514

/* "ADDRESS:PORT" or "[ADDRESS]:PORT"; an IPv6 address has colons, so it needs brackets. */
static int
parse_endpoint(const char *text, struct config_log *log)
{
	bool v6 = text[0] == '[';
	const char *address = v6 ? text + 1 : text;
	const char *end = strstr(address, v6 ? "]:" : ":");
	unsigned char bytes[sizeof(struct in6_addr)];
	uint64_t port;

	if (!end || (size_t)(end - address) >= sizeof(log->address))
		return -EINVAL;
	memcpy(log->address, address, (size_t)(end - address));
	if (inet_pton(v6 ? AF_INET6 : AF_INET, log->address, bytes) != 1)
		return -EINVAL;
	if (text_to_number(end + (v6 ? 2 : 1), &port) != 0 || port == 0 ||
	    port > UINT16_MAX)
		return -EINVAL;
	log->port = (uint16_t)port;
	return 0;
}

int
config_log_parse(const char *text, struct config_log *out)
{
	struct config_log log = {.target = CONFIG_LOG_STDERR};

	if (strcmp(text, "stderr") == 0) {
		log.target = CONFIG_LOG_STDERR;
	} else if (strcmp(text, "syslog") == 0) {
		log.target = CONFIG_LOG_SYSLOG;
	} else if (strcmp(text, "udp") == 0) {
		log.target = CONFIG_LOG_UDP;
		snprintf(log.address, sizeof(log.address), "%s", LOG_ADDRESS);
		log.port = LOG_PORT;
	} else if (strncmp(text, "udp:", 4) == 0) {
		log.target = CONFIG_LOG_UDP;
		if (parse_endpoint(text + 4, &log) != 0)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	*out = log;
	return 0;
}
