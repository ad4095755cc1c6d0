/* SPDX-License-Identifier: MIT */
/*
 * resolver.c - looks up the names of functions for death reports. The names stand in ELF files
 * whose paths come from workers that died: a file may be on a file system that does not answer, or
 * be made to break its reader. So the supervisor does not read these files. A fork of the
 * supervisor does, with memory of its own, and puts the names into the reports. This resolver is
 * killed after RESOLVER_MS; then the reports stay without names.
 *
 * There is one resolver at a time. The next one begins only when twenty times as long has passed as
 * the fork took: so a large supervisor does not spend its time on forks while workers crash in a
 * loop.
 */
#include "resolver.h"
#include "../os/fds.h"
#include "../os/title.h"
#include "../pool/guilty.h"
#include "../wire/report_names.h"

#include <sys/resource.h>

#define RESOLVER_MS 3000u
#define POLL_MS     20u /* how often a timer looks for the end of a resolver without a pidfd */
#define PAUSE_TIMES 20

/* ---- in the child ---- */

static void look_up_all(const struct reports_entry *entry, struct brood_report *report)
{
	report_names(report,
		&(struct report_names_from){ .module = entry->module,
			.modules = entry->modules,
			.modules_count = entry->modules_count });
	guilty_trim(report);
}

static void begin(struct supervisor *s, uint64_t from, uint64_t to)
{
	struct reports_page *page = s->config.shared->reports_page;
	/* A file that gets shorter ends this process by SIGBUS. 1 byte: no core (worker/main.c). */
	const struct rlimit seconds = { 2, 3 }, no_core = { 1, 1 };
	struct brood_report report;

	signals_default_all(NULL, 0);
	if (process_set_pdeathsig(SIGKILL, s->pid) < 0)
		_exit(1);
	closing_by(CLOSING_PLAIN, NULL);
	setrlimit(RLIMIT_CPU, &seconds);
	setrlimit(RLIMIT_CORE, &no_core);
	fds_close_all_but(NULL, 0);
	title_set("resolver");
	for (uint64_t n = from; n < to; n++) {
		struct reports_entry *entry = reports_entry(page, n);

		if (atomic_load(&entry->state) != REPORTS_RAW)
			continue;
		report = entry->report;
		look_up_all(entry, &report);
		reports_begin(entry);
		entry->report = report;
		reports_end(entry);
		atomic_store(&entry->state, REPORTS_DONE);
	}
	_exit(0);
}

/* ---- in the supervisor ---- */

static void look_for_the_end(struct supervisor *s)
{
	struct resolver_process *p = &s->resolver;
	int r = p->pid > 0 ? process_wait(p->pid, false, NULL) : -ECHILD;

	if (p->pid <= 0)
		return;
	if (r == 0 || (r < 0 && r != -ECHILD)) {
		uint64_t now = now_ns();

		timer_set(&s->loop, &p->timer,
			p->death.fd >= 0 && now < p->until ? p->until : now + POLL_MS * NS_PER_MS);
		return;
	}
	timer_stop(&s->loop, &p->timer);
	loop_remove(&s->loop, &p->death);
	p->pidfd = close_fd(p->pidfd);
	p->pid = 0;
	note(s, NOTE_REPORT | NOTE_STOP);
}

static void death(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, resolver.death);

	(void)events;
	look_for_the_end(s);
	if (s->resolver.pid > 0 && source->fd >= 0) /* waitid() failed: the timer looks again */
		loop_remove(&s->loop, source);
}

void resolver_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, resolver.timer);

	if (s->resolver.pid <= 0) /* the pause is over */
		note(s, NOTE_REPORT);
	else if (now >= s->resolver.until)
		process_signal(s->resolver.pidfd, s->resolver.pid, SIGKILL);
	look_for_the_end(s);
}

bool resolver_start(struct supervisor *s, uint64_t from)
{
	struct resolver_process *p = &s->resolver;
	uint64_t to = s->config.shared->reports_page->count, began = now_ns();
	int pidfd = -1;
	pid_t pid = process_spawn(&s->way, &pidfd);

	if (pid == 0)
		begin(s, from, to);
	if (pid < 0)
		return false;
	p->pid = pid;
	p->pidfd = pidfd;
	p->next_ns = began + PAUSE_TIMES * (now_ns() - began);
	p->until = began + RESOLVER_MS * NS_PER_MS;
	if (pidfd >= 0)
		(void)loop_add(&s->loop, &p->death, pidfd, EPOLLIN, death);
	timer_set(&s->loop, &p->timer, p->death.fd >= 0 ? p->until : began + POLL_MS * NS_PER_MS);
	return true;
}

void resolver_hurry(struct supervisor *s)
{
	if (s->resolver.pid > 0)
		process_signal(s->resolver.pidfd, s->resolver.pid, SIGKILL);
}

void resolver_end(struct supervisor *s)
{
	const struct timespec ms = { .tv_nsec = (long)NS_PER_MS };

	if (s->resolver.pid <= 0)
		return;
	process_signal(s->resolver.pidfd, s->resolver.pid, SIGKILL);
	for (int i = 0; i < 1000 && s->resolver.pid > 0; i++) {
		look_for_the_end(s);
		if (s->resolver.pid > 0)
			nanosleep(&ms, NULL);
	}
}
