/* SPDX-License-Identifier: MIT */
/*
 * path.c - whether a call or a conversation goes by a lease or by handoff, and by which queue.
 *
 * A thread's queue is the thread's as long as the thread lives, then the next new thread's: leases
 * that a thread left behind are used on, or go back to the pool by themselves.
 *
 * A call on a lease waits on its thread's own queue. A thread that calls now and then hands its
 * jobs off. A thread that calls often asks for a lease when a worker is idle, waits for the lease,
 * and sends its job there. (A job that was handed off meanwhile could not have this worker, and
 * would wait until the lease is taken back.) A conversation (open, give) goes by the brood's own
 * queue, to a leased worker that has nothing else to do, since nobody knows how long a conversation
 * takes. Without such a worker the conversation is handed off; if yet another worker is idle, the
 * queue asks for a lease, for later jobs. A queue that has conversations often asks for leases
 * before the last idle one is taken. A job that forces a lease waits for one.
 *
 * Queues of threads are for the first pool. A call for another pool goes by that pool's callers'
 * queue, once its thread calls often; a conversation for another pool by a queue of that pool's
 * own.
 *
 * Two threads with a lease each touch no memory that both write. When a thread finds no worker
 * left, that begins a crowd: for a second, and longer while such threads come, no lease is a
 * thread's own. Each thread gives its own lease back when it calls next, and all calls go by the
 * callers' queue, where the first to come is served first. When the crowd has gone, the callers'
 * queue gives its leases back.
 */
#include "path.h"

#include "given.h"
#include "inbox_look.h"
#include "leasing.h"
#include "lease_state.h"
#include "place.h"
#include "pump.h"
#include "queues.h"
#include "ring_in.h"
#include "ring_out.h"
#include "engine_root.h"
#include "sleep.h"

#define CROWD_NS NS_PER_S
#define STEP_NS  (50 * NS_PER_MS) /* crowd_until is written no more often: all threads read it */

/* a crowd begins when this many calls in a row of one thread find neither lease nor idle worker */
#define LACKS 3

__thread struct path_thread path_thread;

static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static bool has_key; /* without the key nobody hears of a thread's end, so no thread has a queue */

/* The thread ends: its queue goes to the next thread that calls. */
static void thread_over(void *queue)
{
	struct queue *l = queue;
	struct brood *b = l->brood;

	path_thread.queue = NULL;
	if (atomic_load_explicit(b->alive, memory_order_relaxed) != ENGINE_ALIVE)
		return;
	atomic_store_explicit(&l->orphan, true, memory_order_release);
}

static void make_key(void) { has_key = pthread_key_create(&thread_key, thread_over) == 0; }

/* Finds a queue whose thread has ended. Under brood.queues.lock. */
static struct queue *find_orphan(struct brood *b)
{
	list_for_each_safe(link, tmp, &b->queues.list) {
		struct queue *l = container_of(link, struct queue, listed.link);
		bool orphan = true;

		if (l->kind == QUEUE_THREAD &&
			atomic_compare_exchange_strong(&l->orphan, &orphan, false))
			return l;
	}
	return NULL;
}

static struct queue *own_queue(struct brood *b)
{
	struct queue *l = path_thread.queue;
	bool more;

	if (l)
		return l;
	pthread_once(&thread_once, make_key);
	if (!has_key)
		return NULL;
	pthread_mutex_lock(&b->queues.lock);
	l = find_orphan(b);
	more = !l && b->queues.threads < b->options.workers;
	b->queues.threads += more;
	pthread_mutex_unlock(&b->queues.lock);
	if (!l && !more)
		return NULL;
	if (!l && queues_new(b->pools, QUEUE_THREAD, &l) < 0) {
		pthread_mutex_lock(&b->queues.lock);
		b->queues.threads--;
		pthread_mutex_unlock(&b->queues.lock);
		return NULL;
	}
	if (pthread_setspecific(thread_key, l) != 0) {
		thread_over(l);
		return NULL;
	}
	path_thread.queue = l;
	return l;
}

/* The queue of all threads that have no lease of their own. */
static struct queue *callers_queue(struct brood_pool *pool)
{
	struct queue *l = atomic_load_explicit(&pool->callers, memory_order_acquire);
	struct brood *b = pool->brood;

	if (l)
		return l;
	pthread_mutex_lock(&b->common.lock);
	l = atomic_load(&pool->callers);
	if (!l && queues_new(pool, QUEUE_CALLERS, &l) == 0)
		atomic_store(&pool->callers, l);
	pthread_mutex_unlock(&b->common.lock);
	return l;
}

static bool crowded(const struct brood *b, uint64_t now)
{
	return atomic_load_explicit(&b->crowd_until, memory_order_relaxed) > now;
}

