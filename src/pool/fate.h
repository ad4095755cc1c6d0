/* SPDX-License-Identifier: MIT */
/*
 * fate.h - what became of a job, decided from facts. The supervisor asks for jobs that were handed
 * off, the engine for jobs on lease.
 */
#ifndef BROOD_POOL_FATE_H
#define BROOD_POOL_FATE_H

#include "ladder.h"
#include "../wire/message.h"
#include "../wire/shared.h"

struct fate_facts {
	const struct message_finished *finished; /* a valid FINISHED for this job, or NULL */
	uint32_t escaped;                        /* how the job escaped: ESCAPED_*; 0: it did not */
	/*
	 * The slot page word, which may lie. When condemned: the word before the swap, since
	 * CONDEMNED does not tell whether fn was entered.
	 */
	uint64_t word;
	uint64_t sequence;
	/* The process has ended. code and status are si_code (CLD_*) and si_status. */
	bool ended;
	int code, status;
	int kill_signal;  /* the last signal that Brood sent to end the worker; 0: none */
	bool by_operator; /* and Brood sent it because somebody wanted the worker dead: brood-ctl */
	/* The job asked for SIGABRT (ladder.abort): it was sent before any SIGKILL. */
	bool abort;
	bool condemned; /* the supervisor won the swap */
	enum ladder_cause cause;
	/* The soft step was sent to this job, for `cause`. */
	bool told;
	bool noticed;  /* the job has noticed the soft step */
	bool protocol; /* the worker was dropped for nonsense */
	bool stuck;
	/* The worker was killed and does not end. So there is no second try. */
	bool undead;
	/* The library's own code ended the worker, so the exit code is not the job's. */
	bool gave_up;
	/* The dying worker noted that worker_memory refused it memory. */
	bool memory;
	/* A SIGKILL that Brood did not send was the kernel's, for want of memory. */
	bool oom;
};
/*
 * Sets outcome, detail, code, signal, core, started, left, flags. Returns false when there should
 * be another try: the worker was not condemned and died before fn was entered (or says that it
 * finished a job which never began). For a job that may have no other try, the verdict is set then,
 * too: crashed, started 0.
 */
bool fate_decide(const struct fate_facts *facts, struct brood_verdict *verdict);
/* True: a job with this verdict may be tried again. retry_on: enum brood_retry. */
bool fate_retryable(const struct brood_verdict *verdict, uint32_t retry_on);

#endif
