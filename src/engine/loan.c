/* SPDX-License-Identifier: MIT */
/*
 * loan.c - memory for requests that is lent to workers: brood_request_new() and its like.
 *
 * The memory is a memory file that only the engine can write to: it is mapped here first, and then
 * sealed, with F_SEAL_FUTURE_WRITE among the seals. A worker gets the file and maps it to read. So
 * a job costs the same whatever its request's size is.
 *
 * All memory is taken when the file is made. Else a lack of memory would show when the program
 * fills a page, as SIGBUS.
 *
 * A buffer that the program has freed goes when the last job that uses it has its verdict. Then the
 * workers that have it mapped are told to drop it. No memory file is ever used again for another
 * buffer.
 */
#include "loan.h"

#include "engine_root.h"
#include "given.h"

#include "../os/closing.h"
#include "../os/futex.h"
#include "../os/shm.h"
#include "../wire/ring.h"
#include "../wire/slot_page.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

struct file {
	int fd;
	void *memory;
};

static int map_and_seal(int fd, size_t size, void **ret_memory)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int r;

	if (memory == MAP_FAILED)
		return -errno;
	r = fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : shm_not_in_children(memory, size);
	if (r < 0)
		munmap(memory, size);
	else
		*ret_memory = memory;
	return r;
}

static int file_make(size_t size, struct file *ret)
{
	int r, fd = fds_above_standard(shm_memfd("brood-request", NULL, size, NULL));

	if (fd < 0)
		return fd;
	r = shm_memfd_take(fd, size);
	if (r == 0)
		r = map_and_seal(fd, size, &ret->memory);
	if (r < 0)
		close_fd(fd);
	else
		ret->fd = fd;
	return r;
}

