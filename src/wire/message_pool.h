/* SPDX-License-Identifier: MIT */
/* message_pool.h - messages about all of a pool, and lines for the log: see message.h. */
#ifndef BROOD_WIRE_MESSAGE_POOL_H
#define BROOD_WIRE_MESSAGE_POOL_H

#include <brood.h>

/* drained_ms: how much of the drain time the engine's queues have used up. */
struct message_stop {
	uint32_t drained_ms, pad;
};
/*
 * What the program says to the service manager, followed by arg_size bytes of text without a NUL:
 * STATUS its words, FIELDS lines of KEY=VALUE. BARRIER has an fd.
 */
enum { NOTIFY_READY = 1, NOTIFY_STATUS, NOTIFY_FIELDS, NOTIFY_BARRIER };
struct message_notify {
	uint32_t kind, arg_size;
};
/* fds: a memfd (if data_size > 0), then fds_count more. */
struct message_init_data {
	uint64_t data_size;
	uint32_t version, fds_count;
	uint32_t pool, pad;
};
/* New bounds for a pool's number of workers. */
struct message_resize {
	uint32_t pool, min, max, pad;
};
/* fds: the file to keep under that name; none: the name is forgotten. */
struct message_keep {
	char name[BROOD_KEPT_NAME_MAX];
};
/*
 * SOCKET: a carried job has a socket from now on, whose other end comes along. No fd: the end was
 * lost on its way to the supervisor, and the reply with it.
 */
struct message_socket {
	uint64_t id, sequence;
};
union message_asked {
	struct message_resize resize;
	struct message_keep keep;
	struct message_socket socket;
};
/*
 * POOL_READY, POOL_DEGRADED: about this pool. STOPPED: about all pools. left: how many processes
 * live on, as far as known.
 */
struct message_pool {
	uint32_t ready, workers, left, pool;
};
/*
 * EXITING (no fields): the program is in exit(), and nobody hears log lines any more. DRAINING (no
 * fields): the engine takes no jobs any more, and lets those that wait in its queues be done; STOP
 * comes later. DROPPED: which jobs the program's end or the stop has dropped.
 */
struct message_dropped {
	uint64_t count, first;
	char name[BROOD_NAME_MAX]; /* function and tag of the first job */
	char tag[BROOD_TAG_MAX];
};
/* Writes the log line about dropped jobs. Returns as snprintf(). */
int message_dropped_text(const struct message_dropped *m, char *text, size_t size);
/*
 * Makes one line of a job's text: no newline at its end, none within, no other control characters.
 * Otherwise a job could write lines of its own into somebody's log.
 */
void message_one_line(char *text);
/*
 * pool: its number plus 1; 0: the line is about no pool. error: an errno that the line is about, or
 * 0. function, tag: the job's, or "". text: sent up to its NUL.
 */
struct message_log {
	uint32_t level, event;
	int32_t pid;
	uint32_t slot;
	uint64_t job;
	uint32_t pool, error;
	char function[BROOD_NAME_MAX];
	char tag[BROOD_TAG_MAX];
	char text[512];
};
/*
 * RELOAD, RELOADED. id: given by the engine, each larger than the one before. pool: its number.
 * result: of RELOADED, 0 or -EHOSTDOWN. There is no RELOADED for a reload that was superseded.
 */
#define MESSAGE_ALL_POOLS UINT32_MAX
struct message_reload {
	uint64_t id;
	uint32_t pool;
	int32_t result;
};

#endif
