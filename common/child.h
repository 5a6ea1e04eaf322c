/* What the supervisor and its children agree on beside the messages: descriptors, exit
 * codes, command lines.
 *
 *	weir-worker --socket PATH --user UID:GID IFACE
 *	weir-worker --read [--books] [--flows N]         (file mode)
 *	weir-worker --check [--user UID:GID] IFACE       (opens the capture, says how it went)
 *	weir-store  --socket PATH --user UID:GID --keep-ms N --keep-bytes N [--log-flows]
 */
#ifndef WEIR_COMMON_CHILD_H
#define WEIR_COMMON_CHILD_H

/* Descriptors a child finds when it starts; everything else is closed. */
#define CHILD_FD_START 3 /* read end: the first message, framed (proto/frame.h) */
#define CHILD_FD_DATA 4 /* worker: record file; store: its directory */
#define CHILD_FD_ERRORS 5 /* worker: error capture file; may be absent */
#define CHILD_FD_INPUT 6 /* worker in file mode: the capture file */
#define CHILD_FD_OUTPUT 7 /* worker in file mode and --check: where its frames go */

/* The lifelines, at the highest descriptors: the kernel closes descriptors in order
 * of number, and the end of this one must not wait for packet sockets to close. */
#define CHILD_FD_ALIVE 200 /* write end, held by the child: its end tells its death */
#define CHILD_FD_PARENT 201 /* read end: its end tells that the supervisor is gone */

/* Exit codes of children beside 0 (the supervisor closed the pipe) and 2 (usage). */
#define CHILD_EXIT_FAILED 1 /* something that a restart may mend; stderr says what */
#define CHILD_EXIT_RECORDS 3 /* worker: the record file is damaged or not ours */
#define CHILD_EXIT_NO_ROOM 5 /* worker: no memory for the record file */
#define CHILD_EXIT_PRIVILEGE 4 /* could not become what it must be */

#endif
