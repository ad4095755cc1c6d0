/* SPDX-License-Identifier: MIT */
/* told.c - what the program tells the supervisor: init data, sizes of pools, reloads. */
#include "announce.h"
#include "unsent.h"
#include "engine_root.h"
#include "wait.h"
#include "waiter.h"

#include "../os/shm.h"
#include <fcntl.h>

int engine_check_init_data(const void *data, size_t size, const int *fds, size_t fds_count)
{
	if (size > (size_t)1 << 30)
		return fail_with(-E2BIG,
			"brood_set_init_data: %zu bytes are more than 1 GiB: pass an fd of a file "
			"instead",
			size);
	if (fds_count > BROOD_INIT_FDS_MAX)
		return fail_with(-E2BIG, "brood_set_init_data: %zu fds are more than %d", fds_count,
			BROOD_INIT_FDS_MAX);
	if ((size && !data) || (fds_count && !fds))
		return fail_with(
			-EINVAL, "brood_set_init_data: a size is not 0 but its pointer is NULL");
	return 0;
}

static int init_data_send(struct brood_pool *pool, struct frame *f)
{
	uint32_t version;
	int r;

	if (pool->brood->state != ENGINE_RUNNING)
		return fail_stopped();
	/* counted before the send: while this thread waits for room, another one may call */
	version = ++pool->init_version;
	f->init_data.pool = pool->setup->number;
	f->init_data.version = version;
	r = announce_newest(pool->brood, f, "sending init data to the supervisor");
	if (r < 0 && pool->init_version == version)
		pool->init_version--;
	return r < 0 ? r : (int)version;
}

int engine_set_init_data(
	struct brood_pool *pool, const void *data, size_t size, const int *fds, size_t fds_count)
{
	struct brood *b = pool->brood;
	VISIT(b);
	_cleanup_close_ int memfd = -1;
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	struct frame f;
	int r = engine_check_init_data(data, size, fds, fds_count);

	if (r < 0)
		return r;
	frame_begin(&f, MESSAGE_INIT_DATA);
	f.init_data.data_size = size;
	f.init_data.fds_count = (uint32_t)fds_count;
	if (size) {
		memfd = shm_memfd("brood-init-data", data, size, &seals);
		if (memfd < 0)
			return fail_system(memfd, "brood_set_init_data: memory for the data");
		f.fds[f.fds_count++] = memfd;
	}
	for (size_t i = 0; i < fds_count; i++)
		f.fds[f.fds_count++] = fds[i];
	engine_lock(b);
	r = init_data_send(pool, &f);
	engine_unlock(b);
	return r;
}

int engine_pool_resize(struct brood_pool *pool, uint32_t min, uint32_t max)
{
	struct brood *b = pool->brood;
	VISIT(b);
	uint32_t most = pool->options->workers, scaling = pool->setup->own.scaling;
	struct frame f;
	int r;

	if (max < 1 || max > most)
		return fail_with(-ERANGE,
			"brood_pool_resize: max is %u: 1 to %u (`workers` of the pool at "
			"brood_start())",
			max, most);
	if (min > max || (min > 0 && scaling != BROOD_ELASTIC && min != max))
		return fail_with(-EINVAL,
			"brood_pool_resize: min is %u: at most max, which is %u; and 0 or max "
			"unless the pool is BROOD_ELASTIC",
			min, max);
	frame_begin(&f, MESSAGE_RESIZE);
	f.asked.resize = (struct message_resize){
		.pool = pool->setup->number, .min = scaling == BROOD_ON_DEMAND ? 0 : min, .max = max
	};
	engine_lock(b);
	r = b->state != ENGINE_RUNNING
		? fail_stopped()
		: announce_newest(b, &f, "sending the size of a pool to the supervisor");
	engine_unlock(b);
	return r;
}

static int reload_send(struct brood *b, const struct brood_pool *pool, uint64_t *ret_reload)
{
	uint32_t number = pool ? pool->setup->number : MESSAGE_ALL_POOLS;
	struct frame f;
	int r;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	frame_begin(&f, MESSAGE_RELOAD)->reload = (struct message_reload){
		.id = reloads_add(&b->reloads, number, b->pools_count), .pool = number
	};
	r = announce_newest(b, &f, "asking the supervisor for a reload");
	if (r < 0)
		reloads_unsent(&b->reloads, f.reload.id, r);
	else
		reloads_sent(&b->reloads, f.reload.id);
	waiter_poke_all(b); /* a thread may wait for a reload that this one has superseded */
	if (r == 0 && ret_reload)
		*ret_reload = f.reload.id;
	return r;
}

int engine_reload(struct brood *b, const struct brood_pool *pool, uint64_t *ret_reload)
{
	VISIT(b);
	int r;

	if (pool && (pool < b->pools || pool >= b->pools + b->pools_count))
		return fail_with(-EINVAL,
			"brood_reload: the pool is none of this brood: brood_pool() has them");

	engine_lock(b);
	r = reload_send(b, pool, ret_reload);
	engine_unlock(b);
	return r;
}
