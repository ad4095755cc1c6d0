/* SPDX-License-Identifier: MIT */
/* birth.c - see birth.h. */
#include "birth.h"

#include <signal.h>
#include <sys/resource.h>

/*
 * Installs the handlers that workers keep. None runs yet: signals stay blocked until the worker has
 * signed the roster.
 */
static void keep_handlers(const struct birth *birth, const struct brood_options *o)
{
	for (size_t i = 0; i < o->keep_signals_count; i++)
		sigaction(o->keep_signals[i], &birth->signals->actions[o->keep_signals[i]], NULL);
}

void birth_worker(const struct birth *birth, const struct message_spawn *m, const int *fds)
{
	const struct pool_setup *setup = &birth->pools->list[m->pool];
	const int leaf_fd = message_spawn_leaf(m, fds);
	const int *own = fds + m->leaf + m->stderr_pipe;
	const uint32_t first = m->init_data_size > 0 ? 2 : 1;
	struct shared shared = *birth->shared; /* a write to the original copies a page */
	struct worker_config config = {
		.options = &setup->options,
		.pool = setup,
		.shared = &shared,
		.slot = m->slot,
		.generation = m->generation,
		.mark = m->mark,
		.session = birth->session,
		.channel_fd = own[0],
		.supervisor_pid = birth->supervisor_pid,
		.oom_score_adj = birth->oom_score_adj,
		.core = m->core != 0,
		.init_memfd = m->init_data_size > 0 ? own[1] : -1,
		.init_data_size = m->init_data_size,
		.init_version = m->init_version,
		.init_fds_count = m->init_fds_count,
		.retire_jobs = m->retire_jobs,
		.retire_memory_kb = (setup->own.retire_memory + 1023) / 1024,
		.standard = birth->standard,
		.stale = birth->stale,
		.prepared = birth->prepared,
		.spawner_fd = birth->spawner_fd,
		.files_count = (int)(first + m->init_fds_count),
		.leaf_fd = leaf_fd,
		.stderr_fd = message_spawn_stderr(m, fds),
		.files_limit = birth->nofile.rlim_cur,
	};

	for (uint32_t i = 0; i < m->init_fds_count; i++)
		config.init_fds[i] = own[first + i];
	keep_handlers(birth, &setup->options);
	if (!birth->nofile_set)
		setrlimit(RLIMIT_NOFILE, &birth->nofile);
	birth->worker_main(&config);
}
