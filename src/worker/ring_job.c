/* SPDX-License-Identifier: MIT */
/*
 * ring_job.c - one job on lease, from its entry in the ring to its completion.
 *
 * The entry is claimed first: an entry that the engine has withdrawn is passed by. For a job that
 * runs, the slot page word goes to RUNNING and then to DONE. For a job that does not run
 * (withdrawn, refused) the word goes straight to DONE, and only after `done` has counted the job,
 * so that the word never claims a run that there was not.
 *
 * Order at the end: swap the word; close the job's fds; send the reply's fds (BACK); look for what
 * the job left; write the completion and `done`; wake the engine. So whoever sees `done` sees all
 * of it.
 *
 * Between a job and the next nothing is done that costs more than some tens of nanoseconds: one
 * look at the clock (the end of a job is the beginning of the next), no system call, no copy of the
 * entry or of its bytes.
 */
#include "ring_job.h"

#include "../os/cpu.h"
#include "../os/futex.h"
#include "../os/text.h"
#include "files.h"
#include "hooks.h"
#include "hygiene.h"
#include "loans.h"
#include "payload.h"
#include "report.h"
#include "run.h"
#include "wear.h"
#include "worker.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { GOT_IT, REFUSED = DONE_REFUSED_POINTER, LOST = DONE_NO_FD };

/* ---- the end of the lease ---- */

void ring_job_tell(struct worker_lease *l)
{
	const uint64_t one = 1;

	if (l->suspect_done && !identity_is(l->done_fd, &l->done_identity))
		worker_give_up(WORKER_EXIT_CHANNEL);
	l->suspect_done = false;
	l->told = l->rung = l->last;
	while (write(l->done_fd, &one, sizeof one) < 0 && errno == EINTR)
		; /* the counter of the eventfd is full, so the engine finds it readable anyway */
}

void ring_job_left(const struct worker_lease *l, uint32_t flags, uint32_t left)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEFT);
	f.left = (struct message_left){ .id = l->id,
		.sequence = l->last,
		.flags = flags | (flags == FINISHED_RETIRING && left == 0 ? FINISHED_NO_FD : 0),
		.left = left };
	report_send(&f);
}

void ring_job_retire(struct worker_lease *l, uint32_t left)
{
	if (l->last != l->told)
		ring_job_tell(l);
	ring_job_left(l, FINISHED_RETIRING, left);
	/*
	 * Without worker_exit, if a job has left threads: the hook does not expect to run beside
	 * them.
	 */
	hooks_end(!(left & BROOD_LEFT_THREADS));
}

void ring_job_look(struct worker_lease *l)
{
	struct hygiene_ending e = { 0 };

	if (l->owed) {
		e = hygiene_look(TIME_NEVER);
		l->now = 0; /* the time of the look belongs to no job */
	}
	l->owed = false;
	l->left = e.left;
	if (e.retiring)
		ring_job_retire(l, e.left);
}

/* Ends a worker that was to do one job only, and has done it. */
static void __attribute__((noreturn)) end_as_planned(struct worker_lease *l)
{
	ring_job_look(l);
	if (l->last != l->told)
		ring_job_tell(l);
	ring_job_left(l, FINISHED_RETIRING | FINISHED_PLANNED, 0);
	hooks_end(true);
}

/* ---- the end of a job ---- */

/* True: the engine was told of completions that it has not collected yet. Do not tell it again. */
static bool was_told(const struct worker_lease *l)
{
	return l->rung > atomic_load_explicit(&l->down->collected, memory_order_acquire);
}

/*
 * Wakes the engine's thread that sleeps for this very job. The clock is read anew after that (`now`
 * becomes 0), so the time of the wake-up belongs to no job.
 */
static void tell_caller(struct worker_lease *l)
{
	_Atomic uint32_t *word = &l->up->callers[l->last % RING_DEPTH];
	uint32_t how = atomic_load(word);

	if (how == CALLER_WORD(l->last, CALLER_NONE))
		return; /* the thread does not sleep, and looks before it does */
	/*
	 * The engine may have collected the job already, and another job's thread may sleep on this
	 * word now: so the word is swapped only if it still is about this job.
	 */
	while ((how == CALLER_WORD(l->last, CALLER_SLEEPS) ||
		       how == CALLER_WORD(l->last, CALLER_DONE_FD)) &&
		!atomic_compare_exchange_weak(word, &how, CALLER_WORD(l->last, CALLER_TOLD)))
		;
	if (how == CALLER_WORD(l->last, CALLER_SLEEPS))
		futex_wake(word, INT_MAX);
	else if (how == CALLER_WORD(l->last, CALLER_DONE_FD))
		ring_job_tell(l);
	l->now = 0;
}

