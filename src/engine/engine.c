/* SPDX-License-Identifier: MIT */
/*
 * engine.c - the engine's life: made before the fork (all that may fail), adopted in the child,
 * stopped once.
 *
 * Who owns what. struct brood lives until the process ends: handles point into it, and other
 * threads may be on their way out of a call when brood_stop() returns. The sockets belong to the
 * front door's start; the epoll fd behind brood_fd(), the two eventfd-like fds in it, the records
 * and the waiters belong to this folder. One mutex guards everything; nothing blocks under it.
 *
 * What is not here: handle.c (one job, seen by its owner), job.c (giving), call.c, records.c (one
 * verdict a job), wait.c (threads that block), channel.c (what the supervisor says), out.c (what it
 * is told).
 */
#include "internal.h"

#include "../os/process.h"
#include "../os/shm.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#define STATUS_MAX 200 /* bytes of a status for systemd */

static uint32_t load32(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}
static uint64_t load64(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static int watch(struct brood *b, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int make_fds(struct brood *b)
{
	int r;

	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	b->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	b->lanes_fd = epoll_create1(EPOLL_CLOEXEC);
	b->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->lanes_fd < 0 || b->over_fd < 0)
		return -errno;
	if (b->epoll_fd < 0 || b->news_fd < 0 || b->timer_fd < 0)
		return -errno;
	if ((r = watch(b, b->channel_fd)) < 0 || (r = watch(b, b->news_fd)) < 0 ||
		(r = watch(b, b->timer_fd)) < 0)
		return r;
	/* Without a callback nobody reads log lines, and the supervisor sends none. */
	return b->options.log ? watch(b, b->log_fd) : 0;
}

static int make_memory(struct brood *b)
{
	void *page = mmap(
		NULL, shm_page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct waiter *first;

	if (page == MAP_FAILED)
		return -ENOMEM;
	b->alive = page;
	b->records = calloc(b->records_count, sizeof *b->records);
	b->taken = calloc((b->records_count + 63) / 64, sizeof *b->taken);
	first = waiter_new();
	if (first)
		list_append(&first->link, &b->spare);
	b->ledgers = calloc(b->shared.ledgers_count, sizeof *b->ledgers);
	return b->records && b->taken && b->ledgers && first ? 0 : -ENOMEM;
}

int engine_prepare(const struct engine_config *config, struct brood **ret_brood)
{
	struct brood *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return -ENOMEM;
	b->options = *config->options;
	b->shared = *config->shared;
	b->supervisor_pid = config->supervisor_pid;
	b->submit_queue_ms = config->submit_queue_ms;
	b->channel_fd = config->channel_fd;
	b->log_fd = config->log_fd;
	b->records_count = config->records;
	b->epoll_fd = b->news_fd = b->timer_fd = b->lanes_fd = b->over_fd = -1;
	b->dispatcher.efd = -1;
	b->log_ended = !config->options->log;
	list_init(&b->dispatcher.link);
	list_init(&b->calls);
	list_init(&b->out);
	list_init(&b->followers);
	list_init(&b->spare);
	list_init(&b->lanes);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->lanes_lock, NULL);
	pthread_mutex_init(&b->own_lock, NULL);
	r = identity_get(b->channel_fd, &b->channel);
	if (r >= 0)
		r = make_memory(b);
	if (r >= 0)
		r = make_fds(b);
	if (r < 0) {
		engine_free(b);
		return r;
	}
	*ret_brood = b;
	return 0;
}

/* For a start that failed: an engine that ran is never freed. */
struct brood *engine_free(struct brood *b)
{
	if (!b)
		return NULL;
	list_for_each_safe(link, tmp, &b->spare)
		waiter_free(container_of(link, struct waiter, link));
	if (b->alive)
		munmap(b->alive, shm_page());
	close_fd(b->epoll_fd);
	close_fd(b->news_fd);
	close_fd(b->timer_fd);
	close_fd(b->lanes_fd);
	close_fd(b->over_fd);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->lanes_lock);
	pthread_mutex_destroy(&b->own_lock);
	free(b->records);
	free(b->taken);
	free(b->ledgers);
	free(b);
	return NULL;
}

