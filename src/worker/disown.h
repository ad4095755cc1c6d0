/* SPDX-License-Identifier: MIT */
/* disown.h - keeps a worker from destructing what main() made. */
#ifndef BROOD_WORKER_DISOWN_H
#define BROOD_WORKER_DISOWN_H

/*
 * Called in a new worker: drops the destructors of thread_local objects that main()'s thread has
 * registered, so that a job's exit() does not run them.
 */
void disown_thread_locals(void);

#endif
