/* SPDX-License-Identifier: MIT */
/*
 * image.c - see image.h.
 *
 * The image knows no pool: it is made without options. Workers of a pool that keeps signals, or has
 * a limit on memory, change their copy at birth (dispositions_open()). Where a pool has
 * worker_init, rights or the like, the noted state no longer holds after the birth: such workers
 * look at themselves, as without a spawner (image_holds()).
 *
 * So the spawner has the handlers of a worker. Its signals stay blocked, but for those of faults,
 * whose handler sees that it is in no worker.
 */
#include "image.h"

#include "../os/fds.h"
#include "../os/mark.h"
#include "../os/output.h"
#include "../os/proc.h"
#include "../os/process.h"
#include "../os/self.h"
#include "../os/shm.h"
#include "../os/stack.h"
#include "disown.h"
#include "dispositions.h"
#include "hygiene.h"
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FILES_AMPLE 1024        /* more than the numbers of stand-ins, and the files of a request */
#define STACK_DEPTH (32u << 10) /* more than lies on the stack from here to a job's frame */

static struct {
	unsigned blind;
	bool oom_score;
} image;

/* Runs at exit(), in the worker and in children that a job forked. */
static void at_exit(int status, void *unused)
{
	const int error = errno;

	(void)unused;
	memory_note_death(error);
	output_flush();
	_exit(status);
}

static int make(const struct brood_options *options)
{
	int r = fds_null_onto(STDIN_FILENO, O_RDONLY);

	if (r >= 0)
		r = fds_fill_standard();
	if (r >= 0)
		r = stack_alternate();
	if (r < 0)
		return r;
	__fpurge(stdin); /* input that the program had read ahead is not for a job */
	disown_thread_locals();
	if (on_exit(at_exit, NULL) != 0)
		return -ENOMEM;
	return dispositions_prepare(options);
}

/*
 * Sets limits that workers inherit, so that a birth need not. If that fails, each worker does it
 * for itself. The spawner's own limit on files stays high where the caller's is so low that it may
 * keep the spawner from the files of a request.
 */
static void set_limits(struct birth *birth)
{
	birth->nofile_set = birth->nofile.rlim_cur >= FILES_AMPLE &&
		setrlimit(RLIMIT_NOFILE, &birth->nofile) == 0;
	(void)stack_reserve(birth->pools->list[0].options.stack_size + STACK_DEPTH);
}

/*
 * Calls, once and with no effect, the functions that workers call at birth and the spawner does
 * not. The loader may bind a function at its first call: so it binds them here, and not in each
 * worker.
 */
static void rehearse(const struct birth *birth)
{
	struct rlimit now;

	process_drop_real_time();
	(void)setpgid(0, 0); /* the leader of a session keeps its group */
	(void)shm_keep_from_children(NULL, 0);
	if (getrlimit(RLIMIT_NOFILE, &now) == 0)
		setrlimit(RLIMIT_NOFILE, &now);
	/*
	 * Only where workers have a mark, too: without a mark a sweep knows strays by
	 * oom_score_adj, and would take the spawner for one.
	 */
	image.oom_score = mark_is_made() && birth->oom_score_adj != -1001 &&
		proc_set_oom_score_adj(birth->oom_score_adj) == 0;
}

int image_prepare(struct birth *birth)
{
	int r = make(NULL);

	if (r < 0)
		return r;
	rehearse(birth);
	set_limits(birth);
	standard_choose(&birth->standard);
	dispositions_prepare_watch(&birth->pools->list[0].options);
	image.blind = self_settle();
	return hygiene_prepare();
}

int image_make(const struct worker_config *config) { return make(config->options); }

bool image_has_oom_score(const struct worker_config *config)
{
	return config->prepared && image.oom_score;
}

bool image_holds(const struct worker_config *config)
{
	const struct brood_options *o = config->options;

	return config->prepared && !o->worker_init && !(config->pool && config->pool->rights) &&
		o->keep_signals_count == 0 && o->worker_memory == 0 &&
		config->retire_memory_kb == 0 && config->init_data_size == 0 &&
		!(o->flags & BROOD_ACCOUNT_MEMORY);
}

unsigned image_inherit(const struct worker_config *config)
{
	hygiene_inherit(config->files_count - 1); /* the spawner had its channel open, too */
	dispositions_inherit();
	return image.blind;
}
