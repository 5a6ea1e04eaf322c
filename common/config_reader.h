/* The state of reading one configuration file: its faults so far, and what is being
 * built. Only config.c and config_text.c include this. */
#ifndef WEIR_COMMON_CONFIG_READER_H
#define WEIR_COMMON_CONFIG_READER_H

#include <yaml.h>

#include "common/config_private.h"

struct config_fault {
	size_t line; /* from 1 */
	size_t column;
	size_t order; /* of finding: keeps the sort stable */
	char *text; /* "key: reason" */
};

struct config_reader {
	const char *name;
	struct config_fault faults[CONFIG_FAULTS_MAX];
	size_t fault_count;
	bool more_faults;
	bool no_memory;
	yaml_document_t *document;
	struct config_iface defaults; /* what an entry has until it says otherwise */
	struct config *config;
};

/* The place of a node or event for config_fault(); libyaml counts from 0, people from 1. */
#define NODE_AT(node) (node)->start_mark.line + 1, (node)->start_mark.column + 1

/* Notes a fault; the first CONFIG_FAULTS_MAX are kept. */
void config_fault(struct config_reader *reader, size_t line, size_t column,
    const char *key, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The fault that libyaml stopped at. */
void config_syntax_fault(struct config_reader *reader, const yaml_parser_t *parser,
    const char *text, size_t len);

/* Tells all faults in the order of the file, each once, and frees them. */
void config_faults_tell(
    struct config_reader *reader, void (*tell)(void *arg, const char *line), void *arg);

/* False after a fault; then the tree must not be loaded. */
bool config_check_bytes(struct config_reader *reader, const char *text, size_t len);
bool config_check_events(struct config_reader *reader, const char *text, size_t len);

#endif
