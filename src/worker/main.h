/* SPDX-License-Identifier: MIT */
/*
 * main.h - the process in which jobs run. worker_main() is called in the new child, on the stack
 * of the spawner (or of the supervisor, which is the parent in any case), and never returns. It
 *   1. sets PDEATHSIG and checks the parent, leaves its maker's group, writes its roster entry,
 *      drops roster, stats page and the other slots' pages, becomes a subreaper (so that what a
 *      job's child leaves behind is found);
 *   2. closes all fds but 0-2, channel, keep-list, init fds; stdin from /dev/null; signals, stdio,
 *      exit hook, title, oom mark, core limit;
 *   3. begins a frame at which unwinding ends (job_stack.c), runs worker_init, remembers cwd,
 *      umask, fds, dispositions; says READY;
 *   4. blocks in one recvmsg until RUN, GRANT or END. RUN: runs the job inside its frame
 *      (run.c), puts right what it left (hygiene.c), says FINISHED. GRANT: does that for what
 *      it finds in a ring (serve.c) until it is told to RECALL, and says LEFT.
 */
#ifndef BROOD_WORKER_MAIN_H
#define BROOD_WORKER_MAIN_H

#include "../wire/birth.h"

void worker_main(struct worker_config *config) __attribute__((noreturn));

#endif
