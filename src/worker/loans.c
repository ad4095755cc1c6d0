/* SPDX-License-Identifier: MIT */
/*
 * loans.c - see loans.h. The memory is mapped without MAP_POPULATE: a page that no job touches
 * costs nothing, and a page that was touched once costs nothing later.
 */
#include "loans.h"

#include "job.h"
#include "worker.h"

#include <fcntl.h>
#include <sys/mman.h>

struct loan {
	uint64_t id; /* 0: the place is free */
	const unsigned char *memory;
	size_t size;
};

static struct loan loans[RING_LOANS];

static void forget(struct loan *loan)
{
	if (!loan->id)
		return;
	munmap((void *)(uintptr_t)loan->memory, loan->size);
	*loan = (struct loan){ 0 };
}

/* The file has the seals that the engine set: it cannot shrink, and nobody else can write to it. */
static bool good(int fd, size_t size)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE;
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size >= size &&
		(fcntl(fd, F_GET_SEALS) & sealed) == sealed;
}

static const struct ring_loan *next_entry(const struct worker_lease *l)
{
	return &l->down->loans[(l->last + 1) % RING_DEPTH];
}

bool loans_take(const struct worker_lease *l, struct brood_job *job, int fd)
{
	const struct ring_loan *e = next_entry(l);
	_cleanup_close_ int owned = fd;
	void *memory;

	if (e->place > RING_LOANS || !good(owned, e->mapped))
		worker_give_up(WORKER_EXIT_RING);
	if (e->place < RING_LOANS)
		forget(&loans[e->place]);
	/* a withdrawn job: its file is for later jobs, unless the engine has freed it meanwhile */
	if (!job && (e->place == RING_LOANS || atomic_load(&l->down->gone[e->place]) == e->id))
		return true;
	memory = mmap(NULL, e->mapped, PROT_READ, MAP_SHARED, owned, 0);
	if (memory == MAP_FAILED)
		return false;
	if (e->place < RING_LOANS) {
		loans[e->place] = (struct loan){ .id = e->id, .memory = memory, .size = e->mapped };
		return true;
	}
	job->request.mapped = memory;
	job->request.mapped_size = e->mapped;
	return true;
}

bool loans_use(const struct worker_lease *l, struct brood_job *job)
{
	const struct ring_loan *e = next_entry(l);
	const unsigned char *memory = job->request.mapped;

	if (e->place < RING_LOANS)
		memory = loans[e->place].id == e->id ? loans[e->place].memory : NULL;
	if (!memory)
		return false;
	if (e->at > e->mapped || job->request_size > e->mapped - e->at)
		worker_give_up(WORKER_EXIT_RING);
	job->request.bytes = memory + e->at;
	return true;
}

void loans_look(const struct worker_lease *l)
{
	for (uint32_t i = 0; i < RING_LOANS; i++)
		if (loans[i].id && atomic_load(&l->down->gone[i]) == loans[i].id)
			forget(&loans[i]);
}

void loans_drop(void)
{
	for (uint32_t i = 0; i < RING_LOANS; i++)
		forget(&loans[i]);
}
