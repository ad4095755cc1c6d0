/* SPDX-License-Identifier: MIT */
/*
 * loop.h - one epoll loop with timers. No timerfd: epoll_wait()'s own time-out costs no system call
 * and is none when no timer runs (law 8).
 *
 * Traps that it knows: a source removed while a batch is dispatched is not called any more in that
 * batch; before timers run, all events that are ready have been dispatched (after SIGSTOP and
 * SIGCONT a deadline must not beat the answer that lies in the socket); EPOLL_CTL_DEL comes before
 * close. EINTR, and epoll_wait failing for want of memory: waits a little and tries again.
 */
#ifndef BROOD_LOOP_H
#define BROOD_LOOP_H

#include "../base/heap.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct source;
struct timer;
typedef void source_fn(struct loop *loop, struct source *source, uint32_t events);
typedef void timer_fn(struct loop *loop, struct timer *timer, uint64_t now);

struct source {
	int fd;
	uint32_t events;
	source_fn *on;
}; /* embedded in its owner */
struct timer {
	struct heap_node node;
	timer_fn *on;
}; /* node.key is the time */

#define LOOP_BATCH 64
#include <sys/epoll.h>
struct loop {
	int epoll_fd;
	struct heap timers;
	bool stop;
	int batch_count;
	struct epoll_event batch[LOOP_BATCH];
	uint64_t now;
	/* before each sleep: what follows from the events and timers just handled; or NULL */
	void (*settle)(struct loop *loop);
};

/* room for that many timers: timer_set() cannot fail below it */
int loop_init(struct loop *loop, size_t timers);
/* the epoll fd and the memory; sources stay their owners' */
void loop_close(struct loop *loop);
int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events, source_fn *on);
/* no system call when nothing changes */
int loop_modify(struct loop *loop, struct source *source, uint32_t events);
/* fine when it is in none (fd -1); sets source->fd to -1, does not close */
void loop_remove(struct loop *loop, struct source *source);
static inline void source_init(struct source *s)
{
	s->fd = -1;
	s->events = 0;
	s->on = 0;
}
static inline void timer_init(struct timer *t, timer_fn *on)
{
	t->node.key = 0;
	t->node.index = 0;
	t->on = on;
}
void timer_set(struct loop *loop, struct timer *timer, uint64_t when); /* TIME_NEVER stops it */
static inline bool timer_running(const struct timer *t) { return t->node.index != 0; }
void timer_stop(struct loop *loop, struct timer *timer);
/* until loop->stop; 0 or -errno */
int loop_run(struct loop *loop);

#endif
