/* SPDX-License-Identifier: MIT */
/*
 * peer.h - --peer: the same load on what a program could take in place of a pool of this library.
 * Each peer is a way to give jobs, like those of --call. The engine runs it without brood_start().
 * So the judge, the table and the JSON are the same.
 *
 *   fork         drive_fork.c    a fork() for each job
 *   posix_spawn  drive_fork.c, peer_spawn.c   a program for each job: brood-load, as a child
 *   control      peer_control.c  workers that were forked before, on one shared socket
 *   fpm:SOCKET   peer_fpm.c      a FastCGI server, say php-fpm, on a Unix socket
 */
#ifndef BROOD_LOAD_PEER_H
#define BROOD_LOAD_PEER_H

#include "load.h"

/* Before the threads. 0; or -1, and then the run has broken off. */
int peer_begin(struct engine *e);
void peer_end(struct engine *e);

/* The part of a verdict that all peers have; the outcome is still open. */
void peer_verdict(const struct load_job *job, pid_t pid, struct brood_verdict *ret);

/* posix_spawn: the argument that makes brood-load a child with one job. */
#define PEER_CHILD "--peer-child"
int peer_spawn_main(int argc, char **argv); /* returns the exit code */
/* Starts a child whose standard input and output are `fd`. 0 or -errno. */
int peer_spawn_start(const struct load_job *job, int fd, pid_t *ret_pid);

int peer_control_begin(struct engine *e);
void peer_control_end(void);
void *peer_control(void *driver);

int peer_fpm_begin(struct engine *e);
void peer_fpm_end(void);
void *peer_fpm(void *driver);

#endif
