/* SPDX-License-Identifier: MIT */
/*
 * claims.pml - whose is a job, and whom does a kill hit. Three jobs stand in the ring of worker 0.
 * The engine cancels jobs, or takes them back for worker 1; the supervisor ends one that takes too
 * long; and worker 0 may be killed from outside, anywhere. After the death the engine decides about
 * what has no completion.
 *
 *	worker		src/worker/ring_job.c, run.c	claim(), run_swap(), count(), pass_by()
 *	engine		src/wire/ring_claim.h		ring_withdraw()
 *			src/engine/inbox_look.c		lease_over(), had_begun()
 *	supervisor	src/supervisor/deadline.c	condemns by swap, then kills
 *
 * Proved: each job has one verdict, none two and none no verdict; no job begins twice, nor one that
 * was withdrawn; a job that the supervisor has killed is the one that it meant. MUTANT_*: one thing
 * taken out. Each claim word serves one job here; that a word of an earlier round is open for the
 * next job alone is shown by tests/unit/ring.c.
 */
#define E         0 /* threads: the engine, worker 0, the supervisor */
#define W         1
#define S         2
#define THREADS   3
#define ROOM      4
#define WORD      0 /* slot page: SEQUENCE * 4 + state */
#define PUBLISHED 1
#define DONE      2
#define CLAIM     2 /* claims of jobs 1 to 3 are words 3 to 5 */
#define WORDS     6
#include "tso.pml"

#define JOBS      3
#define RUNNING   1
#define ENDED     2
#define CONDEMNED 3
#define AT(n, state) ((n) * 4 + (state))
#define OPEN      0 /* what stands in a claim word before, from an earlier round */
#define TAKEN     1
#define WITHDRAWN 2

byte runs = 0;         /* the job whose function runs in worker 0; 0: none */
byte begun[4];         /* how often the job has begun, here or on worker 1 */
byte verdicts[4];
bit dead, over, given;
byte condemned;        /* of LEASE_OVER: the job that the supervisor killed */

inline verdict(n)
{
	verdicts[n]++;
	assert(verdicts[n] == 1)
}

/* The other worker does it, from its beginning to its verdict. */
inline elsewhere(n)
{
	begun[n]++;
	assert(begun[n] == 1);
	verdict(n)
}

proctype engine()
{
	byte n, collected, see, word;
	bit mine;

	do
	:: n < JOBS ->
		n++;
#ifdef MUTANT_OPENS_CLAIMS
		EXCHANGE(E, PUBLISHED, n);
		STORE(E, CLAIM + n, OPEN)
#else
		EXCHANGE(E, PUBLISHED, n)
#endif
	:: n == JOBS -> break
	od;
	/* Cancels or moves any of them, from the last to the first; or none. */
	n = JOBS + 1;
	do
	:: n > 1 ->
		n--;
		if
		:: skip
		:: verdicts[n] == 0 ->
#ifdef MUTANT_WITHDRAWS_BY_LOOK
			atomic { LOAD(E, CLAIM + n, see); mine = (see == OPEN); see = 0 }
			if
			:: mine -> EXCHANGE(E, CLAIM + n, WITHDRAWN)
			:: else
			fi;
#else
			SWAP(E, CLAIM + n, OPEN, WITHDRAWN, mine);
#endif
			if
			:: mine -> elsewhere(n)
			:: else
			fi;
			mine = 0
		fi
	:: n == 1 -> break
	od;
	given = 1;
	n = 0;
collect:
	/* collect_done(): what was withdrawn has no completion, but `done` counts it. */
	atomic {
		LOAD(E, DONE, see);
		do
		:: collected < see ->
			collected++;
			if
			:: verdicts[collected] == 0 ->
				assert(begun[collected] == 1);
				verdict(collected)
			:: else
			fi
		:: else -> break
		od;
		see = 0
	}
	if
	:: collected == JOBS -> goto end
	:: collected < JOBS && n == 1 -> skip
	:: collected < JOBS && n == 0 ->
		if
		:: atomic { over -> n = 1 }
#ifndef MUTANT_OVER_WITHOUT_LOOK
			goto collect
#else
			skip
#endif
		:: atomic { memory[DONE] > collected -> goto collect }
		fi
	fi;
	/* lease_over(): settle_job(), for each in the ring */
	do
	:: collected < JOBS ->
		collected++;
		atomic {
			if
			:: verdicts[collected] == 0 ->
				assert(memory[DONE] < collected); /* else there is a completion */
				LOAD(E, CLAIM + collected, see);
				LOAD(E, WORD, word);
#ifdef MUTANT_TAKEN_IS_BEGUN
				mine = (see == OPEN);
#else
#ifdef MUTANT_TAKEN_IS_NOT_BEGUN
				mine = (see == OPEN || see == TAKEN);
#else
				mine = (see == OPEN || word == AT(collected - 1, ENDED));
#endif
#endif
				if
				:: condemned == collected ->
					assert(begun[collected] <= 1);
					verdict(collected)
				:: condemned != collected && mine -> elsewhere(collected)
				:: condemned != collected && !mine ->
					/* the death is this job's fault: it stood in its frame */
					assert(word != AT(collected - 1, ENDED));
					assert(begun[collected] <= 1);
					verdict(collected)
				fi;
				mine = 0;
				see = 0;
				word = 0
			:: else
			fi
		}
	:: collected == JOBS -> break
	od;
end:	skip
}

