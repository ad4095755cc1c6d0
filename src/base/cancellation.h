/* SPDX-License-Identifier: MIT */
/* cancellation.h - CANCELLATION_OFF: no thread is cancelled in the rest of the scope. */
#ifndef BROOD_CANCELLATION_H
#define BROOD_CANCELLATION_H

#include <pthread.h>

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

#define CANCELLATION_OFF \
	int cancellation_ __attribute__((cleanup(cancellation_back), unused)) = cancellation_off()

#endif
