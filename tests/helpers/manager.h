/* SPDX-License-Identifier: MIT */
/*
 * manager.h - a service manager for a case: the test's own process has the socket, reads what the
 * supervisor sends, and sends it signals.
 *
 *   Test(suite, name)
 *   {
 *           manager_open();                      sets NOTIFY_SOCKET for the case
 *           result = manager_live(body);         runs the case, and reads until its end
 *           HEARD("STATUS=...", "READY=1...");   compares all messages
 *   }
 */
#ifndef BROOD_TESTS_MANAGER_H
#define BROOD_TESTS_MANAGER_H

#include "pool.h"

#include <stdio.h>
#include <string.h>

#define MANAGER_HEARD_MAX 128

/* Shared by the test, the engine and the workers. */
struct manager_memory {
	volatile int init;       /* what worker_init returns; -1: it waits */
	volatile int deaf;       /* the manager does not read */
	volatile unsigned heard; /* how many messages the manager has read */
	volatile int wish;       /* a signal that the manager is to send to the supervisor ... */
	volatile int everybody;  /* ... and to the supervisor's children */
	volatile pid_t foreign;  /* a message came from this pid, not from the supervisor */
	/* with N in the place of the number behind MONOTONIC_USEC= and MAINPID= */
	char texts[MANAGER_HEARD_MAX][1200];
};
extern struct manager_memory *manager;

/* ---- in the test ---- */
void manager_open(void);
/* Runs the case. The test fails unless all is well but the exit status. */
struct case_result manager_live(void (*body)(void));
/* Cuts messages that begin with this text to it. */
void manager_shorten(const char *begin);
/* Drops the last messages while they are figures alone. */
void manager_forget_figures(void);
const char *manager_all_heard(void);
/* Fails the test unless the messages are these. Texts of figures alone may be more. */
void manager_heard_is(const char *const *expected);
#define HEARD(...) manager_heard_is((const char *const[]){ __VA_ARGS__, NULL })

/* ---- in the engine ---- */
/* From now on SIGTERM and SIGHUP come by a signalfd. */
void manager_take_signals(void);
bool manager_signal_comes(int ms);
bool manager_heard_last(const char *text);
/* True: the last message was figures alone. */
bool manager_heard_figures(void);

#endif
