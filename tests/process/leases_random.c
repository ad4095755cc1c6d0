/* SPDX-License-Identifier: MIT */
/*
 * leases_random.c - a supervisor that hears anything from engine and workers, in any order: leases
 * are asked for, ended, looked at, killed; jobs are handed off and cancelled; workers work, leave,
 * die, talk nonsense, are born, and die at birth. What must hold: each lease is over once, and
 * after it was granted, if it was; each job has one verdict; in the end all workers are idle and
 * nothing is left. A seed repeats a run.
 */
#include "../helpers/stage.h"
#include "../unit/unit.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

TestSuite(leases_random, .timeout = 240);

enum { OUT = 64, STEPS = 3000, WORKERS = 3 };
enum role { GONE, IDLE, BUSY, LEASED };

struct out {
	uint64_t id;
	bool is_lease, granted;
};
struct played {
	enum role role;
	uint64_t id, sequence, base, done, published;
	bool runs, leaving;
};
struct life {
	struct stage s;
	struct unit_random r;
	struct played workers[WORKERS];
	struct out out[OUT];
	uint32_t count;
	unsigned overs, verdicts, grants;
};

static uint64_t below(struct life *l, uint64_t limit) { return unit_below(&l->r, limit); }

static struct out *find(struct life *l, uint64_t id)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (l->out[i].id == id)
			return &l->out[i];
	return NULL;
}

static void drop(struct life *l, struct out *o) { *o = l->out[--l->count]; }

/* ---- what the engine hears ---- */

static void engine_hears(struct life *l)
{
	struct frame f;
	struct out *o;

	while (frame_receive(l->s.channel, &f, MSG_DONTWAIT) == 1) {
		switch (f.header.type) {
		case MESSAGE_GRANTED:
			CHECK((o = find(l, f.granted.id)) && o->is_lease && !o->granted);
			o->granted = true;
			break;
		case MESSAGE_LEASE_OVER:
			CHECK((o = find(l, f.lease_over.id)) && o->is_lease);
			CHECK_EQ(o->granted, f.lease_over.how != LEASE_REFUSED);
			l->overs++;
			drop(l, o);
			break;
		case MESSAGE_VERDICT:
			CHECK((o = find(l, f.verdict.verdict.id)) && !o->is_lease);
			l->verdicts++;
			drop(l, o);
			break;
		default: CHECK_EQ(f.header.type, MESSAGE_POOL_READY);
		}
		frame_done(&f);
	}
}

/* ---- what workers hear ---- */

static void hears(struct life *l, uint32_t slot, struct frame *f)
{
	struct played *p = &l->workers[slot];

	switch (f->header.type) {
	case MESSAGE_RUN:
		CHECK_EQ(p->role, IDLE);
		CHECK_GT(f->run.sequence, p->sequence);
		*p = (struct played){ .role = BUSY, .id = f->run.id, .sequence = f->run.sequence };
		break;
	case MESSAGE_GRANT:
		CHECK_EQ(p->role, IDLE);
		CHECK_GE(f->grant.sequence, p->sequence);
		*p = (struct played){ .role = LEASED,
			.id = f->grant.id,
			.base = f->grant.sequence,
			.done = f->grant.sequence,
			.published = f->grant.sequence,
			.sequence = f->grant.sequence };
		l->s.workers[slot].lease = f->grant.id;
		l->grants++;
		break;
	case MESSAGE_RECALL:
		CHECK_EQ(p->role, LEASED);
		CHECK_EQ(f->recall.id, p->id);
		CHECK(!p->leaving);
		p->leaving = true;
		break;
	default: CHECK_EQ(f->header.type, MESSAGE_END);
	}
	frame_done(f);
}

static void workers_hear(struct life *l)
{
	struct frame f;

	for (uint32_t i = 0; i < WORKERS; i++)
		while (l->s.workers[i].channel >= 0 &&
			frame_receive(l->s.workers[i].channel, &f, MSG_DONTWAIT) == 1)
			hears(l, i, &f);
}

static void births(struct life *l)
{
	while (!stage_quiet(l->s.births)) {
		struct stage_worker *w = stage_birth(&l->s);

		if (below(l, 20) == 0) {
			stage_die(w, SIGKILL);
			l->workers[w->slot] = (struct played){ .role = GONE };
			continue;
		}
		stage_ready(w);
		l->workers[w->slot] = (struct played){ .role = IDLE };
	}
}

static void hear_all(struct life *l)
{
	births(l);
	workers_hear(l);
	engine_hears(l);
}

/*
 * Lets the supervisor run, at times until it sends something. The test does not depend on how long
 * that is.
 */
