/* SPDX-License-Identifier: MIT */
/*
 * engine.c - the engine's life: made before the fork (all that may fail), adopted in the child,
 * stopped once (ending.c).
 *
 * struct brood lives until the process ends: handles point into it, and other threads may be on
 * their way out of a call when brood_stop() returns. The sockets belong to front/start.c; the epoll
 * fd behind brood_fd(), the eventfd and the timerfd in it, the records and the waiters belong to
 * this folder.
 */
#include "engine_root.h"
#include "waiter.h"

#include "job_record.h"
#include "sums.h"
#include "../os/cpu.h"
#include "../os/process.h"
#include "../os/shm.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

static bool watch(struct brood *b, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int make_fds(struct brood *b)
{
	if ((b->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
		(b->queues_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
		(b->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
		(b->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
		(b->unsent_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
		(b->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) < 0 ||
		!watch(b, b->channel_fd) || !watch(b, b->news_fd) || !watch(b, b->timer_fd))
		return -errno;
	/* Without a log callback nobody reads log lines, and the supervisor sends none. */
	return !b->options.log || watch(b, b->log_fd) ? 0 : -errno;
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
	b->lease_pages = calloc(b->shared.lease_pages_count, sizeof *b->lease_pages);
	return b->records && b->taken && b->lease_pages && first ? 0 : -ENOMEM;
}

static void pool_prepare(struct brood_pool *pool, struct brood *b, const struct pool_setup *setup)
{
	pool->brood = b;
	pool->setup = setup;
	pool->options = &setup->options;
	pool->stats_page = shared_stats_page(&b->shared, setup->number);
	line_init(&pool->line);
	sums_prepare(pool);
	list_init(&pool->files.calls);
	/* a single pool has all of the records, however many there are */
	pool->records = b->pools_count == 1 ? (uint32_t)b->records_count
					    : pool_setup_records(&setup->options);
}

static int make_pools(struct brood *b, const struct pool_setups *setups)
{
	if (posix_memalign((void **)&b->pools, 64, setups->count * sizeof *b->pools) != 0) {
		b->pools = NULL;
		return -ENOMEM;
	}
	memset(b->pools, 0, setups->count * sizeof *b->pools);
	b->pools_count = setups->count;
	for_each_setup(setup, setups) pool_prepare(&b->pools[setup->number], b, setup);
	return 0;
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
	b->run_here = config->run_here;
	b->kept = config->kept;
	b->one_cpu = cpu_allowed() == 1;
	b->spins = !config->run_here && !(b->options.flags & BROOD_NO_SPIN) && cpu_usable("") > 1;
	b->ticks = cpu_ticks_steady();
	b->channel_fd = config->channel_fd;
	b->log_fd = config->log_fd;
	b->records_count = config->records;
	b->epoll_fd = b->news_fd = b->timer_fd = b->queues_fd = b->over_fd = b->unsent_fd = -1;
	b->dispatcher.efd = -1;
	b->log_ended = !config->options->log;
	list_init(&b->dispatcher.link);
	list_init(&b->calls);
	list_init(&b->wishes.inboxes);
	list_init(&b->out);
	list_init(&b->keepers);
	list_init(&b->log_waits);
	list_init(&b->followers);
	list_init(&b->spare);
	list_init(&b->queues.list);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->queues.lock, NULL);
	pthread_mutex_init(&b->common.lock, NULL);
	r = identity_get(b->channel_fd, &b->channel);
	if (r >= 0)
		r = make_memory(b);
	if (r >= 0)
		r = make_pools(b, &config->pools);
	if (r >= 0)
		r = make_fds(b);
	if (r < 0) {
		engine_free(b);
		return r;
	}
	*ret_brood = b;
	return 0;
}

/*
 * Frees an engine whose start failed, and the supervisor's copy of one. An engine that ran is never
 * freed.
 */
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
	close_fd(b->queues_fd);
	close_fd(b->over_fd);
	close_fd(b->unsent_fd);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->queues.lock);
	pthread_mutex_destroy(&b->common.lock);
	free(b->records);
	free(b->taken);
	free(b->lease_pages);
	free(b->pools);
	free(b);
	return NULL;
}

int engine_adopt(struct brood *b)
{
	int r = process_set_pdeathsig(SIGKILL, b->supervisor_pid);

	if (r < 0)
		return r;
	/* a kernel may lack wipe-on-fork: then os/role.c still knows a forked child */
	shm_wipe_on_fork(b->alive, shm_page());
	atomic_store(b->alive, ENGINE_ALIVE);
	answer_at = &b->shared.tally->answers.asked;
	return 0;
}

int engine_rearm(struct brood *b)
{
	int r = process_set_pdeathsig(SIGKILL, b->supervisor_pid);

	return r < 0 ? fail_with(r,
			       "brood_rearm: the supervisor is gone: nothing would end this "
			       "process with it any more")
		     : 0;
}
