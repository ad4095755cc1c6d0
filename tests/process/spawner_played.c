/* SPDX-License-Identifier: MIT */
/*
 * spawner_played.c - a real supervisor with a played spawner and played workers: the spawner dies
 * before it answers, answers late, says nothing, talks nonsense, or says that it cannot do this
 * here.
 */
#define _GNU_SOURCE
#include "../helpers/stage.h"
#include "../../src/os/fds.h"
#include "../../src/os/mark.h"
#include "../../src/os/process.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

TestSuite(spawner_played, .timeout = 120);

static struct stage s;

/* Receives a request. It ends with the supervisor, as a real one does. */
static bool asked(const struct spawner_config *c, struct frame *f)
{
	CHECK_EQ(process_set_pdeathsig(SIGKILL, c->birth->supervisor_pid), 0);
	return frame_receive(c->channel_fd, f, 0) == 1;
}

static pid_t make_one(struct spawner_config *c, struct frame *f)
{
	_Atomic int32_t *place = &c->birth->shared->roster->workers[f->birth.spawn.slot].pid;
	pid_t pid = process_spawn_sibling(&c->way, -1, place);

	if (pid == 0)
		birth_worker(c->birth, &f->birth.spawn, f->fds);
	return pid;
}

/* Makes a worker, and dies before it has said so. */
static void __attribute__((noreturn)) dies_before_it_answers(struct spawner_config *c)
{
	struct frame f;

	if (asked(c, &f))
		make_one(c, &f);
	_exit(0);
}

/* Answers that nothing of this kind is possible here. */
static void __attribute__((noreturn)) cannot(struct spawner_config *c)
{
	struct frame f, answer;

	while (asked(c, &f)) {
		frame_begin(&answer, MESSAGE_BORN)->birth.born =
			(struct message_born){ .slot = f.birth.spawn.slot,
				.generation = f.birth.spawn.generation,
				.result = -ENOSYS };
		frame_done(&f);
		if (frame_send(c->channel_fd, &answer) < 0)
			break;
	}
	_exit(0);
}

static void __attribute__((noreturn)) says_nothing(struct spawner_config *c)
{
	struct frame f;

	while (asked(c, &f))
		frame_done(&f);
	_exit(0);
}

static void __attribute__((noreturn)) talks_nonsense(struct spawner_config *c)
{
	struct frame f;

	if (asked(c, &f))
		(void)send(c->channel_fd, "nonsense", 8, MSG_NOSIGNAL);
	for (;;)
		pause();
}

struct late {
	atomic_int births, answer;
};
/* behind what the stage has there */
static struct late *late(void) { return (struct late *)((char *)case_shared() + 4096); }

/* Makes marked workers. It answers about the third when the test says so. */
static void __attribute__((noreturn)) answers_late(struct spawner_config *c)
{
	struct frame f, answer;
	pid_t pid;

	while (asked(c, &f)) {
		pid = process_spawn_sibling(
			&c->way, -1, &c->birth->shared->roster->workers[f.birth.spawn.slot].pid);
		if (pid == 0) {
			CHECK_EQ(mark_self(f.birth.spawn.mark), 0);
			birth_worker(c->birth, &f.birth.spawn, f.fds);
		}
		if (atomic_fetch_add(&late()->births, 1) == 2)
			CHECK(WAIT_UNTIL(atomic_load(&late()->answer), STAGE_MS));
		frame_begin(&answer, MESSAGE_BORN)->birth.born =
			(struct message_born){ .slot = f.birth.spawn.slot,
				.generation = f.birth.spawn.generation,
				.result = pid };
		frame_done(&f);
		CHECK_EQ(frame_send(c->channel_fd, &answer), 0);
	}
	_exit(0);
}

/* Leaves a process with the mark of this worker: a sweep that kills it has looked at all. */
static void leave_stray(pid_t worker)
{
	struct rlimit mark;
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_EQ(prlimit(worker, RLIMIT_LOCKS, NULL, &mark), 0);
		CHECK_EQ(setrlimit(RLIMIT_LOCKS, &mark), 0);
		setsid();
		if (fork() > 0)
			_exit(0);
		fds_close_all_but(NULL, 0);
		for (;;)
			pause();
	}
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void swept(void)
{
	struct stage_worker *w;

	stage_init(&s, 2);
	s.spawner = answers_late;
	stage_start(&s);
	stage_die(&s.workers[0], SIGKILL);
	w = stage_birth(&s);
	CHECK_EQ(atomic_load(&s.shared.stats_page->spawned), 2);
	leave_stray(w->pid);
	atomic_store(&stage_slot_page(&s, &s.workers[1])->offspring, 1);
	stage_die(&s.workers[1], SIGKILL); /* it asks for a sweep */
	CHECK(WAIT_UNTIL(atomic_load(&s.shared.stats_page->strays_killed) == 1, STAGE_MS));
	CHECK(proc_alive(w->pid));
	CHECK_EQ(atomic_load(&s.shared.stats_page->spawned), 2);
	atomic_store(&late()->answer, 1);
	stage_ready(w);
	stage_reborn(&s);
	STATS_PAGE(&s, 2, 0, 0, 0);
	CHECK_EQ(atomic_load(&s.shared.stats_page->died), 2);
	CHECK_EQ(atomic_load(&s.shared.stats_page->strays_killed), 1);
	stage_end(&s);
}

static void played(void (*spawner)(struct spawner_config *) __attribute__((noreturn)))
{
	struct message_run run;
	uint64_t id;

	stage_init(&s, 4);
	s.spawner = spawner;
	stage_start(&s);
	/* one more birth, and a job for the worker */
	stage_die(&s.workers[0], SIGKILL);
	stage_reborn(&s);
	STATS_PAGE(&s, 4, 0, 0, 0);
	CHECK_EQ(atomic_load(&s.shared.stats_page->spawned), 5);
	CHECK_EQ(atomic_load(&s.shared.stats_page->spawn_failures), 0);
	id = stage_job(&s);
	run = stage_run(&s.workers[0], id);
	stage_finish(&s, &s.workers[0], &run);
	(void)stage_verdict(&s, id);
}

static void adopted(void)
{
	played(dies_before_it_answers);
	CHECK_GE(atomic_load(&s.shared.stats_page->spawner_deaths), 1);
	stage_end(&s);
}
static void impossible(void)
{
	played(cannot);
	CHECK(WAIT_UNTIL(atomic_load(&s.shared.stats_page->spawner_pid) == 0, STAGE_MS));
	CHECK_EQ(atomic_load(&s.shared.stats_page->spawner_deaths), 0);
	stage_end(&s);
}
static void silent(void)
{
	played(says_nothing);
	CHECK_GE(atomic_load(&s.shared.stats_page->spawner_deaths), 1);
	stage_end(&s);
}
static void nonsense(void)
{
	played(talks_nonsense);
	CHECK_GE(atomic_load(&s.shared.stats_page->spawner_deaths), 1);
	stage_end(&s);
}
static void absent(void)
{
	played(NULL);
	CHECK_EQ(atomic_load(&s.shared.stats_page->spawner_pid), 0);
	stage_end(&s);
}
Test(spawner_played, a_newborn_is_no_stray) { case_run(swept, 40000); }
Test(spawner_played, dead_before_its_answer) { case_run(adopted, 40000); }
Test(spawner_played, impossible_here) { case_run(impossible, 40000); }
Test(spawner_played, silent) { case_run(silent, 60000); }
Test(spawner_played, nonsense) { case_run(nonsense, 40000); }
Test(spawner_played, absent) { case_run(absent, 40000); }
