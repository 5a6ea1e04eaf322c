/* Reads the configuration file in four steps: the bytes are checked (size, control
 * bytes), libyaml's events are walked once (syntax, depth, one document), its document
 * tree is loaded (which resolves aliases), and the table of config_keys.c is held
 * against the tree. Faults are gathered on the way and told at the end in the order of
 * the file, so that one run shows all of them.
 *
 * The tree is entered only where the table knows a map or a list, so neither depth nor
 * aliases that refer to themselves can send this in circles. */
#include "common/config_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static const char *
node_kind(const yaml_node_t *node)
{
	switch (node->type) {
	case YAML_MAPPING_NODE:
		return "a map";
	case YAML_SEQUENCE_NODE:
		return "a list";
	default:
		return "a single value";
	}
}

static void
unknown_key(struct config_reader *reader, unsigned sections, const yaml_node_t *node)
{
	const char *name = (const char *)node->data.scalar.value;
	size_t len = node->data.scalar.length;
	const struct config_key *elsewhere, *close;
	char shown[64];

	text_escape(shown, sizeof(shown), name, len);
	elsewhere = config_key_find(~0U, name, len);
	close = config_key_suggest(sections, name, len);
	if (elsewhere && elsewhere->section == CONFIG_TOP)
		config_fault(reader, NODE_AT(node), shown,
		    "not possible here: it belongs to the top level");
	else if (elsewhere && elsewhere->section == CONFIG_CAPTURE)
		config_fault(reader, NODE_AT(node), shown,
		    "not possible here: it belongs under `defaults` or an interface");
	else if (elsewhere)
		config_fault(reader, NODE_AT(node), shown,
		    "not possible here: it belongs to an entry of `interfaces`");
	else if (close)
		config_fault(reader, NODE_AT(node), shown,
		    "unknown key; did you mean %s?", close->name);
	else
		config_fault(reader, NODE_AT(node), shown, "unknown key");
}

/* Calls `each` for every known key of a map, once; everything else is a fault. */
static void
walk_map(struct config_reader *reader, const yaml_node_t *map, unsigned sections,
    void (*each)(struct config_reader *reader, const struct config_key *key,
	const yaml_node_t *key_node, const yaml_node_t *value, void *arg),
    void *arg)
{
	size_t seen[CONFIG_KEYS_MAX] = {0};
	const yaml_node_pair_t *pair = map->data.mapping.pairs.start;

	for (; pair < map->data.mapping.pairs.top && !reader->more_faults; pair++) {
		yaml_node_t *node = yaml_document_get_node(reader->document, pair->key);
		yaml_node_t *value =
		    yaml_document_get_node(reader->document, pair->value);
		if (node->type != YAML_SCALAR_NODE) {
			config_fault(reader, NODE_AT(node), "key", "%s as a key",
			    node_kind(node));
			continue;
		}
		const struct config_key *key = config_key_find(sections,
		    (const char *)node->data.scalar.value, node->data.scalar.length);
		if (!key) {
			unknown_key(reader, sections, node);
			continue;
		}
		size_t *first = &seen[key - config_keys];
		if (*first != 0) {
			config_fault(reader, NODE_AT(node), key->name,
			    "stands twice, first in line %zu", *first);
			continue;
		}
		*first = node->start_mark.line + 1;
		each(reader, key, node, value, arg);
	}
}

/* arg: the object that takes the value */
static void
take_value(struct config_reader *reader, const struct config_key *key,
    const yaml_node_t *key_node, const yaml_node_t *value, void *arg)
{
	char why[CONFIG_WHY_SIZE];
	char range[96];

	if (value->type != YAML_SCALAR_NODE) {
		config_key_range(key, range);
		config_fault(reader, NODE_AT(value), key->name,
		    "%s where a single value is expected: %s", node_kind(value), range);
		return;
	}
	bool plain = value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	bool missing = plain && value->data.scalar.length == 0;
	if (!config_value_set(key, (const char *)value->data.scalar.value,
		value->data.scalar.length, plain, arg, why)) {
		/* nothing stands behind the colon: the key itself is the place */
		const yaml_node_t *at = missing ? key_node : value;
		config_fault(reader, NODE_AT(at), key->name, "%s", why);
	}
}

