/* SPDX-License-Identifier: MIT */
/*
 * loop.h - an epoll loop with timers. There is no timerfd: epoll_wait()'s own time-out costs no
 * system call. Without a timer there is no time-out, so an idle process does not wake up (law 8).
 *
 * The loop takes care of four traps. A source that is removed while a batch is dispatched is not
 * called any more in this batch. Timers run when an epoll_wait() has found no event (or after 16
 * that all found some): after SIGSTOP and SIGCONT, a deadline must not win against an answer that
 * lies in the socket. EPOLL_CTL_DEL comes before close(). When epoll_wait() fails for want of
 * memory, the loop waits a little and tries again.
 */
#ifndef BROOD_LOOP_H
#define BROOD_LOOP_H

#include "../base/base.h"
#include "../base/heap.h"
#include <stdlib.h>
#include <sys/epoll.h>

struct loop;
struct source;
struct timer;
typedef void source_fn(struct source *source, uint32_t events);
typedef void timer_fn(struct timer *timer, uint64_t now);

struct source {
	int fd;
	uint32_t events;
	source_fn *on;
}; /* a member of the struct that the fd belongs to: container_of() leads there */
struct timer {
	struct heap_node node; /* node.key: when the timer fires */
	timer_fn *on;
};

#define LOOP_BATCH 64
struct loop {
	int epoll_fd;
	struct heap timers;
	bool stop;
	int batch_count;
	struct epoll_event batch[LOOP_BATCH];
	uint64_t now;
	/* Called before each wait for events, and again before timers run; NULL: not used. */
	void (*settle)(struct loop *loop);
};

/*
 * timers: how many can run at once without more memory. Beyond that, timer_set() asks for memory,
 * and aborts if there is none.
 */
int loop_init(struct loop *loop, size_t timers);
/* Closes the epoll fd and frees the memory. The sources still belong to their owners. */
void loop_close(struct loop *loop);
int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events, source_fn *on);
/*
 * Waits for other events on the source's fd. Makes no system call if they are the events of before.
 */
int loop_modify(struct loop *loop, struct source *source, uint32_t events);
/*
 * Takes the source out of the loop and sets source->fd to -1. The caller closes the fd. A source
 * that is not in the loop (fd -1) is allowed.
 */
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
static inline bool timer_running(const struct timer *t) { return t->node.index != 0; }
static inline void timer_stop(struct loop *loop, struct timer *timer)
{
	heap_remove(&loop->timers, &timer->node);
}
/* Sets the timer. TIME_NEVER stops it. */
static inline void timer_set(struct loop *loop, struct timer *timer, uint64_t when)
{
	if (when == TIME_NEVER)
		timer_stop(loop, timer);
	else if (heap_insert(&loop->timers, &timer->node, when) < 0)
		/*
		 * More timers run than loop_init() made room for, and there is no memory: a bug of
		 * the library.
		 */
		abort();
}
/* Runs until loop->stop is set. Returns 0 or -errno. */
int loop_run(struct loop *loop);

#endif
