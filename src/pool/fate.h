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
	const struct message_finished *finished; /* valid one for this job, or NULL */
	uint32_t escaped;                        /* ESCAPED_*, 0 */
	/*
	 * the slot page word, hostile. When condemned: as it was before the swap, for CONDEMNED
	 * does not tell whether fn was entered
	 */
	uint64_t word;
	uint64_t sequence;
	/* the process has ended: code and status are si_code (CLD_*) and si_status */
	bool ended;
	int code, status;
	int kill_signal; /* the last that Brood sent to end it, 0 */
	/* the job asked for SIGABRT (ladder.abort): when condemned, that came before any SIGKILL */
	bool abort;
	bool condemned; /* the swap was won */
	enum ladder_cause cause;
	/* the soft step was sent to this job, for that cause */
	bool told;
	bool noticed;  /* and it has noticed */
	bool protocol; /* dropped for nonsense */
	bool stuck;
	/* killed, and it does not end: nobody knows how it will, and there is no second try */
	bool undead;
	/* the library's code in the worker ended it: the exit code is not the job's */
	bool gave_up;
	/* the dying worker noted that worker_memory refused it memory */
	bool memory;
};
/*
 * Sets outcome, detail, code, signal, core, started, left, flags. Returns false when there should
 * be another try: the worker died before fn was entered, by no condemning (or says that it finished
 * what it never began). They are set then too, for a job that may have no other try: crashed,
 * started 0.
 */
bool fate_decide(const struct fate_facts *facts, struct brood_verdict *verdict);
/* May a job that came to this be tried again? retry_on: enum brood_retry */
bool fate_retryable(const struct brood_verdict *verdict, uint32_t retry_on);

#endif
