/* A listener of nng 1.5.2 can fall silent: when a peer hangs up between connect() and
 * the greeting, sending the greeting fails with EPIPE, which nng turns into NNG_ECLOSED,
 * which the listener takes for its own end. Later peers connect and are greeted, but
 * none ever becomes a pipe. A client that is killed at the wrong moment is enough.
 *
 * So whoever listens for years looks now and then whether connections failed, and when
 * they did, closes the listener and listens again on the same socket and path. */
#ifndef WEIR_PROTO_LISTENER_H
#define WEIR_PROTO_LISTENER_H

#include <nng/nng.h>
#include <stdint.h>

/* How many connections ended before they became pipes since the listener was made.
 * Most are harmless; when the number has not grown the listener is well. 0 or negative
 * errno. A pipe that is just ending may be counted for a moment: look twice. Takes a
 * snapshot of all of nng's statistics: a few times a second at most. */
int listener_failures(nng_listener listener, uint64_t *out);

#endif