static void breathe(struct life *l)
{
	struct pollfd p[2 + WORKERS] = { { .fd = l->s.channel, .events = POLLIN },
		{ .fd = l->s.births, .events = POLLIN } };

	for (uint32_t i = 0; i < WORKERS; i++)
		p[2 + i] = (struct pollfd){ .fd = l->s.workers[i].channel, .events = POLLIN };
	poll(p, ARRAY_SIZE(p), (int)below(l, 3));
}

/* ---- what the engine does ---- */

static bool fresh(struct life *l)
{
	uint32_t records = WORKERS + l->s.options.backlog,
		 lease_pages = l->s.shared.lease_pages_count;

	if (l->count >= 12)
		return false;
	for (uint32_t i = 0; i < l->count; i++)
		if (l->out[i].id % records == (l->s.id + 1) % records ||
			l->out[i].id % lease_pages == (l->s.id + 1) % lease_pages) {
			l->s.id++;
			i = UINT32_MAX;
		}
	return true;
}

static uint32_t some_ms(struct life *l)
{
	static const uint32_t times[] = { 1, 3, 20, 200, BROOD_FOREVER, BROOD_FOREVER };

	return times[below(l, ARRAY_SIZE(times))];
}

static void asks(struct life *l)
{
	const struct message_lease m = { .queue_ms = some_ms(l),
		.limit_ms = some_ms(l),
		.flags = below(l, 3) == 0 ? LEASE_PINNED : 0,
		.queue = (uint32_t)below(l, 3) };

	if (fresh(l))
		l->out[l->count++] = (struct out){ .id = stage_ask_with(&l->s, &m),
			.is_lease = true };
}

static void gives(struct life *l)
{
	const struct message_job m = { .queue_ms = some_ms(l),
		.run_ms = some_ms(l),
		.grace_ms = 5,
		.name = "played",
		.flags = below(l, 4) == 0 ? BROOD_JOB_ONCE : 0 };

	if (fresh(l))
		l->out[l->count++] = (struct out){ .id = stage_job_with(&l->s, &m, below(l, 3)) };
}

static void meddles(struct life *l)
{
	uint64_t id = l->count ? l->out[below(l, l->count)].id : 1,
		 sequence = l->workers[below(l, WORKERS)].done + below(l, 3);
	struct frame f;

	switch (below(l, 6)) {
	case 0:
	case 1: stage_about(&l->s, MESSAGE_LEASE_END, id); break;
	case 2: stage_about(&l->s, MESSAGE_LEASE_LOOK, id); break;
	case 3: stage_kill(&l->s, id, sequence, LEASE_KILL_CANCEL); break;
	case 4:
		stage_kill(&l->s, id, 0, below(l, 3) ? LEASE_KILL_CANCEL : LEASE_KILL_NONSENSE);
		break;
	default: frame_begin(&f, MESSAGE_CANCEL)->about.id = id; stage_say(l->s.channel, &f);
	}
}

/* ---- what workers do ---- */

/* The supervisor may have killed the worker, and then its channel has ended. */
static void say(struct life *l, uint32_t slot, struct frame *f)
{
	int r = frame_send(l->s.workers[slot].channel, f);

	CHECK(r == 0 || r == -EPIPE || r == -ECONNRESET || r == -EAGAIN);
}

static void swap(struct life *l, uint32_t slot, uint64_t sequence, enum slot_page_state state)
{
	struct slot_page *page = stage_slot_page(&l->s, &l->s.workers[slot]);
	uint64_t word = atomic_load(&page->word);

	if (state == SLOT_PAGE_RUNNING)
		atomic_store(&page->began_ns, now_ns());
	if (SLOT_PAGE_STATE(word) != SLOT_PAGE_CONDEMNED) /* else it waits to die */
		atomic_compare_exchange_strong(&page->word, &word, SLOT_PAGE_WORD(sequence, state));
}

static void works(struct life *l, uint32_t slot)
{
	struct played *p = &l->workers[slot];
	struct stage_worker *w = &l->s.workers[slot];
	struct frame f;

	if (p->role == BUSY) {
		swap(l, slot, p->sequence, below(l, 2) ? SLOT_PAGE_RUNNING : SLOT_PAGE_DONE);
		if (SLOT_PAGE_STATE(atomic_load(&stage_slot_page(&l->s, w)->word)) !=
			SLOT_PAGE_DONE)
			return;
		frame_begin(&f, MESSAGE_FINISHED)->finished =
			(struct message_finished){ .id = p->id, .sequence = p->sequence };
		say(l, slot, &f);
		*p = (struct played){ .role = IDLE, .sequence = p->sequence };
	} else if (p->runs) {
		swap(l, slot, ++p->done, SLOT_PAGE_DONE);
		p->runs = false;
	} else if (p->leaving) {
		frame_begin(&f, MESSAGE_LEFT)->left = (struct message_left){ .id = p->id,
			.sequence = p->done };
		say(l, slot, &f);
		*p = (struct played){ .role = IDLE, .sequence = p->published };
	} else if (p->done < p->published && below(l, 4)) {
		p->runs = true;
		swap(l, slot, p->done + 1, SLOT_PAGE_RUNNING);
	} else if (p->published - p->done < 5) {
		stage_publish(&l->s, w, ++p->published, &(struct stage_limits){ some_ms(l), 5, 0 });
	}
}