/* The engine spins only for a worker on another CPU. `done` lies beside, and is written next. */
static void say_cpu(struct worker_lease *l)
{
	uint32_t cpu = cpu_now();

	if (atomic_load_explicit(&l->up->cpu, memory_order_relaxed) != cpu)
		atomic_store_explicit(&l->up->cpu, cpu, memory_order_relaxed);
}

static void count(struct worker_lease *l)
{
	l->last++;
	l->ends[l->last % RING_DEPTH] = l->space.head;
	say_cpu(l);
	atomic_store(&l->up->done, l->last);
	if (l->caller)
		tell_caller(l);
	if (atomic_load(&l->queue->listening) && !was_told(l))
		ring_job_tell(l);
}

/*
 * Begins to fill the completion, in place: the engine does not look at it before `done` counts it.
 */
static struct ring_done *begin_done(struct worker_lease *l, const struct brood_job *job)
{
	struct ring_done *d = &l->up->dones[job->sequence % RING_DEPTH];

	d->reply_size = 0;
	/*
	 * The size goes to 0 first: what stands here of the reply must be true whenever the worker
	 * dies (say_so_far() in payload.c).
	 */
	atomic_signal_fence(memory_order_seq_cst);
	d->sequence = job->sequence;
	d->cpu_us = d->peak_kb = 0;
	d->reply_at = d->left = d->flags = d->extra = 0;
	d->code = 0;
	return d;
}

static void pass_by(struct worker_lease *l)
{
	count(l);
	run_swap(&l->word, SLOT_PAGE_WORD(l->last, SLOT_PAGE_DONE));
}

static void refuse(struct worker_lease *l, struct brood_job *job, uint32_t flags)
{
	struct ring_done *done = begin_done(l, job);
	bool retiring = flags & DONE_NO_FD; /* nor would fds of the next job come */

	run_release(job, false);
	done->began_ns = done->ended_ns = now_ns();
	done->flags = flags | (retiring ? DONE_RETIRING : 0);
	count(l);
	run_swap(&l->word, SLOT_PAGE_WORD(l->last, SLOT_PAGE_DONE));
	l->now = 0;
	if (retiring)
		ring_job_retire(l, 0);
}

/* ---- fds that come over the side socket ---- */

/*
 * Looks at this job's message without reading it. An earlier job may have lowered the limit on open
 * files below what this job brings. Then the message stays in the side socket, for the engine to
 * take back.
 */
static bool room_for_fds(const struct worker_lease *l, const struct ring_entry *e)
{
	static struct frame f;
	struct rlimit limit;
	bool all;

	if (!(e->flags & RING_FDS) || getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
		limit.rlim_cur >= the_worker.files)
		return true;
	if (frame_receive(l->side, &f, MSG_DONTWAIT | MSG_PEEK) != 1)
		return true; /* the read itself will find the fault */
	all = f.fds_count == f.header.fds && !f.fds_lost;
	frame_done(&f);
	return all;
}

/* Reads this entry's WITH. The engine has taken back the messages of the entries passed by. */
static bool hear_with(struct worker_lease *l, const struct ring_entry *e, struct frame *f)
{
	int r;

	worker_lease_check_side(l);
	if (!room_for_fds(l, e))
		return false;
	r = frame_receive(l->side, f, MSG_DONTWAIT);
	if (r == -EAGAIN || r == 0 || r == -ECONNRESET)
		return false; /* an earlier job has read the message from the side socket */
	if (r != 1 || f->header.type != MESSAGE_WITH || f->side.sequence != e->sequence)
		worker_give_up(WORKER_EXIT_RING);
	return true;
}

/*
 * Maps the request's memory file. It must have the seals that the engine set, so that it can
 * neither shrink nor change.
 */
static bool map_request(struct brood_job *job, int fd)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_WRITE;
	_cleanup_close_ int owned = fd;
	struct stat st;
	void *memory;

	if (job->request_size == 0 || fstat(owned, &st) < 0 || st.st_size < 0 ||
		(uint64_t)st.st_size < job->request_size ||
		(fcntl(owned, F_GET_SEALS) & sealed) != sealed)
		worker_give_up(WORKER_EXIT_RING);
	memory = mmap(NULL, job->request_size, PROT_READ, MAP_SHARED | MAP_POPULATE, owned, 0);
	if (memory == MAP_FAILED)
		return false;
	job->request.mapped = memory;
	job->request.mapped_size = job->request_size;
	job->request.bytes = memory;
	return true;
}

