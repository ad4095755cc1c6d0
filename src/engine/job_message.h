/* SPDX-License-Identifier: MIT */
/* job_message.h - gives a job to the supervisor (the handoff), or takes it back. */
#ifndef BROOD_ENGINE_JOB_MESSAGE_H
#define BROOD_ENGINE_JOB_MESSAGE_H

#include "given.h"
#include "job_record.h"
#include "outcome.h"
#include "transfer.h"

/* -EAGAIN: as many jobs are out as the pool has room for. Takes no lock, so this is a hint. */
int job_message_full(const struct brood_pool *pool);
/* Sets up a new handle for the given job. */
void job_message_handle(struct brood_handle *handle, struct brood *b, const struct given *given);
/*
 * Sends the job, under brood.lock. 0: sent, given->fd is still the caller's to close; 1: queued,
 * the fd is the library's; -errno: not accepted; -EXFULL: the supervisor has no room for the job's
 * files (no sentence was set). handle may be NULL.
 */
int job_message_send(struct brood *b, const struct given *given, struct brood_handle *handle);
/*
 * Makes one attempt of a job whose bytes the library moves: a socket pair, the request into it, and
 * the message. No lock. 0: *t is to be moved on, and its fd closed; JOB_MESSAGE_KEPT: the job was
 * given, and is to be sent by job_message_go() once there is room (job_files.h); -errno: no job was
 * given.
 */
#define JOB_MESSAGE_KEPT 1
int job_message_attempt(struct brood *b, struct given *given, struct brood_handle *handle,
	const struct engine_bytes *bytes, struct transfer *t);
/* Sends a kept job. 0: the job is sent, or has its verdict; JOB_MESSAGE_KEPT: no room yet. */
int job_message_go(struct brood *b, struct given *given, struct brood_handle *handle,
	const struct engine_bytes *bytes, struct transfer *t);
/* True: the job of a closed handle gets another attempt, and the handle is open again. No lock. */
bool job_message_again(
	struct brood *b, struct brood_handle *handle, struct queue *l, struct tries *t);
/* Sets the verdict after the last attempt. r: what job_message_attempt() returned. No lock. */
void job_message_over(const struct brood_handle *handle, const struct tries *t, int r,
	struct brood_verdict *inout_verdict);
/* Cancels the job. Under brood.lock. 1: the message waits for room in the channel. Never waits. */
int job_message_cancel(struct brood *b, struct record *record);

#endif
