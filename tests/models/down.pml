/* SPDX-License-Identifier: MIT */
/*
 * down.pml - the way down: two threads of the engine publish three jobs for two workers, which
 * spin, sleep and are woken; the supervisor recalls a lease; a worker may be killed anywhere, and
 * its jobs go to the other one, or to the next worker of its slot.
 *
 *	engine		src/engine/ring_in.c	publish(), say(), take_workers(), wake_workers()
 *	worker		src/worker/serve.c	serve(), hear(), rest(), sleep_until()
 *	supervisor	src/supervisor/lease_watch.c	send_recall(), wake()
 *
 * Proved: no worker that lives sleeps while a job is published for it, or while the supervisor has
 * sent it something; a worker that sees `published` sees the entry. MUTANT_*: one thing taken out.
 */
#define A          0 /* threads: two of the engine, the workers, the supervisor */
#define B          1
#define W          2
#define S          4
#define THREADS    5
#define ROOM       3
#define PUBLISHED  0 /* words: each of these, of worker w, is at its number + w */
#define ASLEEP     2
#define WAKE       4
#define ATTENTION  6
#define ENTRY      8 /* the last entry's sequence stands for all entries */
#define WORDS      10
#include "tso.pml"

#define JOBS 3

bit locked;            /* the queue's lock */
byte published[2];     /* lease.published, under the lock */
byte done[2];          /* the way up has a model of its own: here the engine just knows */
bit to_wake[2];        /* lease.told.to_wake, under the lock */
bit gone[2];           /* the engine takes no more jobs there */
bit killed[2], over[2], reborn[2];
byte ran;              /* jobs that were done */
bit sent, heard;       /* RECALL, on the channel of worker 0 */
byte left_to_do;       /* threads of the engine that have not given all their jobs */

/*
 * A step of a model is one access to memory that others can see, with what follows from it in the
 * thread alone: more steps would only make more states. A store into the own buffer is seen by
 * nobody yet.
 */
inline heed_asleep(me)
{
#ifdef MUTANT_FORGETS_SLEEPER
	atomic { LOAD(me, ASLEEP + w, see); to_wake[1 - w] = 0; to_wake[w] = see; see = 0 }
#else
	atomic { LOAD(me, ASLEEP + w, see); to_wake[w] = to_wake[w] || see; see = 0 }
#endif
}

inline say(me)
{
#ifdef MUTANT_ENTRY_LATE
	EXCHANGE(me, PUBLISHED + w, published[w]);
	STORE(me, ENTRY + w, published[w]);
	heed_asleep(me)
#else
	STORE(me, ENTRY + w, published[w]);
#ifdef MUTANT_ASLEEP_FIRST
	heed_asleep(me);
	EXCHANGE(me, PUBLISHED + w, published[w])
#else
#ifdef MUTANT_PUBLISHED_PLAIN
	STORE(me, PUBLISHED + w, published[w]);
#else
	EXCHANGE(me, PUBLISHED + w, published[w]);
#endif
	heed_asleep(me)
#endif
#endif
}

/* take_workers(), and the lock is let go: ring_in_leave(). */
inline take_and_unlock()
{
	d_step {
		DRAINED(me) -> mine0 = to_wake[0];
		mine1 = to_wake[1];
		to_wake[0] = 0;
		to_wake[1] = 0;
		w = 0;
		locked = 0
	}
}

inline wake_one(me, i)
{
#ifdef MUTANT_WAKE_BEFORE_WORD
	FUTEX_WAKE(me, WAKE + i);
	ADD(me, WAKE + i)
#else
#ifndef MUTANT_WORD_STAYS
	ADD(me, WAKE + i);
#endif
	FUTEX_WAKE(me, WAKE + i)
#endif
}

inline wake(me)
{
	if
	:: mine0 -> mine0 = 0; wake_one(me, 0)
	:: else
	fi;
	if
	:: mine1 -> mine1 = 0; wake_one(me, 1)
	:: else
	fi
}