static bool take_with(struct worker_lease *l, struct brood_job *job, const struct ring_entry *e)
{
	static struct frame f;
	size_t memfd = (e->flags & (RING_MEMFD | RING_STREAM | RING_LOAN_FD)) != 0,
	       socket = (e->flags & RING_SOCKET) != 0;
	bool all;

	if (!hear_with(l, e, &f))
		return false;
	all = f.fds_count == memfd + socket + e->extra && !f.fds_lost;
	if (all && e->flags & RING_STREAM)
		files_take_stream(job, frame_take_fd(&f, 0));
	else if (all && e->flags & RING_LOAN_FD)
		all = loans_take(l, job, frame_take_fd(&f, 0));
	else if (all && memfd)
		all = map_request(job, frame_take_fd(&f, 0));
	if (all && socket)
		files_take_socket(job, frame_take_fd(&f, memfd), e->flags & RING_OWN_PAIR);
	if (all)
		files_take_extra(job, &f, memfd + socket);
	frame_done(&f);
	return all;
}

static void drop_with(struct worker_lease *l, const struct ring_entry *e)
{
	static struct frame f;

	if (!(e->flags & RING_WITH) || e->flags & RING_FDS || !hear_with(l, e, &f))
		return;
	/* jobs behind this one refer to the memory */
	if (e->flags & RING_LOAN_FD && f.fds_count == 1)
		loans_take(l, NULL, frame_take_fd(&f, 0));
	frame_done(&f);
}

/* ---- the beginning of a job ---- */

/*
 * Returns the entry, if its figures lie within their bounds; NULL: they do not, by a bug of the
 * engine. The engine does not change the entry until `done` has counted it, so one check will do.
 */
static const struct ring_entry *entry_at(const struct ring_down *down, uint64_t sequence)
{
	const struct ring_entry *e = &down->entries[sequence % RING_DEPTH];

	if (e->sequence != sequence || e->arg_size > MESSAGE_ARG_MAX ||
		e->plugin_size + e->tag_size > e->arg_size || e->extra > BROOD_JOB_FDS_MAX ||
		(uint64_t)e->arg_at + e->arg_size > RING_DOWN_BYTES)
		return NULL;
	if (!(e->flags & RING_ELSEWHERE) &&
		(e->request_size > RING_DOWN_BYTES ||
			e->request_at > RING_DOWN_BYTES - e->request_size))
		return NULL;
	return e;
}

static void take_entry(struct worker_lease *l, struct brood_job *job, const struct ring_entry *e)
{
	job->id = e->id;
	job->sequence = e->sequence;
	job->fn = (brood_fn *)(uintptr_t)e->fn;
	job->attempt = e->attempt;
	job->request_size = (size_t)MIN(e->request_size, BROOD_SIZE_UNKNOWN);
	job->trusted = e->job_flags & BROOD_JOB_TRUSTED;
	job->unwatched = l->owed && job->trusted;
	job->no_plugin = false;
	job->on_ring = true;
	job->bytes = !(e->flags & RING_SOCKET);
	job->engine_waits = e->flags & RING_CALL;
	job->request.bytes = e->flags & RING_ELSEWHERE ? NULL : l->down->bytes + e->request_at;
	job->request.read = 0;
	job->request.asked = false;
	job->reply = (struct job_reply){ .memfd = -1 };
	job->arg_size = job->plugin_size = 0;
	job->tag = "";
	if (e->arg_size > 0)
		job_set_arg(
			job, l->down->bytes + e->arg_at, e->arg_size, e->plugin_size, e->tag_size);
}

/*
 * True: the function may be called. A function is checked once, until a job may have unloaded code.
 */
static bool callable(struct worker_lease *l, const struct brood_job *job)
{
	const void *fn = (const void *)(uintptr_t)job->fn;

	if (job->plugin_size > 0 || (fn && fn == l->callable))
		return true;
	if (!text_callable(fn))
		return false;
	l->callable = fn;
	return true;
}

/*
 * Takes over the job. The function is checked before WITH is read: a message that was read cannot
 * be given back to the side socket.
 */
static uint32_t begin(struct worker_lease *l, struct brood_job *job, const struct ring_entry *e)
{
	take_entry(l, job, e);
	if (!callable(l, job)) {
		if (e->flags & RING_WITH)
			take_with(l, job, e);
		return REFUSED;
	}
	if (e->flags & RING_FDS)
		run_begin(job, e->name, &l->word);
	if (e->flags & RING_WITH && !take_with(l, job, e))
		return LOST;
	return e->flags & RING_LOAN && !loans_use(l, job) ? LOST : GOT_IT;
}

