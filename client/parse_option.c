/* The arguments of options, and the columns of a query: text to checked values. */
#include "client/client.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/flow.h"
#include "common/text.h"

static const struct {
	const char *name;
	enum query_field field;
} query_columns[] = {
    {"time", QUERY_TIME},
    {"iface", QUERY_IFACE},
    {"src", QUERY_SRC},
    {"dst", QUERY_DST},
    {"dport", QUERY_DPORT},
    {"proto", QUERY_PROTO},
};

int
client_parse_columns(
    const char *text, unsigned *fields, char why[static CLIENT_WHY_SIZE])
{
	unsigned set = 0;
	char shown[64];

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		size_t i = 0;
		for (; i < sizeof(query_columns) / sizeof(query_columns[0]); i++) {
			const char *name = query_columns[i].name;
			if (strlen(name) == len && memcmp(name, at, len) == 0)
				break;
		}
		text_escape(shown, sizeof(shown), at, len);
		if (i == sizeof(query_columns) / sizeof(query_columns[0])) {
			snprintf(why, CLIENT_WHY_SIZE,
			    "unknown column \"%s\"; columns are time, iface, src, dst, "
			    "dport, proto, separated by commas",
			    shown);
			return -EINVAL;
		}
		if (set & query_columns[i].field) {
			snprintf(
			    why, CLIENT_WHY_SIZE, "column \"%s\" stands twice", shown);
			return -EINVAL;
		}
		set |= query_columns[i].field;
		at += len;
		if (*at == '\0')
			break;
	}
	*fields = set;
	return 0;
}

static int
refuse(char why[static CLIENT_WHY_SIZE], const struct option_spec *option,
    const char *value, const char *expected)
{
	char shown[64];

	text_escape(shown, sizeof(shown), value, strlen(value));
	snprintf(why, CLIENT_WHY_SIZE, "--%s: \"%s\" is not %s", option->name, shown,
	    expected);
	return -EINVAL;
}

/* "2", "0.5" (seconds) or with a unit, "500ms" */
static int
to_wait_ms(const char *text, uint64_t *out)
{
	char *end;
	double seconds;

	if (text_to_ms(text, out) == 0)
		return 0;
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	seconds = strtod(text, &end);
	if (*end != '\0' || text[1] == 'x' || text[1] == 'X' || !(seconds < 1e9))
		return -EINVAL;
	*out = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int
take_time(struct client *client, const struct option_spec *option, const char *value,
    struct wall now, char why[static CLIENT_WHY_SIZE])
{
	int64_t *out = option->id == OPTION_FIRST ? &client->query.first_ms
						  : &client->query.last_ms;

	if (text_to_time_ms(value, now, out) == 0)
		return 0;
	return refuse(why, option, value,
	    "a time; e.g. 2026-01-31T23:59, @1767225600, -4h (before now) or now");
}

/* Zeroes what is behind the first `bits` bits. */
static void
clear_host_bits(uint8_t *address, size_t size, unsigned bits)
{
	for (size_t i = 0; i < size; i++) {
		unsigned front = bits > i * 8 ? bits - (unsigned)i * 8 : 0;
		if (front < 8)
			address[i] &= (uint8_t)(0xff00u >> front);
	}
}

/* ADDR or ADDR/BITS */
static int
to_network(const char *text, struct flows_query *out)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16] = {0};
	size_t len = strcspn(text, "/");
	uint64_t bits;
	unsigned all;
	uint8_t family;

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, bytes) == 1) {
		family = FAMILY_IPV4;
		all = 32;
	} else if (inet_pton(AF_INET6, address, bytes) == 1) {
		family = FAMILY_IPV6;
		all = 128;
	} else {
		return -EINVAL;
	}
	bits = all;
	if (text[len] == '/' &&
	    (text_to_number(text + len + 1, &bits) != 0 || bits > all))
		return -EINVAL;
	clear_host_bits(bytes, sizeof(bytes), (unsigned)bits);
	memcpy(out->address, bytes, sizeof(bytes));
	out->family = family;
	out->prefix = (unsigned)bits;
	return 0;
}

/* A number, or a name as outputs show it. */
static int
to_proto(const char *text, uint8_t *out)
{
	uint64_t number;
	char name[16];

	if (text_to_number(text, &number) == 0) {
		if (number > UINT8_MAX)
			return -EINVAL;
		*out = (uint8_t)number;
		return 0;
	}
	for (unsigned proto = 0; proto <= UINT8_MAX; proto++) {
		if (strcasecmp(flow_proto((uint8_t)proto, name), text) == 0) {
			*out = (uint8_t)proto;
			return 0;
		}
	}
	return -EINVAL;
}

