/* Whole commands of the client against a daemon that answers with any bytes, in each of the
 * output formats. Nothing that drives a terminal comes out, neither on standard output nor
 * in what is told on standard error, and what is JSON and said to be whole is JSON. */
#include <ctype.h>
#include <errno.h>
#include <nng/nng.h>

#include "client/client.h"
#include "common/log.h"
#include "proto/ask.h"
#include "tests/fuzz/input.h"

/*
 * The daemon: answers one after the other, then silence.
 */

static struct input answers;

int __wrap_ask(const char *socket_path, const struct pack *request, int timeout_ms,
    struct answer *answer);

int
__wrap_ask(const char *socket_path, const struct pack *request, int timeout_ms,
    struct answer *answer)
{
	struct input bytes;
	struct msg asked;
	size_t len;
	int rc;

	(void)socket_path;
	(void)timeout_ms;
	/* Whatever the last answer was, the next question is one that can be read. */
	fuzz_check(!request->failed && request->depth == 0);
	fuzz_check(msg_parse(&asked, request->buffer.data, request->buffer.size) == 0);
	msg_fini(&asked);
	if (input_left(&answers) == 0)
		return -ETIMEDOUT;
	len = input_u16(&answers);
	bytes = input_bytes(&answers, len);
	len = input_left(&bytes);
	memset(answer, 0, sizeof(*answer));
	if (len == 0)
		return -EPROTO;
	answer->len = len;
	answer->data = nng_alloc(len);
	fuzz_check(answer->data != NULL);
	memcpy(answer->data, bytes.at, len);
	rc = msg_parse(&answer->msg, answer->data, len);
	if (rc == 0 && !answer->msg.is_answer) {
		msg_fini(&answer->msg);
		rc = -EPROTO;
	}
	if (rc != 0) {
		nng_free(answer->data, len);
		answer->data = NULL;
	}
	return rc;
}

/*
 * JSON (RFC 8259), as strict as a reader that does not care what it means.
 */

static bool json_value(struct input *in, unsigned depth);

static void
json_skip(struct input *in)
{
	while (input_left(in) > 0 && isspace(*in->at))
		in->at++;
}

static bool
json_take(struct input *in, char c)
{
	json_skip(in);
	if (input_left(in) == 0 || *in->at != (uint8_t)c)
		return false;
	in->at++;
	return true;
}

static bool
json_string(struct input *in)
{
	if (!json_take(in, '"'))
		return false;
	while (input_left(in) > 0) {
		uint8_t c = *in->at++;

		if (c == '"')
			return true;
		if (c < 0x20)
			return false;
		if (c != '\\')
			continue;
		c = input_u8(in);
		if (c == 'u') {
			for (int i = 0; i < 4; i++) {
				if (!isxdigit(input_u8(in)))
					return false;
			}
		} else if (c == '\0' || !strchr("\"\\/bfnrt", c)) {
			return false;
		}
	}
	return false;
}

static bool
json_members(struct input *in, char end, bool named, unsigned depth)
{
	if (depth > 20)
		return false;
	if (json_take(in, end))
		return true;
	do {
		if (named && (!json_string(in) || !json_take(in, ':')))
			return false;
		if (!json_value(in, depth + 1))
			return false;
	} while (json_take(in, ','));
	return json_take(in, end);
}

static bool
json_word(struct input *in)
{
	static const char *const words[] = {"null", "true", "false"};
	const uint8_t *from;

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(words[i]);

		if (input_left(in) >= len && memcmp(in->at, words[i], len) == 0) {
			in->at += len;
			return true;
		}
	}
	from = in->at;
	while (input_left(in) > 0 && strchr("+-.0123456789eE", *in->at) && *in->at)
		in->at++;
	return in->at > from;
}

static bool
json_value(struct input *in, unsigned depth)
{
	json_skip(in);
	if (json_take(in, '{'))
		return json_members(in, '}', true, depth);
	if (json_take(in, '['))
		return json_members(in, ']', false, depth);
	if (input_left(in) > 0 && *in->at == '"')
		return json_string(in);
	return json_word(in);
}

static bool
is_json(const char *text, size_t len)
{
	struct input in = input_of((const uint8_t *)text, len);

	if (!json_value(&in, 0))
		return false;
	json_skip(&in);
	return input_left(&in) == 0;
}

/*
 * What comes out.
 */

static bool log_is_plain;

static bool
is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\n') || c == 0x7f)
			return false;
	}
	return true;
}

static void
see_log(void *arg, const struct log_record *record)
{
	(void)arg;
	log_is_plain = log_is_plain && is_plain(record->text, strlen(record->text)) &&
	    !strchr(record->text, '\n');
}

static const char *const commands[] = {
    "status", "errors", "rotate", "flows", "enable", "disable", "reload", "status"};
static const char *const formats[] = {"table", "csv", "json", "table"};

static int
run(unsigned how, char **out, size_t *out_size, char **err, size_t *err_size)
{
	static char program[] = "weirctl", option[] = "-o", verbose[] = "--verbose",
		    timeout[] = "--timeout=1s";
	char command[16], format[16], why[CLIENT_WHY_SIZE];
	char *argv[] = {program, option, format, command, timeout, verbose, NULL};
	FILE *real_out = stdout, *real_err = stderr;
	struct client client;
	int code;

	snprintf(command, sizeof(command), "%s", commands[how & 7]);
	snprintf(format, sizeof(format), "%s", formats[how >> 3 & 3]);
	fuzz_check(client_parse(&client, (how & 7) == 7 ? 6 : 5, argv, (struct wall){0},
		       why) == 0);
	stdout = open_memstream(out, out_size);
	stderr = open_memstream(err, err_size);
	if (!stdout || !stderr)
		abort();
	code = client.command->run(&client);
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_err;
	client_fini(&client);
	return code;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = NULL, *err = NULL;
	size_t out_size = 0, err_size = 0;
	unsigned how;
	int code;

	answers = input_of(data, size);
	how = input_u8(&answers);
	log_is_plain = true;
	log_set_limit(0, 0);
	log_set_sink(see_log, NULL);
	code = run(how, &out, &out_size, &err, &err_size);
	fuzz_check(code >= EXIT_DONE && code <= EXIT_INCOMPLETE && code != EXIT_USAGE);
	fuzz_check(log_is_plain);
	fuzz_check(is_plain(out, out_size) && is_plain(err, err_size));
	if (strcmp(formats[how >> 3 & 3], "json") == 0 && out_size > 0 &&
	    code != EXIT_FAILED)
		fuzz_check(is_json(out, out_size));
	free(out);
	free(err);
	return 0;
}
