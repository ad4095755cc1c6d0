/* SPDX-License-Identifier: MIT */
/*
 * look.pml - an early deadline: three jobs are published on one lease while the supervisor puts its
 * next look off and forward. The engine may send LEASE_LOOK.
 *
 *	engine		src/engine/ring_in.c		say(), due_with()
 *	supervisor	src/supervisor/lease_watch.c	look_again_at(), lease_watch_look()
 *
 * Proved: where nothing moves any more, the supervisor looks no later than the earliest deadline of
 * what was published. That also holds if the engine is stopped (SIGSTOP) right after it has
 * published a job whose early deadline it knew of. MUTANT_*: one thing taken out.
 */
#define E         0
#define S         1
#define THREADS   2
#define ROOM      3
#define PUBLISHED 0 /* lease page */
#define RING      1 /* ring: the worker has the job */
#define LOOK_AT   2
#define WORDS     3
#include "tso.pml"

#define JOBS  3
#define NEVER 9

byte due[5] = NEVER; /* the deadline of each sequence; an entry, stored before `published` */
byte looks;          /* LEASE_LOOK in the channel */
byte timer = 2;      /* the supervisor looks at this time */
bit given;

proctype engine()
{
	byte see, n, mine;
	bit early;

	do
	:: n < JOBS ->
		if
		:: mine = 1
		:: mine = 3
		:: mine = 5
		fi;
		d_step { n++; due[n] = mine }
		atomic { LOAD(E, LOOK_AT, see); early = mine < see }
		STORE(E, PUBLISHED, n);
#ifndef MUTANT_TELLS_LATE
		if
		:: early -> atomic { DRAINED(E) -> looks++ }
		:: else
		fi;
#endif
#ifdef MUTANT_PUBLISHED_PLAIN
		STORE(E, RING, n);
#else
		EXCHANGE(E, RING, n);
#endif
		if
		:: early -> goto stopped /* SIGSTOP: this engine does nothing any more */
		:: skip
		fi;
#ifdef MUTANT_TELLS_LATE
		if
		:: early -> atomic { DRAINED(E) -> looks++ }
		:: else
		fi;
#endif
#ifndef MUTANT_ENGINE_LOOKS_ONCE
		if
		:: !early ->
			atomic { LOAD(E, LOOK_AT, see) }
			if
			:: mine < see -> atomic { DRAINED(E) -> looks++ }
			:: else
			fi
		:: else
		fi;
#endif
		atomic { see = 0; early = 0; mine = 0 }
	:: n == JOBS -> break
	od;
stopped:
	given = 1
}

/* The earliest deadline of what it saw; `some`: it has also other reasons for a look. */
inline soonest(upto)
{
	d_step {
		next = some;
		i = 1;
		do
		:: i <= upto ->
			if
			:: due[i] < next -> next = due[i]
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

proctype supervisor()
{
	byte next, seen, see, some, i, rounds;

	do
	:: if
		:: atomic { looks > 0 -> looks-- }
		:: atomic { rounds < 2 -> rounds++ } /* its timer */
	   fi;
		if
		:: some = 2
		:: some = 4
		:: some = NEVER
		fi;
		atomic { LOAD(S, PUBLISHED, seen); soonest(seen) }
#ifdef MUTANT_LOOKS_AT_FIRST
		LOAD(S, PUBLISHED, see);
#endif
#ifdef MUTANT_LOOK_AT_PLAIN
		STORE(S, LOOK_AT, next);
#else
		EXCHANGE(S, LOOK_AT, next);
#endif
#ifndef MUTANT_LOOKS_AT_FIRST
		LOAD(S, PUBLISHED, see);
#endif
#ifndef MUTANT_SUPERVISOR_LOOKS_ONCE
		if
		:: see > seen ->
			soonest(see);
#ifdef MUTANT_LOOK_AT_PLAIN
			STORE(S, LOOK_AT, next)
#else
			EXCHANGE(S, LOOK_AT, next)
#endif
		:: else
		fi;
#endif
		atomic { DRAINED(S) -> timer = next; next = 0; seen = 0; see = 0; some = 0 }
	:: given && looks == 0 -> break
	od
}

init
{
	atomic { memory[LOOK_AT] = 2; run engine(); run supervisor() }
}

active proctype judge()
{
	byte i;

end:	timeout;
	i = 1;
	do
	:: i <= JOBS -> assert(timer <= due[i] || looks > 0); i++
	:: i > JOBS -> break
	od
}
