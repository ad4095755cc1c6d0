/* SPDX-License-Identifier: MIT */
/*
 * fake.h - a fake supervisor for tests of one worker. The test itself sends each message and makes
 * each swap of the slot page's word. So a test can make moments that the real supervisor meets once
 * in a million jobs. Call these functions in the body of a case. Every wait is bounded and CHECKed.
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
	uint64_t sequence, id; /* of the last job */
	/* the job's socket: our end; and the copy of the worker's end, which a supervisor keeps */
	int peer, kept;
	/* For the next job that fake_run() gives. fake_run() resets them. */
	uint64_t request_size;
	uint32_t plugin_size; /* the last bytes of the job's argument */
	int extra[BROOD_JOB_FDS_MAX];
	size_t extra_count;
};

void fake_init(struct fake *f);  /* sets the defaults */
void fake_birth(struct fake *f); /* starts the worker, and returns at once */
void fake_start(struct fake *f); /* the same, and waits for READY */
/* receives the next message, which must be of this type */
void fake_hear(struct fake *f, struct frame *frame, enum message_type type);
bool fake_silent(struct fake *f, int ms); /* true if no message comes for so long */

void fake_assign(struct fake *f); /* stores a new sequence with ASSIGNED, and makes a new socket */
/* sends RUN for what fake_assign() has assigned */
void fake_run(struct fake *f, brood_fn *fn, const void *arg, size_t size);
/* receives FINISHED of this job and closes the job's sockets */
struct message_finished fake_finished(struct fake *f);
/* closes these sockets, if the caller has received FINISHED itself */
void fake_forget(struct fake *f);
/* does all of this for a job without argument and request */
struct message_finished fake_job(struct fake *f, brood_fn *fn);
uint64_t fake_word(struct fake *f);
void fake_soft(struct fake *f, uint64_t sequence);
/* waits for the worker's end, and reaps */
struct process_exit fake_exit(struct fake *f);
/* the same; returns the exit code, or -1: it died by a signal */
int fake_exit_code(struct fake *f);
void fake_end(struct fake *f); /* sends END; the worker must exit with 0 and leave no child */
/* reads from the job's socket until EOF */
size_t fake_read(struct fake *f, void *data, size_t size);

#endif
