/* What can be told of a configuration file before its keys are looked at (size, control
 * bytes, syntax, depth, one document), and the list of faults that everybody adds to. */
#include "common/config_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
config_fault(struct config_reader *reader, size_t line, size_t column, const char *key,
    const char *format, ...)
{
	struct config_fault *fault = &reader->faults[reader->fault_count];
	char why[CONFIG_WHY_SIZE];
	va_list ap;

	if (reader->fault_count == CONFIG_FAULTS_MAX) {
		reader->more_faults = true;
		return;
	}
	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	if (asprintf(&fault->text, "%s: %s", key, why) < 0) {
		fault->text = NULL;
		reader->no_memory = true;
		return;
	}
	fault->line = line;
	fault->column = column;
	fault->order = reader->fault_count++;
}

static int
fault_compare(const void *a, const void *b)
{
	const struct config_fault *x = a;
	const struct config_fault *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void
config_faults_tell(
    struct config_reader *reader, void (*tell)(void *arg, const char *line), void *arg)
{
	struct config_fault *last = NULL;
	char *line;

	qsort(reader->faults, reader->fault_count, sizeof(reader->faults[0]),
	    fault_compare);
	for (size_t i = 0; i < reader->fault_count; i++) {
		struct config_fault *fault = &reader->faults[i];
		/* what stands behind an alias is found once per use */
		bool again = last && last->line == fault->line &&
		    last->column == fault->column &&
		    strcmp(last->text, fault->text) == 0;
		last = fault;
		if (again)
			continue;
		if (asprintf(&line, "%s:%zu:%zu: %s", reader->name, fault->line,
			fault->column, fault->text) < 0) {
			reader->no_memory = true;
			break;
		}
		tell(arg, line);
		free(line);
	}
	for (size_t i = 0; i < reader->fault_count; i++)
		free(reader->faults[i].text);
	if (reader->more_faults)
		tell(arg, "further faults are not shown");
	if (reader->no_memory)
		tell(arg, "out of memory");
}

/* Line and column of a byte, in characters as libyaml counts them. */
static void
position_of(const char *text, size_t offset, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			(*column)++;
		}
	}
}

bool
config_check_bytes(struct config_reader *reader, const char *text, size_t len)
{
	size_t line, column;

	if (len > CONFIG_FILE_MAX) {
		config_fault(reader, 1, 1, "file", "larger than 1 MiB");
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r')
			continue;
		position_of(text, i, &line, &column);
		config_fault(reader, line, column, "file",
		    "control byte 0x%02x; the file must be plain text in UTF-8", c);
		return false;
	}
	return true;
}

void
config_syntax_fault(struct config_reader *reader, const yaml_parser_t *parser,
    const char *text, size_t len)
{
	const char *problem = parser->problem ? parser->problem : "cannot be read";
	size_t line = parser->problem_mark.line + 1;
	size_t column = parser->problem_mark.column + 1;

	if (parser->error == YAML_MEMORY_ERROR) {
		reader->no_memory = true;
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		size_t offset = parser->problem_offset;
		position_of(text, offset < len ? offset : len, &line, &column);
	}
	if (parser->context)
		config_fault(
		    reader, line, column, "syntax", "%s, %s", problem, parser->context);
	else
		config_fault(reader, line, column, "syntax", "%s", problem);
}

static bool
has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL;
	default:
		return false;
	}
}

/* The walk over the events: syntax, depth, number of documents and of anchors. */
bool
config_check_events(struct config_reader *reader, const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned depth = 0;
	unsigned documents = 0;
	unsigned anchors = 0;
	bool good = true;
	bool done = false;

	if (!yaml_parser_initialize(&parser)) {
		reader->no_memory = true;
		return false;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (good && !done) {
		if (!yaml_parser_parse(&parser, &event)) {
			config_syntax_fault(reader, &parser, text, len);
			good = false;
			break;
		}
		if (has_anchor(&event) && ++anchors > CONFIG_ANCHORS_MAX) {
			config_fault(reader, NODE_AT(&event), "syntax",
			    "more than %d anchors (&NAME)", CONFIG_ANCHORS_MAX);
			good = false;
		}
		switch (event.type) {
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			if (++depth > CONFIG_DEPTH_MAX) {
				config_fault(reader, NODE_AT(&event), "syntax",
				    "more than %d maps and lists inside one another",
				    CONFIG_DEPTH_MAX);
				good = false;
			}
			break;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			depth--;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (++documents > 1) {
				config_fault(reader, NODE_AT(&event), "syntax",
				    "a second document begins here; only one is read");
				good = false;
			}
			break;
		case YAML_STREAM_END_EVENT:
			done = true;
			break;
		default:
			break;
		}
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return good;
}