static void crowd(struct brood *b, uint64_t now)
{
	if (atomic_load_explicit(&b->crowd_until, memory_order_relaxed) < now + CROWD_NS - STEP_NS)
		atomic_store_explicit(&b->crowd_until, now + CROWD_NS, memory_order_relaxed);
}

/* Gives back the leases of the queue that are not in use. */
static void give_back(struct queue *l)
{
	queue_lock(l);
	inbox_look(l);
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state == LEASE_ACTIVE && lease->published == lease->collected)
			ring_out_all(lease);
		else if (lease->state != LEASE_ASKED)
			continue;
		leasing_end(lease);
	}
	queue_unlock(l);
}

/* At the first call after a crowd: the callers' queue gives its leases back. */
static void crowd_over(struct brood *b, uint64_t now)
{
	uint64_t until = atomic_load_explicit(&b->crowd_until, memory_order_relaxed);
	struct queue *l = atomic_load_explicit(&b->pools->callers, memory_order_acquire);

	if (until != 0 && until <= now &&
		atomic_compare_exchange_strong(&b->crowd_until, &until, 0) && l)
		give_back(l);
}

static struct queue *crowd_queue(struct brood *b, uint64_t now, bool frequent)
{
	struct queue *own;

	if (!crowded(b, now)) {
		crowd_over(b, now);
		own = own_queue(b);
		if (own)
			return own;
		crowd(b, now);
	} else if (path_thread.queue) {
		give_back(path_thread.queue);
	} else if (frequent) {
		crowd(b, now);
	}
	return callers_queue(b->pools);
}

static bool crowd_lacks(struct brood *b, struct queue *own, bool idle, uint64_t now)
{
	if (own->leases.active > 0 || own->leases.asked > 0 || idle ||
		atomic_load_explicit(&own->pool->leases_out, memory_order_relaxed) == 0) {
		path_thread.lacked = 0;
		return false;
	}
	if (++path_thread.lacked < LACKS)
		return false;
	path_thread.lacked = 0;
	crowd(b, now);
	return true;
}

#define GRANTED_WITHIN_NS \
	(5 * NS_PER_MS) /* an idle worker is granted in a tenth of a millisecond */

/* how long to wait if the supervisor gets no CPU: a job by handoff would wait as long */
#define GRANTED_LATE_NS NS_PER_S

/*
 * A queue that gives conversations often keeps so many idle leases: by handoff the next
 * conversation would begin some hundred microseconds later.
 */
#define LEASES_AHEAD 2

#define ASK_PAUSE_NS (10 * NS_PER_MS) /* the pause after a request for a lease was in vain */

static bool often(uint64_t now)
{
	struct path_thread *t = &path_thread;

	if (now - t->since > PATH_OFTEN_NS) {
		t->calls = t->calls >= PATH_OFTEN && now - t->since < 2 * PATH_OFTEN_NS ? PATH_OFTEN
											: 0;
		t->since = now;
	}
	return ++t->calls >= PATH_OFTEN;
}

/* NULL: there is no memory, or the job is to be handed off. */
static struct queue *queue_for(struct brood *b, const struct given *given, bool call)
{
	bool frequent;

	if (given->options.lease && !b->run_here)
		return (struct queue *)given->options.lease;
	if (b->run_here)
		return queues_own(b->pools);
	if (!call)
		return queues_own(given->pool);
	frequent = often(given->given_ns) || given->options.dispatch == BROOD_PATH_LEASE;
	if (given->pool != b->pools)
		return frequent ? callers_queue(given->pool) : NULL;
	return frequent || crowded(b, given->given_ns) ? crowd_queue(b, given->given_ns, frequent)
						       : NULL;
}

/* True: a worker is idle, and no lease on its way will take it. */
static bool somebody_idle(const struct brood_pool *pool)
{
	const struct stats_page *stats_page = pool->stats_page;
	uint32_t out = (uint32_t)atomic_load_explicit(&pool->leases_out, memory_order_relaxed);
	uint32_t leased = atomic_load_explicit(&stats_page->leased, memory_order_relaxed);

	return atomic_load_explicit(&stats_page->idle, memory_order_relaxed) >
		(out > leased ? out - leased : 0);
}

/*
 * How many idle workers may be leased. A busy pool is better shared by handing jobs off, first
 * come, first served.
 */
static uint32_t spare(const struct brood_pool *pool)
{
	const struct stats_page *stats_page = pool->stats_page;

	return pick_spare(&(struct pick_pool){
		.idle = atomic_load_explicit(&stats_page->idle, memory_order_relaxed),
		.leased = atomic_load_explicit(&stats_page->leased, memory_order_relaxed),
		.library = atomic_load_explicit(&stats_page->library, memory_order_relaxed),
		.out = (uint32_t)atomic_load_explicit(&pool->leases_out, memory_order_relaxed),
		.limit = pool->options->leases,
	});
}