/* A key of a capture, in an entry or (arg: reader->defaults) for all. */
static void
take_capture_value(struct config_reader *reader, const struct config_key *key,
    const yaml_node_t *key_node, const yaml_node_t *value, void *arg)
{
	struct config_iface *iface = arg;

	if (key->offset == offsetof(struct capture_config, filter))
		iface->filter_line = value->start_mark.line + 1;
	if (key->offset == offsetof(struct capture_config, buffer))
		iface->buffer_line = value->start_mark.line + 1;
	take_value(reader, key, key_node, value, &iface->capture);
}

struct entry {
	struct config_iface *iface;
	const yaml_node_t *name; /* the value of `name`, when it was acceptable */
	const yaml_node_t * not ; /* the value of `not`, whatever it is */
	bool has_name;
};

/* `not`: one, or a list of them. */
static void
take_not(struct config_reader *reader, const struct config_key *key,
    const yaml_node_t *key_node, const yaml_node_t *value, struct entry *entry)
{
	entry->not = value;
	if (value->type != YAML_SEQUENCE_NODE) {
		take_value(reader, key, key_node, value, entry->iface);
		return;
	}
	const yaml_node_item_t *item = value->data.sequence.items.start;
	const yaml_node_item_t *top = value->data.sequence.items.top;
	size_t count = (size_t)(top - item);
	if (count == 0 || count > CONFIG_NOT_MAX) {
		config_fault(reader, NODE_AT(value), key->name,
		    "%zu names and patterns; 1 to %d are possible", count,
		    CONFIG_NOT_MAX);
		return;
	}
	for (; item < top; item++) {
		const yaml_node_t *node =
		    yaml_document_get_node(reader->document, *item);
		take_value(reader, key, node, node, entry->iface);
	}
}

static void
take_iface_value(struct config_reader *reader, const struct config_key *key,
    const yaml_node_t *key_node, const yaml_node_t *value, void *arg)
{
	struct entry *entry = arg;
	size_t faults = reader->fault_count;

	if (key->section == CONFIG_CAPTURE) {
		take_capture_value(reader, key, key_node, value, entry->iface);
		return;
	}
	if (key->type == CONFIG_PATTERNS) {
		take_not(reader, key, key_node, value, entry);
		return;
	}
	entry->has_name = true;
	take_value(reader, key, key_node, value, entry->iface);
	if (reader->fault_count == faults && !reader->more_faults)
		entry->name = value;
}

static void
take_iface(struct config_reader *reader, const yaml_node_t *item)
{
	struct config *config = reader->config;
	struct config_iface *iface = &config->ifaces[config->iface_count];
	struct entry entry = {.iface = iface};
	char shown[CONFIG_PATTERN_SIZE * 4];

	if (item->type != YAML_MAPPING_NODE) {
		config_fault(reader, NODE_AT(item), "interfaces",
		    "%s where a map is expected; write `- name: eth0`",
		    node_kind(item));
		return;
	}
	*iface = reader->defaults;
	iface->line = item->start_mark.line + 1;
	walk_map(reader, item, 1U << CONFIG_ENTRY | 1U << CONFIG_CAPTURE,
	    take_iface_value, &entry);
	if (!entry.has_name)
		config_fault(reader, NODE_AT(item), "name", "missing in this entry");
	if (!entry.name)
		return;
	if (entry.not &&iface->kind == CONFIG_IFACE_NAMED)
		config_fault(reader, NODE_AT(entry.not ), "not",
		    "only with a pattern or any-up as the name");
	for (size_t i = 0; i < config->iface_count; i++) {
		const struct config_iface *other = &config->ifaces[i];
		const char *text = config_iface_text(iface);
		if (other->kind != iface->kind ||
		    strcmp(config_iface_text(other), text) != 0)
			continue;
		text_escape(shown, sizeof(shown), text, strlen(text));
		config_fault(reader, NODE_AT(entry.name), "name",
		    "a second entry for \"%s\", the first is in line %zu", shown,
		    other->line);
		return;
	}
	config->iface_count++;
}

static void
take_ifaces(struct config_reader *reader, const yaml_node_t *list)
{
	const yaml_node_item_t *item = list->data.sequence.items.start;
	const yaml_node_item_t *top = list->data.sequence.items.top;
	size_t count = (size_t)(top - item);

	if (count == 0) {
		config_fault(reader, NODE_AT(list), "interfaces",
		    "the list is empty; at least one interface is needed");
		return;
	}
	if (count > CONFIG_IFACES_MAX) {
		config_fault(reader, NODE_AT(list), "interfaces",
		    "%zu entries; at most %d", count, CONFIG_IFACES_MAX);
		return;
	}
	reader->config->ifaces = calloc(count, sizeof(*reader->config->ifaces));
	if (!reader->config->ifaces) {
		reader->no_memory = true;
		return;
	}
	for (; item < top; item++)
		take_iface(reader, yaml_document_get_node(reader->document, *item));
}

