/* SPDX-License-Identifier: MIT */
/*
 * proc.h - what /proc says of the processes of a case, and waits for conditions.
 *
 * No wait is a fixed sleep: WAIT_UNTIL() looks again and again until the condition holds or the
 * bound has passed, and proc_wait_gone() sleeps on a pidfd. Bounds are multiplied by
 * BROOD_TEST_SCALE (a number, for valgrind, sanitizers and loaded machines). They say when to give
 * up, and never what is right.
 */
#ifndef BROOD_TESTS_PROC_H
#define BROOD_TESTS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAX 16384

uint64_t test_now_ms(void);
int test_scaled(int ms);
/* Pauses between two looks: 0.2 ms at first, 20 ms in the end. */
void test_pause(unsigned round);

/* True as soon as the expression is; false after ms. */
#define WAIT_UNTIL(e, ms)                                                       \
	__extension__({                                                         \
		uint64_t wait_end_ = test_now_ms() + (uint64_t)test_scaled(ms); \
		unsigned wait_round_ = 0;                                       \
		bool wait_ok_;                                                  \
		while (!(wait_ok_ = (e)) && test_now_ms() < wait_end_)          \
			test_pause(wait_round_++);                              \
		wait_ok_ || (e);                                                \
	})

/* 'R', 'S', 'D', 'T', 't', 'Z', or 0: there is no such process. */
char proc_state(pid_t pid);
static inline bool proc_alive(pid_t pid)
{
	char state = proc_state(pid);
	return state && state != 'Z' && state != 'X';
}
pid_t proc_parent(pid_t pid); /* -1: there is no such process */
pid_t proc_session(pid_t pid);
pid_t proc_group(pid_t pid);
int proc_threads(pid_t pid);
bool proc_wait_gone(pid_t pid, int ms); /* it has ended (a zombie has ended, too) */

/* What ps shows: the arguments, joined by spaces; "" if there are none. Returns text. */
char *proc_title(pid_t pid, char *text, size_t size);
/*
 * How many fds a process has open; or -errno. proc_own_fds() does not count the fd that looking
 * takes.
 */
int proc_fds(pid_t pid);
int proc_own_fds(void);
/* All fds as "0 /dev/null\n1 pipe:[17]\n...", for the message of a failed check. Returns text. */
char *proc_fd_list(pid_t pid, char *text, size_t size);

/* These include zombies and walk over /proc. They return how many they found (at most max). */
int proc_children(pid_t pid, pid_t *pids, int max);
int proc_descendants(pid_t pid, pid_t *pids, int max);
/* Living descendants of root, and root, if their title contains the words. */
int proc_find(pid_t root, const char *words, pid_t *pids, int max);
int proc_count(pid_t root, const char *words);

/*
 * To be called in the engine, whose parent is the supervisor. Workers have titles "NAME: worker 3
 * ...", the guard has "NAME: guard", the spawner "NAME: spawner".
 */
pid_t proc_supervisor(void);
pid_t proc_guard(pid_t supervisor);   /* 0: there is none */
pid_t proc_spawner(pid_t supervisor); /* 0: there is none */
pid_t proc_engine(pid_t supervisor);  /* the same, called from outside; 0: there is none */
int proc_workers(pid_t supervisor, pid_t *pids, int max);
int proc_worker_slot(pid_t worker); /* the slot in a worker's title; -1: none */

#endif
