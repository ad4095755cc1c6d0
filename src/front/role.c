/* SPDX-License-Identifier: MIT */
/*
 * role.c - the engine is told from its children by a page that the kernel wipes on fork. Where it
 * cannot (emulators), the page says nothing, and the pid is asked.
 */
#include "role.h"

#include "../engine/engine.h"
#include "../os/shm.h"
#include "../worker/worker.h"

#include <sys/mman.h>

static const _Atomic int nobody = ROLE_NOBODY;
static _Atomic int *page;

static struct {
	bool begun, wiped; /* wiped: the kernel wipes the page on fork */
	pid_t pid;
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

static enum role_way way(void)
{
	if (!role.wiped && role.pid == getpid())
		return role.way;
	return (enum role_way)atomic_load_explicit(role_mark, memory_order_relaxed);
}

enum brood_role brood_role(void)
{
	if (!role.begun)
		return BROOD_ROLE_NONE;
	if (way() != ROLE_NOBODY)
		return BROOD_ROLE_ENGINE;
	return worker_is_self() ? BROOD_ROLE_WORKER : BROOD_ROLE_FORKED;
}

int role_check(const char *call, const void *what)
{
	switch (brood_role()) {
	case BROOD_ROLE_WORKER:
		engine_error(
			"%s: this is a worker, and only the engine may call this. A job cannot "
			"give jobs: it would wait for a worker while it has one. Let its "
			"reply say what is to be done, and let the engine give that",
			call);
		return -EPERM;
	case BROOD_ROLE_FORKED:
		engine_error("%s: this is a child that the engine or a job forked; only the "
			     "process in which brood_start() returned may call this",
			call);
		return -EPERM;
	default: break;
	}
	if (!what) {
		engine_error("%s: its first argument is NULL%s", call,
			role.begun ? "" : ", and brood_start() has not succeeded");
		return -EINVAL;
	}
	return (int)way();
}
