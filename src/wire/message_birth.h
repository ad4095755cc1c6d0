/* SPDX-License-Identifier: MIT */
/* message_birth.h - messages about a worker's birth: see message.h. */
#ifndef BROOD_WIRE_MESSAGE_BIRTH_H
#define BROOD_WIRE_MESSAGE_BIRTH_H

#include <stdint.h>

/*
 * SPAWN: what a worker is told at its birth, beside struct birth (birth.h). fds: the cgroup to be
 * born in (if leaf is 1), its stderr (if stderr_pipe is 1), the worker's end of its channel, a
 * memfd (if init_data_size > 0), then init_fds_count more. retire_jobs: after so many jobs the
 * worker is worn; 0: never.
 */
struct message_spawn {
	uint64_t init_data_size, retire_jobs;
	uint32_t pool, slot, generation;
	uint32_t mark; /* so that a sweep knows whose a process is: os/mark.h */
	uint32_t core; /* the worker may make core files now */
	uint32_t init_version, init_fds_count, leaf;
	uint32_t stderr_pipe, pad;
};
/* The cgroup in which the worker is to be born; -1: its maker's. fds: those of the message. */
static inline int message_spawn_leaf(const struct message_spawn *m, const int *fds)
{
	return m->leaf ? fds[0] : -1;
}
/* The pipe that is to be the worker's stderr; -1: it keeps its maker's. */
static inline int message_spawn_stderr(const struct message_spawn *m, const int *fds)
{
	return m->stderr_pipe ? fds[m->leaf] : -1;
}
/* BORN: the answer to SPAWN. result: the worker's pid, or -errno: there is no worker. */
struct message_born {
	uint32_t slot, generation;
	int32_t result;
	uint32_t pad;
};
/* READY. blind: enum self_blind, which things that jobs leave behind the worker cannot see. */
struct message_ready {
	int32_t pid;
	uint32_t generation, blind, pad;
};
union message_birth {
	struct message_spawn spawn;
	struct message_born born;
	struct message_ready ready;
};

#endif
