/* SPDX-License-Identifier: MIT */
/* monitor.h - what the engine's main thread does under load. */
#ifndef BROOD_LOAD_MONITOR_H
#define BROOD_LOAD_MONITOR_H

struct engine;
struct monitor;
struct monitor *monitor_new(struct engine *e); /* NULL: no memory */
void monitor_free(struct monitor *m);
/* Returns when all threads that give jobs are through. The pool gets its first size again. */
void monitor_run(struct monitor *m);
/* After the load: waits for the reload that goes on, within a bound. */
void monitor_end(struct monitor *m);
void monitor_look_at_stats(struct engine *e);

#endif
