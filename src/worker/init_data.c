/* SPDX-License-Identifier: MIT */
/* init_data.c - see init_data.h. */
#include "init_data.h"

#include "worker.h"

#include <sys/mman.h>
#include <sys/stat.h>

AT_BIRTH static struct brood_init_data own; /* the worker's own init data */
/* What brood_get_init_data() answers; NULL: this process runs no jobs. */
AT_BIRTH static const struct brood_init_data *_Atomic init_data;
/* Inline mode: the init data of the job that this thread runs. NULL: there is none. */
static __thread const struct brood_init_data *here;

static int map_init_data(struct worker_config *c)
{
	struct stat st;
	void *data;

	if (c->init_memfd < 0 || c->init_data_size == 0)
		return 0;
	if (fstat(c->init_memfd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (uint64_t)st.st_size < c->init_data_size)
		return -EINVAL; /* reading past the file's end would be a SIGBUS */
	data = mmap(NULL, (size_t)c->init_data_size, PROT_READ, MAP_PRIVATE, c->init_memfd, 0);
	if (data == MAP_FAILED)
		return -errno;
	own.data = data;
	own.data_size = (size_t)c->init_data_size;
	return 0;
}

int init_data_take(struct worker_config *c)
{
	int r = map_init_data(c);

	c->init_memfd = close_fd(c->init_memfd);
	own.size = sizeof own;
	own.version = c->init_version;
	own.fds = c->init_fds_count ? c->init_fds : NULL;
	own.fds_count = c->init_fds_count;
	atomic_store(&init_data, &own);
	return r;
}

int brood_get_init_data(struct brood_init_data *ret_data) BROOD_NOEXCEPT
{
	const struct brood_init_data *data = atomic_load(&init_data);

	if (!ret_data)
		return -EINVAL;
	if (!data)
		return -EPERM;
	*ret_data = here ? *here : *data;
	return 0;
}

const struct brood_init_data *init_data_here(const struct brood_init_data *data)
{
	const struct brood_init_data *before = here;

	here = data;
	return before;
}

void init_data_set(const struct brood_init_data *data) { atomic_store(&init_data, data); }