proctype worker()
{
	byte last, see;
	bit mine;

	{
	skip;
	do
	:: atomic { memory[PUBLISHED] > last -> last++ }
		assert(condemned == 0 || condemned >= last);
#ifdef MUTANT_CLAIMS_BY_LOOK
		atomic { LOAD(W, CLAIM + last, see); mine = (see == OPEN); see = 0 }
		if
		:: mine -> EXCHANGE(W, CLAIM + last, TAKEN)
		:: else
		fi;
#else
		SWAP(W, CLAIM + last, OPEN, TAKEN, mine);
#endif
		if
		:: !mine ->
			/* pass_by(): the word goes straight to the end, after `done` */
			LOAD(W, CLAIM + last, see);
			assert(see == WITHDRAWN); /* else it gives up: the ring makes no sense */
			see = 0;
			EXCHANGE(W, DONE, last);
			SWAP(W, WORD, AT(last - 1, ENDED), AT(last, ENDED), mine);
			if
			:: !mine -> goto condemned_here
			:: else
			fi
		:: mine ->
#ifdef MUTANT_RUNS_BEFORE_WORD
			d_step { runs = last; begun[last]++; assert(begun[last] == 1) }
#endif
#ifdef MUTANT_RUNNING_PLAIN
			STORE(W, WORD, AT(last, RUNNING));
#else
			SWAP(W, WORD, AT(last - 1, ENDED), AT(last, RUNNING), mine);
			if
			:: !mine -> goto condemned_here
			:: else
			fi;
#endif
#ifndef MUTANT_RUNS_BEFORE_WORD
			d_step { runs = last; begun[last]++; assert(begun[last] == 1) }
#endif
			runs = 0;
#ifdef MUTANT_ENDED_BY_STORE
			EXCHANGE(W, WORD, AT(last, ENDED));
#else
			SWAP(W, WORD, AT(last, RUNNING), AT(last, ENDED), mine);
			if
			:: !mine -> goto condemned_here
			:: else
			fi;
#endif
			EXCHANGE(W, DONE, last)
		fi;
		mine = 0
	:: last == JOBS -> goto out
	od;
condemned_here:
end1:	0
	} unless { dead };
	skip;
out:	skip; /* the supervisor waits for the process before it says LEASE_OVER */
end2:	atomic { dead && DRAINED(W) -> over = 1 }
end:	skip
}

/* Any job that it sees begun, or about to be, may be out of time. */
proctype supervisor()
{
	byte see, n;
	bit won;

	do
	:: atomic {
		LOAD(S, WORD, see);
		if
		:: see % 4 == RUNNING -> n = see / 4
		:: see % 4 == ENDED || see == 0 -> n = see / 4 + 1 /* it hangs before it begins */
		fi
	   }
		if
		:: n > JOBS -> break
		:: n <= JOBS && n <= memory[PUBLISHED] ->
#ifdef MUTANT_KILLS_BY_LOOK
			atomic { LOAD(S, WORD, won); won = 1 }
#else
			SWAP(S, WORD, see, AT(n, CONDEMNED), won);
#endif
			if
			:: won ->
				condemned = n;
				/* the kill: it hits no other job */
				d_step { assert(dead || runs == 0 || runs == n); dead = 1 }
				break
			:: else
			fi
		:: n <= JOBS && n > memory[PUBLISHED] -> skip
		:: break
		fi
	:: break
	od;
	see = 0
}

/* The out-of-memory killer, a crash, an operator. */
proctype killer()
{
	if
	:: dead = 1
	:: skip
	fi
}

init
{
	atomic {
		memory[WORD] = AT(0, ENDED); /* FREE, or the end of the job before */
		run engine();
		run worker();
		run supervisor();
		run killer()
	}
}

active proctype judge()
{
	verdicts[1] == 1 && verdicts[2] == 1 && verdicts[3] == 1
}