static void dies(struct life *l, uint32_t slot)
{
	struct stage_worker *w = &l->s.workers[slot];

	/* the supervisor has killed it already */
	CHECK(kill(w->pid, below(l, 2) ? SIGKILL : SIGSEGV) == 0 || errno == ESRCH);
	w->channel = close_fd(w->channel);
	l->workers[slot].role = GONE;
}

static void raves(struct life *l, uint32_t slot)
{
	static const enum message_type words[] = { MESSAGE_READY, MESSAGE_FINISHED, MESSAGE_LEFT,
		MESSAGE_ESCAPED, MESSAGE_PROGRESS, MESSAGE_JOB_LOG, MESSAGE_GRANTED };
	struct stage_worker *w = &l->s.workers[slot];
	struct frame f;

	if (below(l, 3) == 0 && l->workers[slot].role == LEASED) {
		atomic_store(&stage_slot_page(&l->s, w)->word, unit_random(&l->r));
	} else {
		frame_begin(&f, words[below(l, ARRAY_SIZE(words))]);
		say(l, slot, &f);
	}
	dies(l, slot);
}

static void step(struct life *l)
{
	uint32_t slot = (uint32_t)below(l, WORKERS);
	bool lives = l->workers[slot].role != GONE && l->s.workers[slot].channel >= 0;
	uint64_t what = below(l, 100);

	if (what < 8)
		asks(l);
	else if (what < 14)
		gives(l);
	else if (what < 20)
		meddles(l);
	else if (what < 21 && lives)
		dies(l, slot);
	else if (what < 22 && lives)
		raves(l, slot);
	else if (lives && l->workers[slot].role != IDLE)
		works(l, slot);
	if (below(l, 3) == 0)
		breathe(l);
	hear_all(l);
}

/* Nothing new begins; all that has begun comes to its end. */
static bool ended(struct life *l)
{
	hear_all(l);
	for (uint32_t i = 0; i < l->count; i++)
		if (l->out[i].is_lease)
			stage_about(&l->s, MESSAGE_LEASE_END, l->out[i].id);
	for (uint32_t i = 0; i < WORKERS; i++) {
		struct played *p = &l->workers[i];

		if (p->role == LEASED && !p->runs && !p->leaving)
			continue; /* it is told to leave soon */
		if (p->role > IDLE && l->s.workers[i].channel >= 0)
			works(l, i);
	}
	return l->count == 0;
}

static bool all_idle(struct life *l)
{
	struct stats_page *b = l->s.shared.stats_page;

	hear_all(l);
	return atomic_load(&b->idle) == WORKERS && atomic_load(&b->leased) == 0 &&
		atomic_load(&b->queued) == 0;
}

static void life(void *context)
{
	struct life *l = calloc(1, sizeof *l);

	CHECK(l);
	l->r.state = *(const uint64_t *)context;
	stage_init(&l->s, WORKERS);
	l->s.options.backoff_min_ms = l->s.options.backoff_max_ms = 1;
	l->s.options.start_limit = 1000;
	l->s.options.healthy_ms = 1;
	l->s.options.lease_idle_ms = 20;
	l->s.options.leases = 2;
	stage_start(&l->s);
	for (uint32_t i = 0; i < WORKERS; i++)
		l->workers[i].role = IDLE;
	for (int i = 0; i < STEPS; i++)
		step(l);
	CHECK_MSG(WAIT_UNTIL(ended(l), STAGE_MS), "seed %llu: %u are out, of them %llu",
		(unsigned long long)*(const uint64_t *)context, l->count,
		(unsigned long long)l->out[0].id);
	CHECK_MSG(WAIT_UNTIL(all_idle(l), STAGE_MS), "seed %llu",
		(unsigned long long)*(const uint64_t *)context);
	note("seed %llu: %u leases over, %u verdicts, %u granted",
		(unsigned long long)*(const uint64_t *)context, l->overs, l->verdicts, l->grants);
	CHECK_GT(l->grants, 0);
	CHECK_GT(l->verdicts, 0);
	stage_end(&l->s);
}

Test(leases_random, any_life)
{
	for (uint64_t seed = 1; seed <= 10; seed++)
		case_run_with(life, &seed, 60000);
}
