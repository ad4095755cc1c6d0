/* SPDX-License-Identifier: MIT */
/*
 * memory_pressure.c - see memory_pressure.h. pool/pressure.c says when it is calm again, and
 * pool/sizing.c what a pool does meanwhile. Fixed pools keep their workers: if there are no others,
 * the supervisor listens only where the program has asked for that.
 */
#include "memory_pressure.h"
#include "logging.h"

#include <inttypes.h>

void memory_pressure_prepare(struct supervisor *s)
{
	struct memory_pressure *m = &s->memory_pressure;

	m->file.fd = -1;
	source_init(&m->source);
	timer_init(&m->calm, memory_pressure_calm_fired);
}

static bool has_elastic(const struct supervisor *s)
{
	for_each_pool(pool, s) if (!pool->size.fixed) return true;
	return false;
}

static void end(struct supervisor *s)
{
	struct memory_pressure *m = &s->memory_pressure;

	loop_remove(&s->loop, &m->source);
	m->file.fd = close_fd(m->file.fd);
}

static void readable(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, memory_pressure.source);
	struct memory_pressure *m = &s->memory_pressure;

	if (m->file.stream && !pressure_fd_drain(&m->file))
		end(s);
	else if (!(events & m->file.events))
		end(s); /* the cgroup is gone, or the kernel's list of watchers */
	if (!(events & m->file.events))
		return;
	if (pressure_word(&m->state, now_ns()))
		plain_log(s, BROOD_NOTICE, BROOD_EVENT_PRESSURE,
			"memory is short, says %s: elastic pools end idle workers, and do not grow "
			"until that is over",
			m->file.path);
	timer_set(&s->loop, &m->calm, m->state.until_ns);
	note(s, NOTE_SIZE);
}

void memory_pressure_calm_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, memory_pressure.calm);
	struct memory_pressure *m = &s->memory_pressure;
	uint64_t began = m->state.began_ns;

	if (!pressure_over(&m->state, now)) {
		timer_set(&s->loop, timer, m->state.until_ns);
		return;
	}
	plain_log(s, BROOD_NOTICE, BROOD_EVENT_PRESSURE,
		"memory is no longer short, after %" PRIu64 " s: elastic pools grow again",
		(now - began) / NS_PER_S);
	note(s, NOTE_SIZE);
}

static void say_none(struct supervisor *s, int error)
{
	const struct pressure_fd *file = &s->memory_pressure.file;

	plain_log(s, BROOD_NOTICE, BROOD_EVENT_RESOURCE,
		"nobody tells when memory is short, and all else works: %s: %s%s", file->path,
		strerror(-error),
		s->options->pressure_ms > 0
			? " (pressure_ms needs a kernel with PSI, and from Linux 6.5 on no right: "
			  "boot with psi=1, or set 0)"
			: " (systemd has set MEMORY_PRESSURE_WATCH; MemoryPressureWatch=off in the "
			  "unit turns it off)");
}

void memory_pressure_begin(struct supervisor *s)
{
	struct memory_pressure *m = &s->memory_pressure;
	const uint32_t stall_ms = s->options->pressure_ms;
	int r;

	if (stall_ms == BROOD_FOREVER || (stall_ms == 0 && !has_elastic(s)))
		return;
	if (stall_ms > 0)
		pressure_fd_from_kernel(stall_ms, s->config.delegated->fd, &m->file);
	else
		pressure_fd_from_environment(&m->file);
	r = m->file.error;
	if (m->file.fd >= 0)
		r = loop_add(&s->loop, &m->source, m->file.fd, m->file.events, readable);
	if (r < 0) {
		say_none(s, r);
		m->file.fd = close_fd(m->file.fd);
	}
}