static int
take_flows_option(struct flows_query *flows, const struct option_spec *option,
    const char *value, char why[static CLIENT_WHY_SIZE])
{
	uint64_t number;

	switch (option->id) {
	case OPTION_FLOWS_LIMIT:
		if (text_to_number(value, &number) != 0 || number == 0 ||
		    number > FLOWS_LIMIT_MAX)
			return refuse(why, option, value, "a number from 1 to 1000");
		flows->limit = (uint32_t)number;
		return 0;
	case OPTION_FLOWS_SORT:
		if (flows_sort_from_name(value, &flows->sort) != 0)
			return refuse(why, option, value, "bytes, packets or last");
		return 0;
	case OPTION_ADDRESS:
		if (to_network(value, flows) != 0)
			return refuse(why, option, value,
			    "an address or a network; e.g. 192.0.2.1, 192.0.2.0/24, "
			    "2001:db8::/32");
		return 0;
	case OPTION_PORT:
		if (text_to_number(value, &number) != 0 || number > UINT16_MAX)
			return refuse(why, option, value, "a port from 0 to 65535");
		flows->port = (uint16_t)number;
		flows->port_given = true;
		return 0;
	case OPTION_PROTO:
		if (to_proto(value, &flows->proto) != 0)
			return refuse(why, option, value,
			    "a protocol: tcp, udp, icmp, ... or a number from 0 to 255");
		flows->proto_given = true;
		return 0;
	default:
		return -EINVAL;
	}
}

int
client_take_option(struct client *client, const struct option_spec *option,
    const char *value, struct wall now, char why[static CLIENT_WHY_SIZE])
{
	uint64_t number;

	switch (option->id) {
	case OPTION_SOCKET:
		client->socket = value;
		return 0;
	case OPTION_OUTPUT:
		client->output = output_find(value);
		return client->output
		    ? 0
		    : refuse(why, option, value, "table, csv or json");
	case OPTION_TIMEOUT:
		if (to_wait_ms(value, &number) != 0 || number == 0 || number > 86400000)
			return refuse(why, option, value, "a time of 1ms to 1d");
		client->timeout_ms = (int)number;
		return 0;
	case OPTION_HELP:
		client->help = true;
		return 0;
	case OPTION_VERSION:
		client->version = true;
		return 0;
	case OPTION_WATCH:
		if (to_wait_ms(value, &number) != 0 || number < 100 ||
		    number > 86400000)
			return refuse(why, option, value, "a time of 0.1 s to 1d");
		client->watch_ms = number;
		return 0;
	case OPTION_COUNT:
		if (text_to_number(value, &client->count) != 0 || client->count == 0)
			return refuse(why, option, value, "a number from 1");
		return 0;
	case OPTION_IFACE:
		if (!iface_name_valid(value))
			return refuse(why, option, value, "an interface name");
		client->ifaces[client->query.iface_count++] = value;
		return 0;
	case OPTION_FIRST:
	case OPTION_LAST:
		return take_time(client, option, value, now, why);
	case OPTION_LIMIT:
		if (text_to_number(value, &number) != 0 || number > SIZE_MAX / 2)
			return refuse(why, option, value, "a number");
		client->query.limit = (size_t)number;
		client->limit_given = true;
		return 0;
	case OPTION_SORT:
		if (strcmp(value, "bytes") == 0)
			client->query.sort = QUERY_BY_BYTES;
		else if (strcmp(value, "packets") == 0)
			client->query.sort = QUERY_BY_PACKETS;
		else if (strcmp(value, "flows") == 0)
			client->query.sort = QUERY_BY_FLOWS;
		else
			return refuse(why, option, value, "bytes, packets or flows");
		client->sort_given = true;
		return 0;
	case OPTION_STORE:
		client->store = value;
		return 0;
	case OPTION_BOOKS:
		client->books_only = true;
		return 0;
	case OPTION_VERBOSE:
		client->verbose = true;
		return 0;
	case OPTION_DRY_RUN:
		client->dry_run = true;
		return 0;
	case OPTION_FLOWS_LIMIT:
	case OPTION_FLOWS_SORT:
	case OPTION_ADDRESS:
	case OPTION_PORT:
	case OPTION_PROTO:
		return take_flows_option(&client->flows, option, value, why);
	}
	return -EINVAL;
}