/* Claims the entry. False: the engine has withdrawn it. */
static bool claim(struct worker_lease *l, uint64_t sequence)
{
	_Atomic uint32_t *word = &l->up->dones[sequence % RING_DEPTH].claim;
	uint32_t found = atomic_load_explicit(word, memory_order_relaxed);

	if (CLAIM_IS_OPEN(found, sequence) &&
		atomic_compare_exchange_strong(word, &found, CLAIM_WORD(sequence, CLAIM_TAKEN)))
		return true;
	if (found != CLAIM_WORD(sequence, CLAIM_WITHDRAWN))
		worker_give_up(WORKER_EXIT_RING);
	return false;
}

/* ---- running a job ---- */

/*
 * Looks for what the job left. After a trusted job the look is put off until there is no other
 * work.
 */
static struct hygiene_ending look(struct worker_lease *l, const struct ran *ran, uint64_t ran_ns)
{
	if (!ran->did.calls && !ran->did.some)
		return (struct hygiene_ending){ 0 };
	l->callable = NULL;
	if (ran->did.calls && l->trusted) {
		l->owed_ns = l->owed ? l->owed_ns : ran->ended_ns;
		l->owed = true;
		return (struct hygiene_ending){ 0 };
	}
	l->now = 0;
	if (!ran->did.calls)
		return hygiene_look_a_little(ran->did.memory);
	l->owed = false;
	return hygiene_look(ran_ns);
}

static void end(
	struct worker_lease *l, struct brood_job *job, const struct ran *ran, uint64_t began)
{
	struct ring_done *done = begin_done(l, job);
	struct hygiene_ending e;
	bool once;

	done->began_ns = began;
	done->ended_ns = l->now = MAX(ran->ended_ns, began);
	done->code = ran->code;
	done->cpu_us = (uint32_t)MIN(ran->usage.cpu_us, (uint64_t)UINT32_MAX);
	done->peak_kb = (uint32_t)MIN(ran->usage.peak_kb, (uint64_t)UINT32_MAX);
	done->flags = (uint16_t)((job->no_plugin ? DONE_NO_PLUGIN : 0) |
		(ran->memory ? DONE_MEMORY : 0) | ran->told << DONE_TOLD_SHIFT);
	if (job->reply.elsewhere || job->back_count > 0)
		payload_finish(job, done);
	if (!job->reply.elsewhere && job->reply.size > 0)
		done->reply_at = (uint32_t)(job->reply.start % RING_UP_BYTES);
	/* The size is stored last, as in begin_done(): true whenever the worker dies. */
	atomic_signal_fence(memory_order_seq_cst);
	done->reply_size = job->reply.size;
	e = look(l, ran, l->now - began);
	done->left = l->left = e.left;
	once = the_wear.once && !l->pinned;
	done->flags |= e.retiring || once ? DONE_RETIRING : 0;
	count(l);
	if (e.retiring)
		ring_job_retire(l, e.left);
	if (once)
		end_as_planned(l);
	if (--the_wear.jobs_left == 0 || ran->ended_ns >= the_wear.look_ns)
		wear_look(ran->ended_ns);
}

/* What the engine wrote is fetched into the cache while this job runs. */
static void fetch_next(const struct worker_lease *l)
{
	const uint64_t number = (l->last + 2) % RING_DEPTH;
	const char *next = (const char *)&l->down->entries[number];

	if (l->published < l->last + 2)
		return;
	__builtin_prefetch(next);
	__builtin_prefetch(next + 64);
	__builtin_prefetch(&l->up->dones[number], 1);
}

void ring_job(struct worker_lease *l)
{
	struct brood_job *job = &the_job;
	uint64_t sequence = l->last + 1, began;
	const struct ring_entry *e = entry_at(l->down, sequence);
	struct ran ran;
	uint32_t r;

	if (!e)
		worker_give_up(WORKER_EXIT_RING);
	l->caller = e->flags & RING_CALLER;
	/*
	 * The look that trusted jobs have put off is made now: what they left must not be blamed on
	 * this job.
	 */
	if (l->owed && !(e->job_flags & BROOD_JOB_TRUSTED))
		ring_job_look(l);
	if (!claim(l, sequence)) {
		drop_with(l, e);
		pass_by(l);
		return;
	}
	fetch_next(l);
	began = l->now ? l->now : now_ns();
	job->soft_ns = time_after_ms(began, e->run_ms);
	atomic_store_explicit(&the_worker.page->began_ns, began, memory_order_relaxed);
	r = begin(l, job, e);
	if (r != GOT_IT) {
		refuse(l, job, r);
		return;
	}
	l->trusted = e->job_flags & BROOD_JOB_TRUSTED;
	ran = run_job(job, e->name, &l->word);
	end(l, job, &ran, began);
}
