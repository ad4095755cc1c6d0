/* SPDX-License-Identifier: MIT */
/*
 * role.c - the engine is told from its children by a page that the kernel wipes on fork. Where the
 * kernel cannot do that (emulators), the pid is compared instead.
 */
#include "role.h"

#include "../base/base.h"
#include "shm.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static const _Atomic int nobody = ROLE_NOBODY;
static _Atomic int *page;

AT_BIRTH static struct {
	bool begun, wiped; /* wiped: the kernel wipes the page on fork */
	pid_t pid, worker;
	enum role_way way;
} role;

const _Atomic int *role_mark = &nobody;

int role_prepare(void)
{
	void *memory = mmap(
		NULL, shm_page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	role_mark = page = memory;
	role.wiped = shm_wipe_on_fork(memory, shm_page()) >= 0;
	return 0;
}

void role_undo(void)
{
	if (page)
		munmap(page, shm_page());
	role_mark = &nobody;
	page = NULL;
}

void role_begin(bool begun) { role.begun = begun; }

void role_take(enum role_way way)
{
	role.begun = true;
	role.pid = getpid();
	role.way = way;
	if (role.wiped)
		atomic_store(page, way);
}

void role_be_worker(pid_t pid) { role.worker = pid; }

enum role_way role_way(void)
{
	if (!role.wiped && role.pid == getpid())
		return role.way;
	return (enum role_way)atomic_load_explicit(role_mark, memory_order_relaxed);
}

enum brood_role role_now(void)
{
	if (!role.begun)
		return BROOD_ROLE_NONE;
	if (role_way() != ROLE_NOBODY)
		return BROOD_ROLE_ENGINE;
	return role.worker != 0 && role.worker == getpid() ? BROOD_ROLE_WORKER : BROOD_ROLE_FORKED;
}