static uint64_t next_id(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

static int fail_memory(int r, size_t size)
{
	if (r == -EFBIG)
		return fail_with(r,
			"brood_request_new: %zu bytes are more than RLIMIT_FSIZE allows: raise it "
			"(ulimit -f, LimitFSIZE=)",
			size);
	if (r == -ENOMEM)
		return fail_with(r,
			"brood_request_new: there is no memory for %zu bytes: free what is not "
			"needed, or raise the limit (cgroup, RLIMIT_AS)",
			size);
	return fail_system(r, "the memory of a request");
}

int engine_request_new(struct brood *b, size_t size, struct brood_request **ret)
{
	VISIT(b);
	const size_t page = shm_page();
	struct brood_request *loan;
	struct file file;
	int r;

	if (size == 0 || size > (size_t)SSIZE_MAX - page)
		return fail_with(-EINVAL,
			"brood_request_new: size is %zu: more than 0, less than all memory", size);
	if (atomic_load(&b->refusing))
		return fail_stopped();
	loan = calloc(1, sizeof *loan);
	if (!loan)
		return fail_memory(-ENOMEM, size);
	loan->brood = b;
	loan->size = size;
	loan->mapped = (size + page - 1) / page * page;
	r = file_make(loan->mapped, &file);
	if (r < 0) {
		free(loan);
		return fail_memory(r, size);
	}
	loan->fd = file.fd;
	loan->memory = file.memory;
	if (identity_get(loan->fd, &loan->identity) < 0)
		loan->identity = (struct identity){ 0 };
	loan->holders = loan->users = 1;
	loan->id = next_id();
	list_init(&loan->places);
	pthread_mutex_init(&loan->lock, NULL);
	*ret = loan;
	return 0;
}

void *engine_request_memory(const struct brood_request *loan, size_t *ret_size)
{
	if (ret_size)
		*ret_size = loan->size;
	return loan->memory;
}

size_t engine_request_out(const struct brood_request *loan)
{
	return atomic_load_explicit(&loan->users, memory_order_acquire) - 1;
}

/* ---- which workers have the memory ---- */

static void let_go(struct brood_request *loan)
{
	if (atomic_fetch_sub(&loan->holders, 1) > 1)
		return;
	pthread_mutex_destroy(&loan->lock);
	free(loan);
}

/*
 * Tells the place's worker to drop its mapping. The engine may not know yet that the lease is over:
 * then the slot's present worker looks for nothing once.
 */
static void tell_gone(const struct loan_place *place)
{
	struct slot_page *page = place->page;

	atomic_store(&place->down->gone[place->number], place->id);
	atomic_store(&page->attention, 1);
	if (atomic_load(&page->asleep) == 0)
		return;
	atomic_fetch_add(&page->wake, 1);
	futex_wake(&page->wake, 1);
}

/* The places stay taken. Their leases find the id gone, and use them for other loans. */
static void tell_all(struct brood_request *loan)
{
	list_for_each_safe(link, tmp, &loan->places)
		tell_gone(container_of(link, struct loan_place, link));
}

int loan_fd(struct brood_request *loan)
{
	int fd;

	pthread_mutex_lock(&loan->lock);
	fd = identity_is(loan->fd, &loan->identity) ? loan->fd : -EBADF;
	pthread_mutex_unlock(&loan->lock);
	return fd;
}

void loan_enter(struct brood_request *loan, struct loan_place *place, uint64_t id)
{
	atomic_fetch_add(&loan->holders, 1);
	place->loan = loan;
	place->id = id;
	pthread_mutex_lock(&loan->lock);
	list_append(&place->link, &loan->places);
	pthread_mutex_unlock(&loan->lock);
}

void loan_leave(struct loan_place *place)
{
	struct brood_request *loan = place->loan;

	if (!loan)
		return;
	pthread_mutex_lock(&loan->lock);
	list_remove(&place->link);
	pthread_mutex_unlock(&loan->lock);
	place->loan = NULL;
	place->id = 0;
	let_go(loan);
}

/* ---- who uses it ---- */

struct brood_request *loan_hold(struct brood_request *loan)
{
	atomic_fetch_add(&loan->holders, 1);
	atomic_fetch_add(&loan->users, 1);
	return loan;
}

static void give_back(struct brood_request *loan)
{
	pthread_mutex_lock(&loan->lock);
	tell_all(loan);
	loan->id = 0;
	if (identity_is(loan->fd, &loan->identity))
		close_fd(loan->fd);
	loan->fd = -1;
	pthread_mutex_unlock(&loan->lock);
	munmap(loan->memory, loan->mapped);
}

struct brood_request *loan_release(struct brood_request *loan)
{
	if (atomic_fetch_sub(&loan->users, 1) == 1)
		give_back(loan);
	let_go(loan);
	return NULL;
}

void engine_request_free(struct brood_request *loan)
{
	VISIT_VOID(loan->brood);

	loan_release(loan);
}

/* ---- undead workers ---- */

static int change_file(struct brood_request *loan)
{
	struct file file;
	int r = file_make(loan->mapped, &file);

	if (r < 0)
		return r;
	memcpy(file.memory, loan->memory, loan->size);
	if (mremap(file.memory, loan->mapped, loan->mapped, MREMAP_MAYMOVE | MREMAP_FIXED,
		    loan->memory) == MAP_FAILED) {
		r = -errno;
		munmap(file.memory, loan->mapped);
		close_fd(file.fd);
		return r;
	}
	/* the workers that have the old file hear of it when the buffer is freed */
	loan->id = next_id();
	if (identity_is(loan->fd, &loan->identity))
		close_fd(loan->fd);
	loan->fd = file.fd;
	if (identity_get(loan->fd, &loan->identity) < 0)
		loan->identity = (struct identity){ 0 };
	return 0;
}

static int clean(struct brood_request *loan)
{
	int r = 0;

	pthread_mutex_lock(&loan->lock);
	if (loan->tainted && (r = change_file(loan)) == 0)
		loan->tainted = false;
	pthread_mutex_unlock(&loan->lock);
	return r;
}

void loan_taint(struct brood_request *loan)
{
	loan->tainted = true;
	clean(loan); /* if there is no memory now, loan_check() tries again */
}

/* ---- a job that uses it ---- */

static int fail_outside(const struct brood_request *loan)
{
	return fail_with(-EINVAL,
		"job options: the request does not lie in the memory of options.request (%zu bytes "
		"at %p): fill that memory, and give the job a part of it",
		loan->size, (void *)loan->memory);
}

int loan_check(const struct brood *b, struct given *given)
{
	struct brood_request *loan = given->options.request;
	const unsigned char *from;
	int r;

	if (given->request_size == BROOD_SIZE_UNKNOWN)
		return fail_with(-EINVAL,
			"job options: request is set, but the job has a socket: use brood_call(), "
			"brood_submit() or brood_map()");
	if (loan->brood != b || given->request_count > 1)
		return fail_with(-EINVAL,
			"job options: with options.request, a request is one piece of memory of "
			"the same brood");
	from = given->request_size ? given->request->iov_base : loan->memory;
	if (from < loan->memory || from > loan->memory + loan->size ||
		given->request_size > (size_t)(loan->memory + loan->size - from))
		return fail_outside(loan);
	if (loan->tainted && (r = clean(loan)) < 0)
		return fail_system(r,
			"other memory for options.request, which a worker that does not die still "
			"reads");
	given->loan = loan;
	given->loan_at = (size_t)(from - loan->memory);
	return 0;
}