int engine_adopt(struct brood *b)
{
	int r = process_set_pdeathsig(SIGKILL, b->supervisor_pid);

	if (r < 0)
		return r;
	/* a kernel without it: the front door's own mark is asked too */
	shm_wipe_on_fork(b->alive, shm_page());
	atomic_store(b->alive, ENGINE_ALIVE);
	return 0;
}

int engine_rearm(struct brood *b)
{
	int r = process_set_pdeathsig(SIGKILL, b->supervisor_pid);

	return r < 0 ? engine_fail(r,
			       "brood_rearm: the supervisor is gone: nothing would end this "
			       "process with it any more")
		     : 0;
}

/* ---- ready ---- */

/* Told by a message, so that a waiter wakes; whether it still holds, the board says. */
static bool is_degraded(const struct brood *b)
{
	return b->degraded && load32(&b->shared.board->degraded);
}

static bool ready_done(const struct wait *wait)
{
	const struct brood *b = wait->brood;

	return b->ready || is_degraded(b) || b->lost || b->state != ENGINE_RUNNING;
}

int engine_wait_ready(struct brood *b, uint32_t timeout_ms)
{
	VISIT(visit);
	struct wait wait = {
		.brood = b, .done = ready_done, .until = time_after_ms(now_ns(), timeout_ms)
	};
	int r = visit_begin(&visit, b);

	if (r < 0)
		return r;
	engine_lock(b);
	channel_ours(b);
	/* what is known already may have a different answer by now */
	channel_read(b, NULL, NULL);
	r = wait_until(&wait);
	if (r < 0)
		r = engine_fail(r,
			"brood_wait_ready: the pool is not ready after %u ms: is worker_init slow? "
			"init_ms bounds it",
			timeout_ms);
	else if (b->state != ENGINE_RUNNING)
		r = engine_fail_stopped();
	else if (b->lost)
		r = engine_fail_gone();
	else if (!b->ready)
		r = engine_fail(-EHOSTDOWN,
			"brood_wait_ready: the pool is degraded, its workers die at birth: the log "
			"says how. It tries again by itself");
	engine_unlock(b);
	return r;
}

/* ---- init data ---- */

static int init_data_check(const void *data, size_t size, const int *fds, size_t fds_count)
{
	if (size > (size_t)1 << 30)
		return engine_fail(-E2BIG,
			"brood_set_init_data: %zu bytes are more than 1 GiB: pass an fd of a file "
			"instead",
			size);
	if (fds_count > BROOD_INIT_FDS_MAX)
		return engine_fail(-E2BIG, "brood_set_init_data: %zu fds are more than %d",
			fds_count, BROOD_INIT_FDS_MAX);
	if ((size && !data) || (fds_count && !fds))
		return engine_fail(
			-EINVAL, "brood_set_init_data: a size is not 0 but its pointer is NULL");
	return 0;
}

/* A version that waits for room is not worth sending any more once there is a newer one. */
static int init_data_send(struct brood *b, struct frame *f)
{
	int r;

	if (b->state != ENGINE_RUNNING)
		return engine_fail_stopped();
	f->init_data.version = b->init_version + 1;
	r = out_send(b, f, 0, 0);
	if (r < 0)
		return out_failed(b, r, "sending init data to the supervisor");
	if (r == 1) {
		out_drop_older(b);
		out_patience(b);
	}
	return (int)++b->init_version;
}

int engine_set_init_data(
	struct brood *b, const void *data, size_t size, const int *fds, size_t fds_count)
{
	VISIT(visit);
	_cleanup_close_ int memfd = -1;
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	struct frame f;
	int r = visit_begin(&visit, b);

	if (r < 0 || (r = init_data_check(data, size, fds, fds_count)) < 0)
		return r;
	frame_begin(&f, MESSAGE_INIT_DATA);
	f.init_data.data_size = size;
	f.init_data.fds_count = (uint32_t)fds_count;
	if (size) {
		memfd = shm_memfd("brood-init-data", data, size, &seals);
		if (memfd < 0)
			return engine_fail_system(
				memfd, "brood_set_init_data: memory for the data");
		f.fds[f.fds_count++] = memfd;
	}
	for (size_t i = 0; i < fds_count; i++)
		f.fds[f.fds_count++] = fds[i];
	engine_lock(b);
	r = init_data_send(b, &f);
	engine_unlock(b);
	return r;
}

