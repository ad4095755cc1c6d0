/* SPDX-License-Identifier: MIT */
/*
 * lane.c - a lane's life, its jobs, their ids, and what it knows of functions. See lane.h for the
 * whole.
 *
 * Jobs that nobody has are kept, the last one used on top, so that a steady load touches the same
 * few; with them their reply buffers. A job's id modulo the table's size is its place in it: an id
 * whose place is taken is skipped. Ids come in blocks from the brood's, so that lanes do not meet
 * over each one.
 *
 * A thread's lane is the thread's as long as it lives, then the next new thread's: leases that it
 * left are used on, or go back to the pool by themselves.
 */
#include "lane.h"
#include "pipe.h"

#include "../os/closing.h"
#include "../os/shm.h"
#include "../os/sockets.h"
#include "../os/text.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define ID_BLOCK       4096
#define JOBS_FIRST     64
#define JOBS_DEFAULT   4096
#define SPARE_MAX      4096
#define FUNCTIONS_SIZE 256

/* ---- life ---- */

static int watch(struct lane *l, int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = { .events = events, .data.u64 = what };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int make_control(struct lane *l)
{
	const int shape = F_SEAL_SHRINK | F_SEAL_GROW, seals = F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

	l->control_fd = fds_above_standard(shm_memfd("brood-lane", NULL, shm_page(), &shape));
	if (l->control_fd < 0)
		return l->control_fd;
	l->control = mmap(NULL, shm_page(), PROT_READ | PROT_WRITE, MAP_SHARED, l->control_fd, 0);
	if (l->control == MAP_FAILED) {
		l->control = NULL;
		return -errno;
	}
	return fcntl(l->control_fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

/* The channel is watched by all lanes, but one event wakes one of those that sleep. */
static int make_fds(struct lane *l)
{
	struct brood *b = l->brood;
	int r;

	/* Never 0-2, should the program have closed those: others write there. */
	l->epoll_fd = fds_above_standard(epoll_create1(EPOLL_CLOEXEC));
	l->wake_fd = fds_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	l->tick_fd = fds_above_standard(
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	if (l->epoll_fd < 0 || l->wake_fd < 0 || l->tick_fd < 0)
		return -errno;
	if ((r = watch(l, l->wake_fd, EPOLLIN, LANE_EVENT_WAKE)) < 0 ||
		(r = watch(l, l->tick_fd, EPOLLIN, LANE_EVENT_TICK)) < 0 ||
		(r = watch(l, b->channel_fd, EPOLLIN | EPOLLEXCLUSIVE, LANE_EVENT_CHANNEL)) < 0)
		return r;
	if ((r = watch(l, b->over_fd, EPOLLIN, LANE_EVENT_OVER)) < 0)
		return r;
	if (b->options.log &&
		(r = watch(l, b->log_fd, EPOLLIN | EPOLLEXCLUSIVE, LANE_EVENT_LOG)) < 0)
		return r;
	return make_control(l);
}

void lane_close_fds(struct lane *l)
{
	if (!l->gone) {
		close_fd(l->epoll_fd);
		close_fd(l->wake_fd);
		close_fd(l->tick_fd);
		close_fd(l->control_fd);
	}
	l->epoll_fd = l->wake_fd = l->tick_fd = l->control_fd = -1;
	l->gone = true;
}

static void unmake(struct lane *l)
{
	if (l->control)
		munmap(l->control, shm_page());
	lane_close_fds(l);
	list_for_each_safe(link, tmp, &l->spare) {
		struct lane_job *job = container_of(link, struct lane_job, link);

		free(job->buffer);
		free(job);
	}
	for (size_t i = 0; l->functions && i < FUNCTIONS_SIZE; i++)
		free(l->functions[i]);
	free(l->functions);
	free(l->table);
	free(l->jobs);
	lane_put(l);
}

/*
 * Who waits for a handle, or gives it back, comes here for the lock, also when the lease that the
 * job was on has ended.
 */
void lane_put(struct lane *l)
{
	if (atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static uint32_t leases_allowed(const struct brood *b, enum lane_kind kind)
{
	return kind == LANE_KEPT || kind == LANE_THREAD ? 1 : b->options.leases;
}

static int make_memory(struct lane *l)
{
	l->table_size = l->brood->options.workers + 1;
	l->table = calloc(l->table_size, sizeof *l->table);
	l->jobs = calloc(JOBS_FIRST, sizeof *l->jobs);
	l->functions = calloc(FUNCTIONS_SIZE, sizeof *l->functions);
	l->jobs_room = JOBS_FIRST;
	return l->table && l->jobs && l->functions ? 0 : -ENOMEM;
}

/* Only once brood_stop() waits: an epoll within another makes each event dearer. */
void lane_watch_for_stop(struct lane *l)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (!l->watched && !l->gone)
		l->watched = epoll_ctl(l->brood->lanes_fd, EPOLL_CTL_ADD, l->epoll_fd, &event) == 0;
}

static void enlist(struct lane *l)
{
	struct brood *b = l->brood;

	pthread_mutex_lock(&b->lanes_lock);
	list_append(&l->link, &b->lanes);
	if (atomic_load(&b->refusing))
		lane_watch_for_stop(l);
	pthread_mutex_unlock(&b->lanes_lock);
}

int lane_new(struct brood *b, enum lane_kind kind, struct lane **ret)
{
	struct lane *l = NULL;
	int r;

	/* no cache line of it is another lane's */
	if (posix_memalign((void **)&l, 64, sizeof *l) != 0)
		return -ENOMEM;
	*l = (struct lane){ .brood = b,
		.kind = kind,
		.refs = 1,
		.epoll_fd = -1,
		.wake_fd = -1,
		.tick_fd = -1,
		.control_fd = -1,
		.timer_at = TIME_NEVER,
		.queue_due = TIME_NEVER };
	pthread_mutex_init(&l->lock, NULL);
	struct list *lists[] = { &l->link, &l->spare, &l->followers, &l->queue, &l->results,
		&l->taken, &l->leases, &l->idle, &l->inbox, &l->handles, &l->talkers,
		&l->callbacks };
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		list_init(lists[i]);
	l->leases_limit = leases_allowed(b, kind);
	l->jobs_limit = kind == LANE_OWN || kind == LANE_QUEUE ? JOBS_DEFAULT : 65536;
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

static void add_stats(struct brood *b, const struct lane *l)
{
	b->submitted += l->stats.submitted;
	b->dropped += l->stats.dropped;
	b->lane_redispatched += l->stats.redispatched;
	b->lane_retried += l->stats.retried;
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		b->lane_verdicts[i] += l->stats.verdicts[i];
}

/* Its workers are told to leave; what they do until then is nobody's business any more. */
void lane_free(struct lane *l)
{
	struct brood *b = l->brood;

	pthread_mutex_lock(&b->lanes_lock);
	list_remove(&l->link);
	if (l->watched && !l->gone)
		epoll_ctl(b->lanes_fd, EPOLL_CTL_DEL, l->epoll_fd, NULL);
	pthread_mutex_unlock(&b->lanes_lock);
	lane_lock(l);
	l->freed = true;
	list_for_each_safe(link, tmp, &l->leases)
		loan_abandon(container_of(link, struct lease, link));
	for (size_t i = 0; i < l->jobs_room; i++) {
		struct lane_job *job = l->jobs[i];

		if (!job)
			continue;
		if (job->state != JOB_CLOSED)
			l->stats.dropped++;
		if (job->state == JOB_STREAMED) {
			stream_cancel(l, job);
			stream_free(l, job);
		}
		lane_job_free(l, job);
	}
	engine_lock(b);
	add_stats(b, l);
	engine_unlock(b);
	lane_unlock(l);
	unmake(l);
}

/* ---- whose ---- */

struct lane *lane_own(struct brood *b)
{
	struct lane *l = atomic_load_explicit(&b->own, memory_order_acquire);
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	if (l)
		return l;
	pthread_mutex_lock(&b->own_lock);
	l = atomic_load(&b->own);
	if (!l) {
		r = lane_new(b, LANE_OWN, &l);
		if (r < 0) {
			pthread_mutex_unlock(&b->own_lock);
			engine_fail_system(r, "the brood's own queue");
			errno = -r;
			return NULL;
		}
		event.data.fd = l->epoll_fd;
		epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, l->epoll_fd, &event);
		/* then the look, as brood_fd() does it the other way round */
		atomic_store(&b->own, l);
		if (atomic_load(&b->fd_used))
			direct_polled(b);
	}
	pthread_mutex_unlock(&b->own_lock);
	return l;
}

struct lane *lane_callers(struct brood *b)
{
	struct lane *l = atomic_load_explicit(&b->callers, memory_order_acquire);

	if (l)
		return l;
	pthread_mutex_lock(&b->own_lock);
	l = atomic_load(&b->callers);
	if (!l && lane_new(b, LANE_CALLERS, &l) == 0)
		atomic_store(&b->callers, l);
	pthread_mutex_unlock(&b->own_lock);
	return l;
}

static __thread struct lane *thread_lane;
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

/* The thread ends: the next one that calls may have it. */
static void thread_over(void *lane)
{
	struct lane *l = lane;
	struct brood *b = l->brood;

	thread_lane = NULL;
	if (atomic_load_explicit(b->alive, memory_order_relaxed) != ENGINE_ALIVE)
		return;
	atomic_store_explicit(&l->orphan, true, memory_order_release);
}

static void make_key(void) { pthread_key_create(&thread_key, thread_over); }

/* Under lanes_lock. */
static struct lane *find_orphan(struct brood *b)
{
	list_for_each_safe(link, tmp, &b->lanes) {
		struct lane *l = container_of(link, struct lane, link);
		bool orphan = true;

		if (l->kind == LANE_THREAD &&
			atomic_compare_exchange_strong(&l->orphan, &orphan, false))
			return l;
	}
	return NULL;
}

struct lane *lane_thread_has(void) { return thread_lane; }

struct lane *lane_thread(struct brood *b)
{
	struct lane *l = thread_lane;
	bool more;

	if (l)
		return l;
	pthread_once(&thread_once, make_key);
	pthread_mutex_lock(&b->lanes_lock);
	l = find_orphan(b);
	more = !l && b->thread_lanes < b->options.workers;
	b->thread_lanes += more;
	pthread_mutex_unlock(&b->lanes_lock);
	if (!l && !more)
		return NULL;
	if (!l && lane_new(b, LANE_THREAD, &l) < 0) {
		pthread_mutex_lock(&b->lanes_lock);
		b->thread_lanes--;
		pthread_mutex_unlock(&b->lanes_lock);
		return NULL;
	}
	if (pthread_setspecific(thread_key, l) != 0) {
		thread_over(l);
		return NULL;
	}
	thread_lane = l;
	return l;
}

void lane_poke(struct lane *l)
{
	if (!l->gone)
		fds_poke(l->wake_fd);
}

/* ---- functions ---- */

static struct function *function_new(const struct given *order)
{
	struct function *f = malloc(sizeof *f);

	if (!f)
		return NULL;
	*f = (struct function){
		.fn = order->job->fn, .text = order->job->name, .est_ns = PICK_UNKNOWN
	};
	job_name(f->name, order->options.plugin ? order->options.symbol : order->job->name);
	return f;
}

static size_t function_hash(const struct given *order)
{
	uint64_t h = (uint64_t)(uintptr_t)order->job->fn * 0x9e3779b97f4a7c15u ^
		(uint64_t)(uintptr_t)order->job->name * 0xc2b2ae3d27d4eb4fu;

	return (size_t)(h >> 40);
}

/*
 * Found, or new in the table; the job's own when the table is full (names that are made up all the
 * time), or when it is a plugin's.
 */
static int function_of(struct lane *l, const struct given *order, struct lane_job *job)
{
	size_t at = function_hash(order);

	job->own_function = NULL;
	for (size_t i = 0; i < 8 && !order->options.plugin; i++) {
		struct function **place = &l->functions[(at + i) % FUNCTIONS_SIZE];

		if (!*place)
			*place = function_new(order);
		if (!*place)
			return -ENOMEM;
		if ((*place)->fn == order->job->fn && (*place)->text == order->job->name) {
			job->function = *place;
			return 0;
		}
	}
	job->function = job->own_function = function_new(order);
	return job->function ? 0 : -ENOMEM;
}

/* ---- jobs ---- */

void lane_unqueue(struct lane *l, struct lane_job *job)
{
	list_remove(&job->link);
	l->queued_ns -= job->queued_ns;
	l->queued--;
}

static int grow(struct lane *l)
{
	size_t room = l->jobs_room * 2;
	struct lane_job **jobs = calloc(room, sizeof *jobs);

	if (!jobs)
		return -ENOMEM;
	for (size_t i = 0; i < l->jobs_room; i++)
		if (l->jobs[i])
			jobs[l->jobs[i]->id & (room - 1)] = l->jobs[i];
	free(l->jobs);
	l->jobs = jobs;
	l->jobs_room = room;
	return 0;
}

static uint64_t next_id(struct lane *l)
{
	struct brood *b = l->brood;

	if (l->next_id == l->last_id) {
		engine_lock(b);
		l->next_id = b->last_id;
		b->last_id += ID_BLOCK;
		engine_unlock(b);
		l->last_id = l->next_id + ID_BLOCK;
	}
	return ++l->next_id;
}

static struct lane_job *job_new(struct lane *l)
{
	struct list *spare = list_first(&l->spare);
	struct lane_job *job;

	if (spare) {
		job = container_of(spare, struct lane_job, link);
		list_remove(spare);
		l->spare_count--;
		return job;
	}
	job = calloc(1, sizeof *job);
	if (!job)
		return NULL;
	list_init(&job->link);
	list_init(&job->progress);
	list_init(&job->talks);
	job->memfd = job->socket = job->back_memfd = -1;
	return job;
}

static void job_spare(struct lane *l, struct lane_job *job)
{
	if (l->spare_count >= SPARE_MAX) {
		free(job->buffer);
		free(job);
		return;
	}
	if (job->buffer_size > LANE_BUFFER_KEPT) {
		free(job->buffer);
		job->buffer = NULL;
		job->buffer_size = 0;
	}
	list_insert(&job->link, &l->spare);
	l->spare_count++;
}

static void take_options(struct lane_job *job, const struct given *order)
{
	const struct brood_job_options *o = &order->options;

	job->job_flags = o->flags;
	job->queue_ms = o->queue_ms;
	job->run_ms = o->run_ms;
	job->grace_ms = o->grace_ms;
	job->retries = o->retries;
	job->attempts = job->moved = 0;
	job->cancelled = job->ran = job->waited = job->back_came = job->alone = job->socket_job =
		job->fds_out = job->reply_lost = job->held = false;
	job->given_ns = order->given_ns;
	job->request_size = order->request_size;
	job->arg_size = order->arg_size;
	job->plugin_size = order->plugin_size;
	job->on_done = o->on_done;
	job->on_progress = o->on_progress;
	job->handle = NULL;
	job->sleeper = NULL;
	job->room = NULL;
	job->result.context = o->context;
	job->result.fds = NULL;
	job->result.fds_count = 0;
}

static void number(struct lane *l, struct lane_job *job)
{
	do
		job->id = next_id(l);
	while (l->jobs[job->id & (l->jobs_room - 1)]);
	l->jobs[job->id & (l->jobs_room - 1)] = job;
}

void lane_renumber(struct lane *l, struct lane_job *job)
{
	l->jobs[job->id & (l->jobs_room - 1)] = NULL;
	number(l, job);
}

int lane_order(struct lane *l, const struct given *order, struct lane_job **ret)
{
	struct lane_job *job;
	int r;

	if (l->jobs_out - l->taken_count >= l->jobs_limit)
		return -EAGAIN;
	if (l->jobs_out * 2 >= l->jobs_room && (r = grow(l)) < 0)
		return r;
	job = job_new(l);
	if (!job)
		return -ENOMEM;
	r = function_of(l, order, job);
	if (r < 0) {
		job_spare(l, job);
		return r;
	}
	number(l, job);
	l->jobs_out++;
	job->state = JOB_NEW;
	take_options(job, order);
	*ret = job;
	return 0;
}

struct lane_fds *lane_fds_free(struct lane_fds *fds)
{
	for (size_t i = 0; fds && i < fds->count; i++)
		closing_fd(fds->fds[i]);
	free(fds);
	return NULL;
}

static void unmap_reply(struct lane_job *job)
{
	if (job->mapped)
		munmap(job->mapped, job->mapped_size);
	job->mapped = NULL;
}

void lane_job_free(struct lane *l, struct lane_job *job)
{
	if (job->state == JOB_WAITING)
		lane_unqueue(l, job);
	list_remove(&job->link);
	list_remove(&job->talks);
	progress_free(&job->progress);
	job->progress_count = 0;
	lane_out_of_backlog(l, job);
	if (job->id) {
		l->jobs[job->id & (l->jobs_room - 1)] = NULL;
		l->jobs_out--;
		l->others_out -= job->waited || job->socket_job;
	}
	job->id = 0;
	if (job->bytes)
		free(job->bytes);
	job->bytes = NULL;
	if (job->own_function)
		free(job->own_function);
	job->own_function = NULL;
	pipe_free(l, job);
	job->memfd = close_fd(job->memfd);
	job->socket = sockets_close(job->socket);
	job->back_memfd = close_fd(job->back_memfd);
	if (job->extra)
		job->extra = lane_fds_free(job->extra);
	if (job->back)
		job->back = lane_fds_free(job->back);
	unmap_reply(job);
	job->state = JOB_NEW;
	job_spare(l, job);
}

struct lane_job *lane_find(struct lane *l, uint64_t id)
{
	struct lane_job *job = l->jobs[id & (l->jobs_room - 1)];

	return job && job->id == id ? job : NULL;
}

void lane_wait_for(struct lane *l, struct lane_job *job, bool front)
{
	/* each attempt has its own time to wait */
	uint64_t from = front && job->attempts > 0 ? now_ns() : job->given_ns;

	job->state = JOB_WAITING;
	job->waiting_until = time_after_ms(from, job->queue_ms);
	l->queue_due = MIN(l->queued ? l->queue_due : TIME_NEVER, job->waiting_until);
	if (front)
		list_insert(&job->link, &l->queue);
	else
		list_append(&job->link, &l->queue);
	job->queued_ns = pick_estimate(job->function->est_ns);
	l->queued_ns += job->queued_ns;
	l->queued++;
}

/* What outlives the caller's call. */
int lane_job_keep(struct lane_job *job, const struct given *order)
{
	size_t request = lane_job_bytes(job);
	unsigned char *at;

	if (job->bytes || job->arg_size + request == 0)
		return 0;
	at = job->bytes = malloc(job->arg_size + request);
	if (!at)
		return -ENOMEM;
	if (job->arg_size)
		memcpy(at, order->arg, job->arg_size);
	at += job->arg_size;
	for (size_t i = 0; request && i < order->request_count; i++) {
		if (order->request[i].iov_len)
			memcpy(at, order->request[i].iov_base, order->request[i].iov_len);
		at += order->request[i].iov_len;
	}
	return 0;
}

/* ---- the verdict ---- */

/*
 * The worker has not done it: it never had the job, or is dead, and a child of the job's, or the
 * link's buffer, may still hold the socket.
 */
static void end_socket(const struct lane_job *job)
{
	enum brood_outcome outcome = job->result.verdict.outcome;

	if (job->socket >= 0 && outcome != BROOD_DONE && outcome != BROOD_FAILED)
		shutdown(job->socket, SHUT_RDWR);
}

static void close_handle(struct lane *l, struct lane_job *job)
{
	struct brood_handle *handle = job->handle;

	end_socket(job);
	if (!handle) {
		l->stats.dropped += job->socket_job;
	} else {
		handle->verdict = job->result.verdict;
		handle->lane_job = NULL;
		l->handle_news++;
		lane_wake(l, &handle->lane_sleepers);
		/* last: from now on its owner may give it back */
		atomic_store_explicit(&handle->lane_closed, true, memory_order_release);
	}
	lane_job_free(l, job);
}

void lane_result(struct lane *l, struct lane_job *job)
{
	job->result.size = sizeof job->result;
	if (job->reply_lost)
		job->result.reply_size = 0; /* what is not there; the verdict has it */
	if (job->on_done) {
		list_append(&job->link, &l->callbacks);
	} else {
		list_append(&job->link, &l->results);
		l->results_count++;
	}
	l->news++;
	if (!l->taking)
		lane_wake_one(l, &l->takers);
}

void lane_close(struct lane *l, struct lane_job *job, const struct brood_verdict *verdict)
{
	struct brood_verdict *v = &job->result.verdict;
	bool counted = job->state == JOB_STREAMED; /* by the supervisor */

	if (job->state == JOB_CLOSED)
		abort(); /* a second verdict: a bug of ours */
	if (job->state == JOB_WAITING)
		lane_unqueue(l, job);
	list_remove(&job->link);
	job->state = JOB_CLOSED;
	lane_out_of_backlog(l, job);
	job->lease = NULL;
	if (v != verdict)
		*v = *verdict;
	v->size = sizeof *v;
	v->id = job->id;
	v->attempts = job->attempts;
	v->reply_size = job->result.reply_size;
	v->started |= job->ran;
	memcpy(v->name, job->function->name, sizeof v->name);
	if (job->ran && v->outcome == BROOD_REFUSED) { /* that would say that it never ran */
		*v = job->before;
		v->attempts = job->attempts;
	}
	if (!counted) {
		l->stats.verdicts[v->outcome]++;
		ending_count(l->brood, v, v->name);
	}
	if (job->socket_job) {
		/*
		 * Whoever talks on it reads its end now, also while a copy is still on its way to a
		 * worker.
		 */
		if (job->socket >= 0 && !v->started)
			shutdown(job->socket, SHUT_RDWR);
		close_handle(l, job);
		lane_wake(l, &l->lookers);
		return;
	}
	/* nobody but the job needs them, and who reads the other end waits for that */
	if (job->extra)
		job->extra = lane_fds_free(job->extra);
	if (job->waited && l->kind == LANE_CALLERS) {
		caller_closed(l, job);
	} else if (job->waited) {
		lane_wake(l, &job->sleeper);
	} else if (job->telling || !list_empty(&job->talks)) {
		job->held = true;
	} else {
		lane_result(l, job);
	}
}

void lane_out_of_backlog(struct lane *l, struct lane_job *job)
{
	if (!job->in_backlog)
		return;
	job->in_backlog = false;
	atomic_fetch_sub(&l->brood->lanes_waiting, 1);
}

void lane_refuse(struct lane *l, struct lane_job *job, enum brood_detail detail)
{
	uint64_t now = now_ns();
	struct brood_verdict verdict = { .outcome = BROOD_REFUSED,
		.detail = detail,
		.queue_us = (now - MIN(job->given_ns, now)) / NS_PER_US };

	job->result.reply = NULL;
	job->result.reply_size = 0;
	lane_close(l, job, &verdict);
}
