/* The header takes printable ASCII without spaces only, the structured data and the text
 * UTF-8. What does not fit a field of the header becomes "-" or loses those characters:
 * a message is never left out for the sake of one field. */
#include "supervisor/log/log_message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/iface.h"

#define LOG_MESSAGE_BOM "\xef\xbb\xbf"

struct message {
	char *out;
	size_t used;
};

static void
message_put(struct message *message, const char *data, size_t len)
{
	if (len > LOG_MESSAGE_SIZE - message->used)
		len = LOG_MESSAGE_SIZE - message->used;
	memcpy(message->out + message->used, data, len);
	message->used += len;
}

static void
message_put_text(struct message *message, const char *text)
{
	message_put(message, text, strlen(text));
}

/* A field of the header, and the space behind it. */
static void
message_put_field(struct message *message, const char *text, size_t max)
{
	size_t len = 0;

	for (const char *p = text ? text : ""; *p != '\0' && len < max; p++) {
		if (*p > ' ' && *p <= '~') {
			message_put(message, p, 1);
			len++;
		}
	}
	message_put_text(message, len > 0 ? " " : "- ");
}

/* RFC 5424, 6.3.3: three characters are escaped by a backslash. */
static void
message_put_iface(struct message *message, const char *iface)
{
	char escaped[IFACE_SHOWN_SIZE];

	if (iface[0] == '\0') {
		message_put_text(message, "-");
		return;
	}
	message_put_text(message, "[weir@32473 iface=\"");
	for (const char *p = iface_shown(iface, escaped); *p != '\0'; p++) {
		if (*p == '"' || *p == '\\' || *p == ']')
			message_put_text(message, "\\");
		message_put(message, p, 1);
	}
	message_put_text(message, "\"]");
}

static void
message_put_message(struct message *message, const char *text)
{
	size_t len = strlen(text);
	size_t room;
	bool ascii = true;

	for (size_t i = 0; i < len; i++)
		ascii = ascii && (unsigned char)text[i] < 0x80;
	message_put_text(message, " ");
	if (!ascii)
		message_put_text(message, LOG_MESSAGE_BOM);
	room = LOG_MESSAGE_SIZE - message->used;
	if (len > room) {
		len = room;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	message_put(message, text, len);
}

size_t
log_message_format(char out[static LOG_MESSAGE_SIZE], struct wall now, const char *host,
    const struct log_record *record)
{
	struct message message = {.out = out};
	char number[32];

	snprintf(
	    number, sizeof(number), "<%u>1 ", LOG_DAEMON | (unsigned)record->level % 8);
	message_put_text(&message, number);
	message_put_field(&message, wall_text_ms(now.ns / NS_PER_MS, number), 32);
	message_put_field(&message, host, 255);
	message_put_field(&message, record->program, 48);
	snprintf(number, sizeof(number), "%d", record->pid);
	message_put_field(&message, record->pid > 0 ? number : NULL, 128);
	message_put_field(&message, record->topic, 32);
	message_put_iface(&message, record->iface);
	message_put_message(&message, record->text);
	return message.used;
}
