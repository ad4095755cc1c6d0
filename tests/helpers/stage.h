/* SPDX-License-Identifier: MIT */
/*
 * stage.h - runs a real supervisor between a fake engine and fake workers. A test sees what the
 * supervisor does between the two, message by message, and acts at any moment. Call these functions
 * in the body of a case.
 *
 * The case's process becomes the supervisor. The body goes on in its child, which plays the engine
 * and all workers. Each worker is a process, because a worker must have a pid and an end of its
 * own. But it only signs the roster, sends its end of the channel to the body, and sleeps (it notes
 * what SIGTERM brings). The body sends and receives its messages. The worker dies when the body
 * says so, and its channel ends when the body closes it.
 */
#ifndef BROOD_TESTS_STAGE_H
#define BROOD_TESTS_STAGE_H

#include "../../src/base/base.h"
#include "../../src/wire/birth.h"
#include "../../src/wire/frame.h"
#include "../../src/wire/shared.h"
#include "case.h"

#define STAGE_WORKERS 8
#define STAGE_MS      10000

struct stage_worker {
	pid_t pid;
	int channel;
	uint32_t slot, generation;
	uint64_t lease;
};
struct stage {
	struct brood_options options; /* change them before stage_start() */
	/* SO_SNDBUF of the supervisor's end of the engine's channel; 0: the kernel's */
	int room;
	/* What the spawner does; NULL: there is none. After stage_init(): as in a real pool */
	void (*spawner)(struct spawner_config *) __attribute__((noreturn));
	struct shared shared;
	int channel, log, births;
	struct stage_worker workers[STAGE_WORKERS]; /* index: slot */
	uint64_t id;                                /* the last job given */
};

void stage_init(struct stage *s, uint32_t workers);
void stage_start(struct stage *s); /* the same, and all workers are ready */
/* The body's last call: the workers are killed, the engine ends, and then the supervisor. */
void stage_end(struct stage *s);

/* Workers. */
/* the next worker that is born; it is not ready yet */
struct stage_worker *stage_birth(struct stage *s);
void stage_ready(struct stage_worker *w);
struct stage_worker *stage_reborn(struct stage *s); /* stage_birth() and stage_ready() */
/* kills the worker from outside, and closes its channel */
void stage_die(struct stage_worker *w, int sig);
/* checks that the supervisor kills the worker soon */
bool stage_dies(struct stage_worker *w);
/* the job of the last soft step; 0: there was none */
uint64_t stage_soft(const struct stage_worker *w);

/* Messages. Receives the next one, which must be of this type. POOL_READY is passed over. */
void stage_hear(int channel, struct frame *f, enum message_type type);
bool stage_quiet(int channel); /* true if there is no message */
void stage_say(int channel, struct frame *f);

/* Leases. */
/* asks for a lease and returns its id; the request waits for long, the lease has no limit */
uint64_t stage_ask(struct stage *s, uint32_t flags);
uint64_t stage_ask_with(struct stage *s, const struct message_lease *m);
/* receives GRANTED and GRANT, and checks that nobody else gets a message */
struct stage_worker *stage_granted(struct stage *s, uint64_t id, struct message_granted *ret);
void stage_left(struct stage_worker *w, uint64_t id, uint64_t sequence, uint32_t flags);
void stage_leave(struct stage_worker *w, uint64_t id); /* the worker is told to leave */
struct message_lease_over stage_over(struct stage *s, uint64_t id, uint32_t how);
/* sends LEASE_END or LEASE_LOOK */
void stage_about(struct stage *s, enum message_type type, uint64_t id);
void stage_kill(struct stage *s, uint64_t id, uint64_t sequence, uint32_t cause);

/* A fake ring: what engine and worker write outside the ring itself. */
struct stage_limits {
	uint32_t run_ms, grace_ms, flags;
};
/* the same, and sends LEASE_LOOK where the engine must */
void stage_publish(struct stage *s, const struct stage_worker *w, uint64_t sequence,
	const struct stage_limits *limits);
void stage_word(struct stage *s, const struct stage_worker *w, uint64_t sequence,
	enum slot_page_state state);
static inline struct slot_page *stage_slot_page(struct stage *s, const struct stage_worker *w)
{
	return shared_slot_page(&s->shared, w->slot);
}
static inline struct lease_page *stage_lease_page(struct stage *s, const struct stage_worker *w)
{
	return shared_lease_page(&s->shared, (uint32_t)(w->lease % s->shared.lease_pages_count));
}

/* Handed-off jobs. */
/* gives a job and returns its id; nothing looks at what becomes of it */
uint64_t stage_job(struct stage *s);
uint64_t stage_job_with(struct stage *s, const struct message_job *m, size_t extra);
struct message_run stage_run(struct stage_worker *w, uint64_t id); /* receives RUN of this job */
void stage_finish(struct stage *s, struct stage_worker *w, const struct message_run *run);
struct brood_verdict stage_verdict(struct stage *s, uint64_t id);

/* Limits that never end. */
extern const struct stage_limits stage_forever;
/* True if the stats page has these numbers. */
bool stage_stats_page(
	struct stage *s, uint32_t idle, uint32_t busy, uint32_t leased, uint32_t queued);
#define STATS_PAGE(s, ...) CHECK(WAIT_UNTIL(stage_stats_page(s, __VA_ARGS__), STAGE_MS))

#endif
