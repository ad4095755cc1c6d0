/* SPDX-License-Identifier: MIT */
/* hooks.c - see hooks.h. */
#include "hooks.h"

#include "../os/output.h"
#include "../os/self.h"
#include "files.h"
#include "hygiene.h"
#include "report.h"
#include "run.h"
#include "worker.h"

#include <stdlib.h>

static int call_init(void *arg)
{
	const struct brood_options *o = arg;

	return o->worker_init(o->hook_context);
}

static int call_exit(void *arg)
{
	const struct brood_options *o = arg;

	o->worker_exit(o->hook_context);
	return 0;
}

static void hook_escaped(void *arg, int how)
{
	(void)arg;
	if (worker_is_self())
		report_log(0, BROOD_WARNING, "a hook of this worker left by %s",
			how == ESCAPED_LONGJMP ? "longjmp()" : "pthread_exit()");
	worker_give_up(WORKER_EXIT_INIT);
}

static int run_hook(int (*call)(void *))
{
	struct run_frame frame = { .call = call,
		.arg = (void *)(uintptr_t)the_worker.config->options,
		.escaped = hook_escaped };
	int r;

	/* From the hook's first instruction on, the channel may be another file. */
	report_suspect();
	worker_may_fork();
	r = run_framed(&frame);
	if (!worker_is_self())
		/* a child that the hook forked came back: the child ends here */
		exit(r);
	return r;
}

void hooks_init(void)
{
	int r;

	if (!the_worker.config->options->worker_init)
		return;
	files_note_flags();
	self_keep();
	r = run_hook(call_init);
	files_put_back_flags(NULL); /* shared files get their flags back */
	files_note_own();           /* the worker's own files keep the flags that the hook set */
	if (r == 0)
		return;
	report_log(0, BROOD_WARNING, "worker_init returned %d: this worker ends", r);
	output_flush();
	worker_give_up(WORKER_EXIT_INIT);
}

static void end_hook(void)
{
	run_hook(call_exit);
	hygiene_offspring();
}

void hooks_end(bool with_hook)
{
	if (with_hook) {
		if (the_worker.config->options->worker_exit)
			end_hook();
		output_flush();
	}
	_exit(WORKER_EXIT_ORDERLY);
}
