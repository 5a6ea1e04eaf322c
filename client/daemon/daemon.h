/* Asking the daemon, and showing what it says interface by interface. */
#ifndef WEIR_CLIENT_DAEMON_DAEMON_H
#define WEIR_CLIENT_DAEMON_DAEMON_H

#include "client/client.h"
#include "proto/ask.h"

/* One request about the operands' interfaces (all when there are none), one answer that
 * went well. EXIT_DONE and an answer that the caller gives back with answer_fini(); or
 * another exit code after the fault has been told on stderr. `default_ms` is how long to
 * wait when --timeout does not say; with `quiet` a daemon that cannot be reached is not
 * told (it was before). */
int daemon_ask(const struct client *client, enum msg_type type, int default_ms,
    bool quiet, struct answer *answer);

/* The same with a request of the caller's, begun with pack_request() and filled; it is
 * finished here and stays the caller's. Faults of a configuration that the daemon finds
 * are told line by line before the sentence. */
int daemon_send(const struct client *client, struct pack *request, enum msg_type type,
    int default_ms, bool quiet, struct answer *answer);

/* The operands as the interfaces that a request is about; none: no key, which means all. */
void daemon_pack_ifaces(struct pack *request, const struct client *client);

/* Writes the rows of one interface of an answer (`out` is NULL where the whole answer is
 * written as it is) and tells in *good whether it went well there. 0, or -EPROTO. */
typedef int daemon_row(const struct client *client, struct output *out,
    const msgpack_object_kv *iface, bool *good);

/* What is to be said below the rows, of the answer's other keys. */
typedef void daemon_notes(
    const struct client *client, struct output *out, const msgpack_object *body);

struct daemon_display {
	const struct column *columns;
	size_t column_count;
	daemon_row *row;
	daemon_notes *notes; /* or NULL; not called where the whole answer is written */
	int none; /* the exit code when it went well nowhere */
};

/* Shows an answer with "ifaces", interface by interface. An exit code:
 * EXIT_DONE when it went well everywhere, EXIT_INCOMPLETE when only at some, display->none
 * when nowhere, EXIT_FAILED (told on stderr) when it does not have its form. */
int daemon_show(const struct client *client, const msgpack_object *body,
    const struct daemon_display *display);

#define DAEMON_KEY_MAX 64

/* The key of an entry in one of the answer's maps, e.g. an interface's name, as it
 * is shown (text_escape_name). 0, or -EPROTO when it is no text, empty, does not fit or
 * has a NUL in it. */
int daemon_key(const msgpack_object *key, char *out, size_t size);

#endif
