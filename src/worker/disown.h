/* SPDX-License-Identifier: MIT */
/* disown.h - keeps a worker from destructing what main() made. */
#ifndef BROOD_WORKER_DISOWN_H
#define BROOD_WORKER_DISOWN_H

/* Destructors that main()'s thread has registered do not run here. */
void disown_thread_locals(void);

#endif
