/* SPDX-License-Identifier: MIT */
/*
 * fake.h - a supervisor of a few lines, for tests of one worker: every message and every swap of
 * the slot page word is the test's own, so that moments can be made which the real supervisor meets
 * once in a million jobs. Called in the body of a case. Every wait is bounded and CHECKed.
 */
#ifndef BROOD_TESTS_FAKE_H
#define BROOD_TESTS_FAKE_H

#include "../../src/os/proc.h"
#include "../../src/os/process.h"
#include "../../src/wire/frame.h"
#include "../../src/worker/main.h"
#include "../../src/worker/worker.h"
#include "case.h"

struct fake {
	struct brood_options options; /* change them before fake_start() */
	struct worker_config config;
	struct shared shared;
	int channel, pidfd;
	pid_t pid;
	uint64_t sequence, id; /* of the job given last */
	/* its socket: our end; the copy of the worker's end that a supervisor keeps */
	int peer, kept;
	/* Of the job that fake_run() gives next; then again nothing special. */
	uint64_t request_size;
	uint32_t plugin_size; /* of its argument, the last bytes */
	int extra[BROOD_JOB_FDS_MAX];
	size_t extra_count;
};

void fake_init(struct fake *f);  /* defaults */
void fake_birth(struct fake *f); /* starts it, and returns at once */
void fake_start(struct fake *f); /* and waits for READY */
/* the next message, which must be of this type */
void fake_hear(struct fake *f, struct frame *frame, enum message_type type);
bool fake_silent(struct fake *f, int ms); /* nothing to be heard, for so long */

void fake_assign(struct fake *f); /* a fresh sequence, ASSIGNED, and a fresh socket */
/* RUN, for what was assigned */
void fake_run(struct fake *f, brood_fn *fn, const void *arg, size_t size);
/* FINISHED of that job; forgets its sockets */
struct message_finished fake_finished(struct fake *f);
void fake_forget(struct fake *f); /* those sockets, when FINISHED was heard otherwise */
/* all of it; no argument, nothing sent */
struct message_finished fake_job(struct fake *f, brood_fn *fn);
uint64_t fake_word(struct fake *f);
void fake_soft(struct fake *f, uint64_t sequence);
/* waits for its end, and reaps */
struct process_exit fake_exit(struct fake *f);
int fake_exit_code(struct fake *f); /* the same; -1: by a signal */
void fake_end(struct fake *f);      /* END; it must exit with 0, no children left of ours */
/* from the job's socket until EOF */
size_t fake_read(struct fake *f, void *data, size_t size);

#endif