/* ---- what the service manager shall be told ---- */

static void notify_frame(struct frame *f, uint32_t kind, const char *text)
{
	struct message_notify *m = &frame_begin(f, MESSAGE_NOTIFY)->notify;

	m->kind = kind;
	for (size_t i = 0; text && text[i] && i < STATUS_MAX; i++)
		/* a newline would begin another assignment */
		m->text[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
}

static int notify_send(struct brood *b, struct frame *f)
{
	bool ready = f->notify.kind == NOTIFY_READY;
	int r;

	if (b->state != ENGINE_RUNNING)
		return engine_fail_stopped();
	if (ready && b->ready_said)
		return 0;
	r = out_send(b, f, 0, 0);
	if (r < 0)
		return out_failed(b, r, "telling the supervisor");
	b->ready_said |= ready;
	if (r == 1) {
		out_drop_older(b);
		out_patience(b);
	}
	return 0;
}

int engine_notify(struct brood *b, uint32_t kind, const char *text)
{
	VISIT(visit);
	struct frame f;
	int r = visit_begin(&visit, b);

	if (r < 0)
		return r;
	notify_frame(&f, kind, text);
	engine_lock(b);
	r = notify_send(b, &f);
	engine_unlock(b);
	return r;
}

/* ---- counters ---- */

static uint32_t ms_until(uint64_t when)
{
	uint64_t now = now_ns();

	return when > now ? (uint32_t)MIN((when - now) / NS_PER_MS, (uint64_t)UINT32_MAX) : 0;
}

static void stats_of_board(const struct board *board, struct brood_stats *s)
{
	s->ready = load32(&board->ready);
	s->idle = load32(&board->idle);
	s->busy = load32(&board->busy);
	s->starting = load32(&board->starting);
	s->queued = load32(&board->queued);
	s->queued_peak = load32(&board->queued_peak);
	s->degraded = load32(&board->degraded);
	s->next_spawn_ms = ms_until(load64(&board->next_spawn_ns));
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		s->verdicts[i] = load64(&board->verdicts[i]);
	s->redispatched = load64(&board->redispatched);
	s->retried = load64(&board->retried);
	s->spawned = load64(&board->spawned);
	s->died = load64(&board->died);
	s->killed = load64(&board->killed);
	s->retired = load64(&board->retired);
	s->spawn_failures = load64(&board->spawn_failures);
	s->strays_killed = load64(&board->strays_killed);
	s->guard_deaths = load64(&board->guard_deaths);
	s->logs_dropped = load64(&board->logs_dropped);
	s->leased = load32(&board->leased);
	s->undead = load32(&board->undead);
	s->undead_ever = load64(&board->undead_ever);
	s->leases = load64(&board->leases);
	s->leases_revoked = load64(&board->leases_revoked);
}

int engine_stats(struct brood *b, struct brood_stats *ret)
{
	VISIT(visit);
	struct brood_stats s = { .size = sizeof s, .workers = b->options.workers };
	int r = visit_begin(&visit, b);

	if (r < 0)
		return r;
	if (!ret)
		return engine_fail(-EINVAL, "brood_stats: ret_stats is NULL");
	stats_of_board(b->shared.board, &s);
	engine_lock(b);
	s.submitted = b->submitted;
	s.dropped = b->dropped;
	s.stop_dropped = atomic_load(&b->drops.count);
	/* A retried attempt had a verdict of its own, which nobody but the library saw. */
	s.retried += b->retried;
	s.verdicts[BROOD_CRASHED] -= MIN(b->retried, s.verdicts[BROOD_CRASHED]);
	s.verdicts[BROOD_REFUSED] += b->refused;
	s.verdicts[BROOD_LOST] += b->lost_jobs;
	engine_unlock(b);
	direct_stats(b, &s);
	*ret = s;
	return 0;
}
