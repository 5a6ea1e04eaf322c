/* What the commands_*.c share: how a request gets to the capture thread, and the
 * sequence numbers of those that change something. */
#ifndef WEIR_WORKER_COMMANDS_PRIVATE_H
#define WEIR_WORKER_COMMANDS_PRIVATE_H

#include "proto/parts.h"
#include "worker/commands.h"

/* One request on its way to the capture thread. */
struct command_job {
	struct commands *commands;
	const struct msg *request;
	struct pack *answer;
};

/* Has `run` called on the capture thread with a struct command_job made of these, and
 * waits for its end. `ctx` is the struct commands of the handlers. */
void commands_run(
    void *ctx, const struct msg *request, struct pack *answer, void (*run)(void *arg));

/* The answer to a request whose `key` is missing or wrong. */
void commands_refuse_key(struct command_job *job, const char *key);

enum command_turn_kind {
	TURN_NEW, /* carry it out */
	TURN_AGAIN, /* answer as before */
	TURN_REFUSED /* the answer is made */
};

struct command_turn {
	enum command_turn_kind kind;
	uint64_t seq;
	uint32_t result; /* TURN_AGAIN: what was kept with the answer */
};

/* Judges the request's "seq". On the capture thread, as the next one. */
struct command_turn commands_take_turn(struct command_job *job);
void commands_carried_out(struct command_job *job, uint64_t seq, uint32_t result);

/* "witness", a part of more than one answer. */
void commands_pack_witness(struct pack *pack, const struct capture_witness *witness);

/* commands_status.c */
void commands_handle_status(void *ctx, const struct msg *request, struct pack *answer);
void commands_handle_errors(void *ctx, const struct msg *request, struct pack *answer);

/* commands_capture.c */
void commands_handle_update(void *ctx, const struct msg *request, struct pack *answer);
void commands_handle_disable(void *ctx, const struct msg *request, struct pack *answer);

/* commands_rotation.c */
void commands_handle_rotate(void *ctx, const struct msg *request, struct pack *answer);
void commands_handle_fetch(void *ctx, const struct msg *request, struct pack *answer);
void commands_handle_release(void *ctx, const struct msg *request, struct pack *answer);

/* commands_flows.c */
void commands_handle_flows(void *ctx, const struct msg *request, struct pack *answer);

#endif