proctype engine(byte me; byte jobs)
{
	byte see, w;
	bit mine0, mine1;

	do
	:: jobs > 0 ->
		atomic { !locked -> locked = 1 }
		do
		:: atomic {
			jobs > 0 ->
			if
			:: !gone[0] -> w = 0
			:: !gone[1] -> w = 1
			fi;
			published[w]++;
			jobs--
		   }
		   say(me)
		:: published[0] + published[1] + ran > 0 -> break
		od;
		take_and_unlock();
		wake(me)
	:: jobs == 0 -> break
	od;
	atomic {
		left_to_do--;
		if
		:: me == A -> goto end
		:: else
		fi
	}
	/* The death comes by message: LEASE_OVER. inbox_look.c */
endover:
	atomic {
		if
		:: over[0] -> w = 0
		:: over[1] -> w = 1
		fi;
		over[w] = 0
	}
	atomic {
		!locked -> locked = 1;
		gone[w] = 1;
		jobs = published[w] - done[w];
		to_wake[w] = 0;
		published[w] = done[w];
		if
		:: w = 1 - w
		:: /* a new lease of the slot's next worker: new memory, the same slot page */
			published[w] = 0;
			done[w] = 0;
			memory[PUBLISHED + w] = 0;
			memory[ENTRY + w] = 0;
			memory[ASLEEP + w] = 0; /* src/supervisor/spawn.c */
			gone[w] = 0;
			reborn[w] = 1
		fi
	}
	do
	:: atomic { jobs > 0 -> jobs--; published[w]++ }
		say(me)
	:: jobs == 0 -> break
	od;
	take_and_unlock();
	wake(me);
end:	skip
}

/* hear(): the flag goes first, then the channel is read to its end. */
inline hears(me)
{
	EXCHANGE(me, ATTENTION + w, 0);
	heard = heard || (w == 0 && sent)
}

proctype worker(byte w)
{
	byte last, see, word;

begin:	{
	skip;
look:	atomic {
		LOAD(W + w, ATTENTION + w, see);
		if
		:: see -> see = 0; goto hear
		:: else
		fi
	}
	/* The spin is this look, made again and again: `asleep` is 0. */
	atomic {
		LOAD(W + w, PUBLISHED + w, see);
		if
		:: see > last -> goto job
		:: else ->
			if
			:: goto look
			:: goto rest
			fi
		fi
	}
hear:	hears(W + w);
	goto look;
job:	atomic {
		LOAD(W + w, ENTRY + w, see);
		assert(see > last);
		last++;
		done[w] = last;
		ran++;
		assert(ran <= JOBS);
		see = 0;
		goto look
	}
rest:
#ifndef MUTANT_WORD_READ_LATE
	LOAD(W + w, WAKE + w, word);
#endif
#ifdef MUTANT_ASLEEP_PLAIN
	STORE(W + w, ASLEEP + w, 1);
#else
#ifndef MUTANT_ASLEEP_LATE
	EXCHANGE(W + w, ASLEEP + w, 1);
#endif
#endif
#ifndef MUTANT_SPIN_IS_THE_LOOK
	atomic {
		LOAD(W + w, PUBLISHED + w, see);
		if
		:: see > last -> goto awake
		:: else
		fi
	}
#endif
#ifndef MUTANT_NO_ATTENTION
	atomic {
		LOAD(W + w, ATTENTION + w, see);
		if
		:: see -> goto awake
		:: else
		fi
	}
#endif
#ifdef MUTANT_ASLEEP_LATE
	EXCHANGE(W + w, ASLEEP + w, 1);
#endif
#ifdef MUTANT_WORD_READ_LATE
	LOAD(W + w, WAKE + w, word);
#endif
	FUTEX_WAIT(W + w, WAKE + w, word);
end1:	AWAKE(W + w);
awake:	atomic { DRAINED(W + w) -> memory[ASLEEP + w] = 0; see = 0; word = 0; goto look }
	} unless { killed[w] };
	d_step { blocked[W + w] = 0; sleeps_on[W + w] = 0; last = 0; see = 0; word = 0 }
	atomic { DRAINED(W + w) -> over[w] = 1 } /* the supervisor has waited for it, and says so */
end2:	atomic { reborn[w] -> killed[w] = 0; reborn[w] = 0; goto begin }
}

proctype supervisor()
{
	sent = 1;
#ifdef MUTANT_ATTENTION_LATE
	ADD(S, WAKE + 0);
	FUTEX_WAKE(S, WAKE + 0);
	EXCHANGE(S, ATTENTION + 0, 1)
#else
	EXCHANGE(S, ATTENTION + 0, 1);
	ADD(S, WAKE + 0);
	FUTEX_WAKE(S, WAKE + 0)
#endif
}

proctype killer()
{
	if
	:: killed[0] = 1 /* or the other one: they are alike */
	:: skip
	fi
}

init
{
	atomic {
		run worker(0);
		run worker(1);
#ifdef TWO
		left_to_do = 2;
		run engine(A, JOBS - 1);
		run engine(B, 1);
#else
		left_to_do = 1;
		run engine(B, JOBS);
#endif
#ifdef KILL
		run killer();
#endif
#ifdef RECALL
		run supervisor()
#else
		heard = 1
#endif
	}
}

active proctype judge()
{
	left_to_do == 0 && ran == JOBS && heard
}
