/* SPDX-License-Identifier: MIT */
/*
 * message.h - the messages between the processes. All are images of one binary, so a message is a
 * struct. The sender zeroes it whole, or its padding would leak memory; the receiver checks type
 * and sizes before it looks.
 *
 *   engine -> supervisor   JOB (+fds)  CANCEL  STOP  NOTIFY  INIT_DATA (+fds)  LEASE (+5 fds)
 *                          LEASE_END  LEASE_LOOK  LEASE_KILL  EXITING  DROPPED  RESIZE  RELOAD
 *                          FAULT  DRAINING  KEEP (+fd)  WISH_DONE  WISH_NONE
 *   supervisor -> engine   VERDICT (+fds)  POOL_READY  POOL_DEGRADED  STOPPED  PROGRESS  GRANTED
 *                          LEASE_OVER  RELOADED  KEY_FAULT  TAKEN  WISH  SOCKET (+fd)
 *                          and on a datagram socket of their own, so that they never stand before
 *                          a verdict: LOG
 *   supervisor -> worker   RUN (+fds)  END  GRANT (+5 fds)  RECALL
 *   worker -> supervisor   READY  FINISHED (+fds)  ESCAPED  JOB_LOG  PROGRESS  LEFT  CALLED (a job
 *                          that made system calls is over, see slot_page.called)  WORN (the worker
 *                          is to be replaced)  SOCKET (+fd)
 *   engine -> worker       on the side socket of a lease: WITH (+fds)
 *   worker -> engine       on the side socket of a lease: BACK (+fds)  PROGRESS
 *   supervisor -> spawner  SPAWN (+fds)
 *   spawner -> supervisor  BORN
 *   supervisor -> guard    (nothing: the guard watches a pidfd and reads the roster)
 *
 * WISH: an operator (brood-ctl cancel) wants the job of that id to end, and the supervisor does not
 * have it. DONE: the engine has ended it, or told it to end; NONE: the engine has no such job.
 *
 * The verdict of a handed-off job is written by the supervisor alone (pool/fate.c). When a worker's
 * pidfd is readable, the supervisor reads the worker's channel to its end, kills what is left of
 * the worker's group, and reaps. A valid FINISHED in the channel decides the verdict; without one
 * the wait status does.
 *
 * The verdict of a job in a ring (ring.h) is written by the engine's library alone, by the same
 * rule; if the worker has died, the library waits for LEASE_OVER, which has the facts. For a
 * handed-off job the library makes up a verdict in two cases only: lost, if the channel to the
 * supervisor has ended, or the time for the stop is over; refused, if the job's message could never
 * be sent.
 */
#ifndef BROOD_WIRE_MESSAGE_H
#define BROOD_WIRE_MESSAGE_H

#include "message_birth.h"
#include "message_job.h"
#include "message_lease.h"
#include "message_pool.h"

enum message_type {
	MESSAGE_JOB = 1,
	MESSAGE_CANCEL,
	MESSAGE_STOP,
	MESSAGE_NOTIFY,
	MESSAGE_INIT_DATA,
	MESSAGE_LEASE,
	MESSAGE_LEASE_END,
	MESSAGE_LEASE_LOOK,
	MESSAGE_LEASE_KILL,
	MESSAGE_EXITING,
	MESSAGE_DROPPED,
	MESSAGE_RESIZE,
	MESSAGE_RELOAD,
	MESSAGE_FAULT,
	MESSAGE_WISH_DONE,
	MESSAGE_WISH_NONE,
	MESSAGE_DRAINING,
	MESSAGE_KEEP,
	MESSAGE_VERDICT = 32,
	MESSAGE_POOL_READY,
	MESSAGE_POOL_DEGRADED,
	MESSAGE_STOPPED,
	MESSAGE_LOG,
	MESSAGE_GRANTED,
	MESSAGE_LEASE_OVER,
	MESSAGE_RELOADED,
	MESSAGE_KEY_FAULT,
	MESSAGE_TAKEN,
	MESSAGE_WISH,
	MESSAGE_RUN = 64,
	MESSAGE_END,
	MESSAGE_GRANT,
	MESSAGE_RECALL,
	/* PROGRESS also goes on to the engine, and over side sockets; SOCKET to the engine */
	MESSAGE_READY = 96,
	MESSAGE_FINISHED,
	MESSAGE_ESCAPED,
	MESSAGE_JOB_LOG,
	MESSAGE_PROGRESS,
	MESSAGE_LEFT,
	MESSAGE_CALLED,
	MESSAGE_WORN,
	MESSAGE_SOCKET,
	MESSAGE_WITH = 128,
	MESSAGE_BACK,
	MESSAGE_SPAWN = 160,
	MESSAGE_BORN,
};

#endif