struct top {
	const yaml_node_t *defaults; /* maps and lists are taken after all else */
	const yaml_node_t *interfaces;
	const yaml_node_t *keep; /* for its place */
	bool has_interfaces;
};

static void
take_top_value(struct config_reader *reader, const struct config_key *key,
    const yaml_node_t *key_node, const yaml_node_t *value, void *arg)
{
	struct top *top = arg;

	switch (key->type) {
	case CONFIG_LIST:
		top->has_interfaces = true;
		if (value->type == YAML_SEQUENCE_NODE)
			top->interfaces = value;
		else
			config_fault(reader, NODE_AT(key_node), key->name,
			    "must be a list of maps, each with a name");
		break;
	case CONFIG_MAP:
		if (value->type == YAML_MAPPING_NODE)
			top->defaults = value;
		else
			config_fault(reader, NODE_AT(key_node), key->name,
			    "must be a map with keys of a capture");
		break;
	default:
		if (strcmp(key->name, "keep") == 0)
			top->keep = value;
		take_value(reader, key, key_node, value, reader->config);
		break;
	}
}

static void
take_document(struct config_reader *reader)
{
	const yaml_node_t *root = yaml_document_get_root_node(reader->document);
	struct config *config = reader->config;
	struct top top = {0};

	if (!root ||
	    (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)) {
		config_fault(reader, 1, 1, "interfaces",
		    "the file is empty; at least one interface is needed");
		return;
	}
	if (root->type != YAML_MAPPING_NODE) {
		config_fault(reader, NODE_AT(root), "file",
		    "%s where a map of keys is expected", node_kind(root));
		return;
	}
	walk_map(reader, root, 1U << CONFIG_TOP, take_top_value, &top);
	/* An age below the interval would throw intervals away as they arrive. */
	if (top.keep && config->keep_ms != 0 && config->keep_ms < config->rotation_ms)
		config_fault(reader, NODE_AT(top.keep), "keep",
		    "shorter than one interval (`rotation`); 0 keeps everything");
	if (top.defaults)
		walk_map(reader, top.defaults, 1U << CONFIG_CAPTURE, take_capture_value,
		    &reader->defaults);
	if (top.interfaces)
		take_ifaces(reader, top.interfaces);
	else if (!top.has_interfaces)
		config_fault(reader, NODE_AT(root), "interfaces",
		    "missing; at least one interface is needed");
}

static void
set_defaults(struct config_reader *reader)
{
	char why[CONFIG_WHY_SIZE];

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (!key->fallback)
			continue;
		void *object = key->section == CONFIG_CAPTURE
		    ? (void *)&reader->defaults.capture
		    : (void *)reader->config;
		if (!config_value_set(key, key->fallback, strlen(key->fallback),
			key->fallback[0] != '\0', object, why))
			config_fault(reader, 1, 1, key->name, "default: %s", why);
	}
}

int
config_parse(const char *name, const char *text, size_t len, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg)
{
	struct config_reader *reader = calloc(1, sizeof(*reader));
	struct config *fresh = calloc(1, sizeof(*fresh));
	yaml_parser_t parser;
	yaml_document_t document;
	int rc = -EINVAL;

	if (!reader || !fresh) {
		fault(arg, "out of memory");
		goto out;
	}
	reader->name = name;
	reader->config = fresh;
	set_defaults(reader);
	if (!config_check_bytes(reader, text, len) ||
	    !config_check_events(reader, text, len))
		goto tell;
	if (!yaml_parser_initialize(&parser)) {
		reader->no_memory = true;
		goto tell;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, &document)) {
		reader->document = &document;
		take_document(reader);
		yaml_document_delete(&document);
	} else {
		config_syntax_fault(reader, &parser, text, len);
	}
	yaml_parser_delete(&parser);
tell:
	if (reader->fault_count == 0 && !reader->no_memory) {
		*config = *fresh;
		fresh->ifaces = NULL;
		rc = 0;
	}
	config_faults_tell(reader, fault, arg);
out:
	if (fresh)
		config_fini(fresh);
	free(fresh);
	free(reader);
	return rc;
}

void
config_fini(struct config *config)
{
	if (!config)
		return;
	free(config->ifaces);
	config->ifaces = NULL;
	config->iface_count = 0;
}
