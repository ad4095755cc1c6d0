/* SPDX-License-Identifier: MIT */
/*
 * cancellation.h - CANCELLATION_OFF: the thread is not cancelled in the rest of the scope.
 *
 * CANCELLATION_OFF_IF_THREADS is for calls of less than a microsecond: to change the state and back
 * takes a thirtieth of such a call. Where there is one thread, no other can cancel it. A thread
 * that has cancelled itself may then end inside the library, and the program ends with it.
 */
#ifndef BROOD_CANCELLATION_H
#define BROOD_CANCELLATION_H

#include <pthread.h>
#include <sys/single_threaded.h>

static inline int cancellation_off(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}

static inline void cancellation_back(int *old)
{
	int now;

	pthread_setcancelstate(*old, &now);
}

/* Returns -1 if the state was not changed. */
static inline int cancellation_off_if_threads(void)
{
	return __libc_single_threaded ? -1 : cancellation_off();
}

static inline void cancellation_back_if_off(int *old)
{
	if (*old >= 0)
		cancellation_back(old);
}

#define CANCELLATION_OFF_IF_THREADS                                                    \
	int cancellation_ __attribute__((cleanup(cancellation_back_if_off), unused)) = \
		cancellation_off_if_threads()

#define CANCELLATION_OFF \
	int cancellation_ __attribute__((cleanup(cancellation_back), unused)) = cancellation_off()

#endif