int path_full(const struct queue *l)
{
	return fail_with(-EAGAIN,
		"as many jobs wait for a worker as the pool has room for (backlog, %u): wait for a "
		"verdict, or raise options.backlog",
		l->pool->options->backlog);
}

int path_results(const struct queue *l)
{
	return fail_with(-EAGAIN,
		"%zu jobs of this queue are out, as many as it has room for: dispatch or take, "
		"then again, or make queues with more (options.jobs)",
		l->jobs.limit);
}

int path_lease_over(void)
{
	return fail_with(-ESTALE,
		"this lease is over: its worker died, or its time was up; take another one");
}

static bool has_idle(struct queue *l) { return l->waiting.count == 0 && ring_in_idle(l); }

/* True: the queue has an idle worker, perhaps by a GRANTED that lay unread in the channel. */
static bool was_lent(struct queue *l)
{
	if (l->leases.asked > 0) {
		pump_channel(l, false);
		inbox_look(l);
	}
	return has_idle(l);
}

/* Asks for a lease for this queue, if as many workers are idle as are needed. */
static bool ask(struct queue *l, uint64_t now, uint32_t needed)
{
	return l->leases.asked == 0 && l->leases.active < l->leases.limit && often(now) &&
		now >= l->leases.ask_again && spare(l->pool) >= needed &&
		place_ask(l, BROOD_FOREVER, l->pool->options->queue_ms) == 0;
}

void path_ask_ahead(struct queue *l, uint64_t now)
{
	if (l->leases.active - l->leases.busy < LEASES_AHEAD)
		ask(l, now, 2);
}

/* True: requests wait in the supervisor, perhaps this one, too: the idle worker got another job. */
static bool wishes_wait(const struct brood_pool *pool)
{
	return atomic_load_explicit(&pool->stats_page->queued, memory_order_relaxed) > 0;
}

/*
 * Takes the request for a lease back, before the job is handed off: in the supervisor's queue the
 * request would stand before the job.
 */
static bool in_vain(struct queue *l, uint64_t now)
{
	leasing_unask(l);
	l->leases.ask_again = MAX(l->leases.ask_again, now + ASK_PAUSE_NS);
	return false;
}

/* False: the caller hands the job off. */
static bool wait_for_lease(struct queue *l)
{
	uint64_t now = now_ns(), begun = now;

	while (l->leases.asked > 0 && !has_idle(l)) {
		if (now >= begun + GRANTED_LATE_NS ||
			(now >= begun + GRANTED_WITHIN_NS && wishes_wait(l->pool)))
			return in_vain(l, now);
		if (now >= begun + GRANTED_WITHIN_NS && spare(l->pool) > 0)
			return false; /* another worker is there for the job */
		sleep_from(l, &l->sleep.lookers, now, now + GRANTED_WITHIN_NS);
		now = now_ns();
	}
	return has_idle(l) || in_vain(l, now);
}

/*
 * Under the queue's lock. 0: a lease would take the job now, or the job may wait for one; 1: hand
 * it off; 2: use the callers' queue; -ESTALE. The inbox is read first, for the end of the lease may
 * lie there.
 */
static int ready(struct queue *l, const struct given *given, bool call)
{
	bool forced = given->options.dispatch == BROOD_PATH_LEASE || l->kind == QUEUE_PINNED;

	if (atomic_load_explicit(&l->inbox.full, memory_order_acquire))
		inbox_look(l);
	if (l->pinned.over)
		return path_lease_over();
	if (l->kind == QUEUE_CALLERS)
		return !forced && somebody_idle(l->pool) &&
			l->leases.active + l->leases.asked >= l->leases.limit;
	if (l->kind == QUEUE_THREAD &&
		crowd_lacks(l->brood, l, somebody_idle(l->pool), given->given_ns))
		return 2;
	if (forced || has_idle(l) || was_lent(l))
		return 0;
	return call && ask(l, given->given_ns, 1) && wait_for_lease(l) ? 0 : 1;
}

int path_enter(struct brood *b, const struct given *given, bool call, struct queue **ret)
{
	struct queue *l;
	int r;

	if (given->options.dispatch == BROOD_PATH_HANDOFF && !given->options.lease)
		return 1;
	if (!call && !given->options.dispatch && !b->fd_used)
		return 1;
	if (atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return fail_stopped();
	l = queue_for(b, given, call);
	if (!l && given->options.dispatch)
		return call ? fail_system(-ENOMEM, "a thread's queue") : -errno;
	if (!l)
		return 1;
	queue_lock(l);
	if (!call)
		sleep_glance(l);
	r = ready(l, given, call);
	if (r == 2) {
		queue_unlock(l);
		l = callers_queue(b->pools);
		if (!l)
			return 1;
		queue_lock(l);
		r = ready(l, given, call);
	}
	if (r == 0)
		*ret = l;
	else
		sleep_leave(l);
	return r;
}
