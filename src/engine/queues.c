/* SPDX-License-Identifier: MIT */
/*
 * queues.c - the queues of a brood: a queue's life; and all queues at once, for brood_stop(),
 * brood_stats(), brood_fd() and brood_dispatch().
 */
#include "queues.h"

#include "engine_root.h"
#include "lease_state.h"
#include "queue_jobs.h"
#include "leasing.h"
#include "ring_in.h"
#include "sleep.h"
#include "stream.h"
#include "sums.h"
#include "wishes.h"

#include "../os/shm.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#define JOBS_FIRST   64
#define JOBS_DEFAULT 4096

static int make_control(struct queue *l)
{
	const int shape = F_SEAL_SHRINK | F_SEAL_GROW, seals = F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

	l->fds.control = fds_above_standard(shm_memfd("brood-queue", NULL, shm_page(), &shape));
	if (l->fds.control < 0)
		return l->fds.control;
	l->fds.page = mmap(NULL, shm_page(), PROT_READ | PROT_WRITE, MAP_SHARED, l->fds.control, 0);
	if (l->fds.page == MAP_FAILED) {
		l->fds.page = NULL;
		return -errno;
	}
	return fcntl(l->fds.control, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

/* All queues watch the channel, but one event wakes only one sleeping queue. */
static int make_fds(struct queue *l)
{
	struct brood *b = l->brood;
	int r;

	/* The fds are never 0-2, even if the program has closed those: other code writes there. */
	l->fds.epoll = fds_above_standard(epoll_create1(EPOLL_CLOEXEC));
	l->inbox.wake_fd = fds_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	l->fds.tick = fds_above_standard(
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	if (l->fds.epoll < 0 || l->inbox.wake_fd < 0 || l->fds.tick < 0)
		return -errno;
	if ((r = queue_watch(l, l->inbox.wake_fd, EPOLLIN, QUEUE_EVENT_WAKE)) < 0 ||
		(r = queue_watch(l, l->fds.tick, EPOLLIN, QUEUE_EVENT_TICK)) < 0 ||
		(r = queue_watch(l, b->channel_fd, EPOLLIN | EPOLLEXCLUSIVE, QUEUE_EVENT_CHANNEL)) <
			0)
		return r;
	if ((r = queue_watch(l, b->over_fd, EPOLLIN, QUEUE_EVENT_OVER)) < 0 ||
		(r = queue_watch(l, b->unsent_fd, EPOLLIN | EPOLLET, QUEUE_EVENT_UNSENT)) < 0)
		return r;
	if (b->options.log &&
		(r = queue_watch(l, b->log_fd, EPOLLIN | EPOLLEXCLUSIVE, QUEUE_EVENT_LOG)) < 0)
		return r;
	return make_control(l);
}

void queues_close_fds(struct queue *l)
{
	if (!l->fds.gone) {
		close_fd(l->fds.epoll);
		close_fd(l->inbox.wake_fd);
		close_fd(l->fds.tick);
		close_fd(l->fds.control);
	}
	l->fds.epoll = l->inbox.wake_fd = l->fds.tick = l->fds.control = -1;
	l->fds.gone = true;
}

/* The memory stays for the last handle, whose thread takes the lock even after the lease's end. */
void queues_put(struct queue *l)
{
	if (atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void unmake(struct queue *l)
{
	if (l->fds.page)
		munmap(l->fds.page, shm_page());
	queues_close_fds(l);
	list_for_each_safe(link, tmp, &l->jobs.spare) {
		struct queue_job *job = container_of(link, struct queue_job, link);

		free(job->reply.buffer);
		free(job);
	}
	for (size_t i = 0; l->jobs.functions && i < FUNCTIONS_SIZE; i++)
		free(l->jobs.functions[i]);
	free(l->jobs.functions);
	free(l->leases.table);
	free(l->leases.keys);
	free(l->jobs.table);
	sums_give_back(l);
	queues_put(l);
}

static uint32_t leases_allowed(const struct brood_pool *pool, enum queue_kind kind)
{
	return kind == QUEUE_PINNED || kind == QUEUE_THREAD ? 1 : pool->options->leases;
}

static int make_memory(struct queue *l)
{
	l->leases.table_size = l->pool->options->workers + 1;
	l->leases.table = calloc(l->leases.table_size, sizeof *l->leases.table);
	l->jobs.table = calloc(JOBS_FIRST, sizeof *l->jobs.table);
	l->jobs.functions = calloc(FUNCTIONS_SIZE, sizeof *l->jobs.functions);
	l->jobs.room = JOBS_FIRST;
	return l->leases.table && l->jobs.table && l->jobs.functions ? 0 : -ENOMEM;
}

/* Done only once brood_stop() waits, since an epoll within another makes each event dearer. */
void queues_watch_for_stop(struct queue *l)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (!l->listed.watched && !l->fds.gone)
		l->listed.watched = epoll_ctl(l->brood->queues_fd, EPOLL_CTL_ADD, l->fds.epoll,
					    &event) == 0;
}

static void enlist(struct queue *l)
{
	struct brood *b = l->brood;

	pthread_mutex_lock(&b->queues.lock);
	list_append(&l->listed.link, &b->queues.list);
	if (atomic_load(&b->refusing))
		queues_watch_for_stop(l);
	pthread_mutex_unlock(&b->queues.lock);
	engine_lock(b);
	wishes_join(b, &l->inbox);
	engine_unlock(b);
}

int queues_new(struct brood_pool *pool, enum queue_kind kind, struct queue **ret)
{
	struct queue *l = NULL;
	int r;

	/* no other queue shares a cache line with it */
	if (posix_memalign((void **)&l, 64, sizeof *l) != 0)
		return -ENOMEM;
	*l = (struct queue){ .brood = pool->brood,
		.pool = pool,
		.kind = kind,
		.refs = 1,
		.fds = { .epoll = -1, .tick = -1, .control = -1 },
		.inbox.wake_fd = -1,
		.timer = { .at = TIME_NEVER, .kept_due = TIME_NEVER },
		.waiting = { .due = TIME_NEVER, .paused_due = TIME_NEVER },
		.leases.behind_due = TIME_NEVER };
	pthread_mutex_init(&l->lock, NULL);
	struct list *lists[] = { &l->listed.link, &l->jobs.spare, &l->sleep.followers,
		&l->results.list, &l->results.taken, &l->leases.list, &l->leases.idle,
		&l->leases.tell, &l->inbox.leases, &l->inbox.handles, &l->inbox.kept,
		&l->inbox.keeps, &l->inbox.log, &l->inbox.all, &l->results.talkers,
		&l->results.callbacks, &l->results.waited, &l->waiting.paused };
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		list_init(lists[i]);
	rank_init(&l->waiting.ranks);
	line_place_init(&l->inbox.place);
	l->leases.limit = leases_allowed(pool, kind);
	l->jobs.limit = kind == QUEUE_OWN || kind == QUEUE_QUEUE ? JOBS_DEFAULT : 65536;
	sums_take(l);
	r = make_memory(l);
	if (r == 0)
		r = make_fds(l);
	if (r < 0) {
		unmake(l);
		return r;
	}
	enlist(l);
	*ret = l;
	return 0;
}

static void add_stats(struct pool_counts *c, const struct queue *l)
{
	c->submitted += l->stats.submitted;
	c->budgeted -= l->stats.budgeted;
	c->dropped += l->stats.dropped;
	c->queue_redispatched += l->stats.redispatched;
	c->queue_retried += l->stats.retried;
}

/* Tells the queue's workers to leave. Nobody hears of what their jobs still do until then. */
void queues_free(struct queue *l)
{
	struct brood *b = l->brood;

	pthread_mutex_lock(&b->queues.lock);
	list_remove(&l->listed.link);
	if (l->listed.watched && !l->fds.gone)
		epoll_ctl(b->queues_fd, EPOLL_CTL_DEL, l->fds.epoll, NULL);
	pthread_mutex_unlock(&b->queues.lock);
	queue_lock(l);
	l->freed = true;
	/* a thread that has a handle may still take the lock, and must not poke */
	l->sleep.polled = false;
	list_for_each_safe(link, tmp, &l->leases.list)
		leasing_abandon(container_of(link, struct lease, link));
	for (size_t i = 0; i < l->jobs.room; i++) {
		struct queue_job *job = l->jobs.table[i];

		if (!job)
			continue;
		/* in inline mode all jobs have run: nobody took these results */
		if (job->state != JOB_CLOSED || (b->run_here && job->tell.result != RESULT_OUT))
			QUEUE_COUNT(l, job->pool, dropped, dropped);
		if (job->state == JOB_STREAMED) {
			stream_cancel(l, job);
			stream_free(l, job);
		}
		queue_jobs_free(l, job);
	}
	engine_lock(b);
	list_remove(&l->inbox.log);
	list_remove(&l->inbox.keeps);
	wishes_part(b, &l->inbox);
	inbox_leave_line(&l->inbox, &l->pool->line, false);
	add_stats(&l->pool->counts, l);
	engine_unlock(b);
	queue_unlock(l);
	unmake(l);
}

static void own_polled(struct brood_pool *pool)
{
	struct queue *l = atomic_load(&pool->own);

	if (!l)
		return;
	queue_lock(l);
	if (!l->sleep.polled) {
		l->sleep.polled = true;
		sleep_tell(l);
	}
	queue_unlock(l);
}

void queues_own_polled(struct brood *b)
{
	for (uint32_t i = 0; i < b->pools_count; i++)
		own_polled(&b->pools[i]);
}

static void fail_own(int r)
{
	if (r == -ESHUTDOWN)
		fail_stopped();
	else
		fail_system(r, "the brood's own queue");
}

struct queue *queues_own(struct brood_pool *pool)
{
	struct queue *l = atomic_load_explicit(&pool->own, memory_order_acquire);
	struct brood *b = pool->brood;
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	if (l)
		return l;
	pthread_mutex_lock(&b->common.lock);
	l = atomic_load(&pool->own);
	if (!l) {
		r = atomic_load(&b->refusing) ? -ESHUTDOWN : queues_new(pool, QUEUE_OWN, &l);
		if (r < 0) {
			pthread_mutex_unlock(&b->common.lock);
			fail_own(r);
			errno = -r;
			return NULL;
		}
		event.data.fd = l->fds.epoll;
		epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, l->fds.epoll, &event);
		/* `own` is set first, then fd_used is read; brood_fd() does the reverse */
		atomic_store(&pool->own, l);
		if (atomic_load(&b->fd_used))
			own_polled(pool);
	}
	pthread_mutex_unlock(&b->common.lock);
	return l;
}

void queues_each(struct brood *b, void (*each)(struct queue *l, void *context), void *context)
{
	pthread_mutex_lock(&b->queues.lock);
	list_for_each_safe(link, tmp, &b->queues.list) {
		struct queue *l = container_of(link, struct queue, listed.link);

		queue_lock(l);
		each(l, context);
		queue_unlock(l);
	}
	pthread_mutex_unlock(&b->queues.lock);
}

/* The log callback must not run under brood.queues.lock. brood_stop() reads the log itself. */
static void look_without_logs(struct queue *l)
{
	l->results.no_logs = true;
	/*
	 * Only this thread delivers: a standing poke would keep the stop from sleeping.
	 * queues_over() pokes again.
	 */
	l->results.delivering_next = true;
	sleep_look(l);
	l->results.delivering_next = false;
	l->results.no_logs = false;
}

static void drain(struct queue *l, void *open)
{
	size_t *count = open;

	queues_watch_for_stop(l);
	look_without_logs(l);
	ring_in_flush(l);
	/* While the stop lasts, its thread wants to be told of completions. */
	l->sleep.polled = true;
	sleep_listen_polled(l);
	*count += l->waiting.count + l->waiting.paused_count + l->leases.ringed +
		l->leases.streamed;
}

size_t queues_drain(struct brood *b)
{
	size_t open = 0;

	queues_each(b, drain, &open);
	return open;
}

static void over(struct queue *l, void *unused)
{
	(void)unused;
	/* the look sees that all is over, and gives up the jobs that are left */
	look_without_logs(l);
	if (queue_has_news(l) || l->sleep.leader)
		inbox_poke(&l->inbox);
	/*
	 * The program never frees queues of these kinds, so the library closes their fds. A queue
	 * in which a thread still sleeps keeps them: the thread is on its way out.
	 */
	if ((l->kind == QUEUE_OWN || l->kind == QUEUE_THREAD || l->kind == QUEUE_CALLERS) &&
		!l->sleep.leader && list_empty(&l->sleep.followers))
		queues_close_fds(l);
}

void queues_over(struct brood *b) { queues_each(b, over, NULL); }

struct sum {
	const struct brood_pool *pool;
	struct brood_stats *stats;
};

static void add(struct queue *l, void *context)
{
	const struct sum *sum = context;
	struct brood_stats *s = sum->stats;

	if (l->pool != sum->pool)
		return;
	s->submitted += l->stats.submitted;
	s->dropped += l->stats.dropped;
	s->redispatched += l->stats.redispatched;
	s->retried += l->stats.retried;
}

void queues_stats(struct brood_pool *pool, struct brood_stats *s)
{
	struct sum sum = { .pool = pool, .stats = s };
	const struct pool_counts *c = &pool->counts;

	queues_each(pool->brood, add, &sum);
	engine_lock(pool->brood);
	s->redispatched += c->queue_redispatched;
	s->retried += c->queue_retried;
	engine_unlock(pool->brood);
}
