/* SPDX-License-Identifier: MIT */
/*
 * up.pml - the way up: two threads wait in one queue for three jobs of two workers. One leads and
 * sleeps in the epoll, the other follows. Both may spin first, while `listening` is 0. A job may
 * run for ever, and then what was done before must have been told.
 *
 *	engine	src/engine/sleep.c	sleep_from(), sleep_listen(), scan(), lead()
 *		src/engine/queue.c	queue_rouse(), queue_settle_owed()
 *		src/engine/collect.c	collect_done(), collect_told()
 *	worker	src/worker/ring_job.c	count(), was_told(), ring_job_tell()
 *		src/worker/serve.c	rest()
 *
 * -DMANY: the queue has many leases or few (all_tell), and that changes at one look. -DKILL:
 * worker 0 may be killed anywhere.
 *
 * Proved: where nothing moves any more, each completion has been collected, each job of a dead
 * worker has its one verdict, and a thread still sleeps only for a job that runs for ever. A reply
 * that is read is that job's. MUTANT_*: one thing taken out.
 */
#define T          0 /* threads: two of the engine, the workers */
#define W          2
#define THREADS    4
#define ROOM       3
#define DONE       0 /* words: each of these, of worker w, is at its number + w */
#define COLLECTED  2
#define COMPLETION 4 /* the last completion's sequence stands for all */
#define REPLY      6 /* one place for replies: the next job may use it when this one is collected */
#define LISTENING  8
#define WORDS      9
#include "tso.pml"

/* Each of these adds its own states; with three jobs they would take hours. */
#if defined(MANY) || defined(KILL) || defined(PLACE)
#define JOBS   2
#else
#define JOBS   3
#endif
#define NOBODY 2

/* the engine's, under the queue's lock */
bit locked;
byte leader = NOBODY, waking;
bit follows[2], woken[2];
byte published[2], collected[2], closed;
bit all_tell;
byte turns;            /* whether all_tell has changed */
byte left[2];          /* how many jobs of thread t have no verdict yet */
byte owner[8];         /* whose job is sequence n of worker w, at w * 4 + n */
bit in_place[8];       /* its reply is in the place */

/* between the processes; each is kept right by the kernel */
bit ready[3];          /* the epoll has an event of this lease's done fd; 2: of wake_fd */
bit news, gone; /* the queue's inbox; LEASE_OVER is in it, or was */
bit killed, hangs[2];
byte ended;

inline rouse(t)
{
	if
	:: woken[t] -> skip
	:: !woken[t] && leader == t -> woken[t] = 1; ready[2] = 1
	:: !woken[t] && leader != t && follows[t] ->
#ifndef MUTANT_FOLLOWER_STAYS
		woken[t] = 1;
		waking++
#else
		skip
#endif
	:: else
	fi
}

inline lock()
{
	atomic { !locked -> locked = 1 }
}

/* Behind DRAINED(T + me), in one atomic step: unlocking a mutex is a locked instruction. */
inline unlock()
{
#ifndef MUTANT_NO_PROMOTION
	if
	:: leader == NOBODY && waking == 0 && follows[0] -> rouse(0)
	:: leader == NOBODY && waking == 0 && follows[1] -> rouse(1)
	:: else
	fi;
#endif
	locked = 0
}

/* The verdicts up to `upto`. */
inline settle(w, upto)
{
	do
	:: collected[w] < upto ->
		d_step {
			collected[w]++;
			closed++;
			assert(closed <= JOBS);
			i = owner[w * 4 + collected[w]];
			assert(left[i] > 0);
			left[i]--
		}
		if
		:: i != me -> rouse(i)
		:: else
		fi;
		i = 0
	:: else -> break
	od
}

inline take_verdicts(w)
{
	from = 0;
	if
	:: collected[w] < see ->
		settle(w, see);
#ifndef MUTANT_COLLECTED_EARLY
		STORE(T + me, COLLECTED + w, see)
#endif
	:: else
	fi;
	see = 0
}

inline collect(w)
{
#ifndef PLACE
	atomic {
		see = collected[w];
		if
		:: published[w] != see -> LOAD(T + me, DONE + w, see); assert(see <= published[w])
		:: else
		fi;
		take_verdicts(w)
	}
#else
	atomic { from = collected[w]; LOAD(T + me, DONE + w, see) }
#ifdef MUTANT_COLLECTED_EARLY
	STORE(T + me, COLLECTED + w, see);
#endif
	do
	:: atomic {
		from < see -> from++;
		LOAD(T + me, COMPLETION + w, i);
		assert(i >= from);
		if
		:: in_place[w * 4 + from] -> LOAD(T + me, REPLY + w, i); assert(i == from)
		:: else
		fi;
		i = 0
	   }
	:: atomic { from == see -> take_verdicts(w); break }
	od
#endif
}

#ifdef MUTANT_TELLER_COLLECTS_PLAIN
#define COLLECTS STORE
#else
#define COLLECTS EXCHANGE
#endif
inline collect_told(w)
{
	collect(w);
#ifdef MANY
	if
	:: all_tell && published[w] > 0 ->
		COLLECTS(T + me, COLLECTED + w, collected[w]);
#ifndef MUTANT_TOLD_ONCE
		collect(w)
#endif
	:: else
	fi
#endif
}

/* LEASE_OVER: what has no completion has the verdict of the death. The buffer was emptied. */
inline heed_inbox()
{
#ifdef KILL
	if
	:: news ->
		news = 0;
#ifndef MUTANT_OVER_WITHOUT_LOOK
		collect(0);
#endif
		atomic {
			gone = 1;
			assert(memory[DONE + 0] <= collected[0]); /* else there is a completion */
			settle(0, published[0])
		}
	:: else
	fi
#else
	skip
#endif
}

/* scan() and settle(); in MANY, has_many() changes its mind once. */
inline scan()
{
#ifdef MANY
	atomic {
		was = all_tell;
		if
		:: skip
		:: turns < 1 -> turns++; all_tell = !all_tell
		fi;
		if
		:: was && all_tell -> was = 0; goto scanned
		:: else -> was = 0
		fi
	}
#ifndef MUTANT_TELLS_AFTER_LOOK
	if
	:: all_tell -> EXCHANGE(T + me, LISTENING, 1)
	:: else
	fi;
#endif
#endif
	collect_told(0);
	collect_told(1);
#ifdef MUTANT_TELLS_AFTER_LOOK
	if
	:: all_tell -> EXCHANGE(T + me, LISTENING, 1)
	:: else
	fi;
#endif
scanned: heed_inbox()
}

/* What the epoll says, without sleep or after it. */
inline hear_events()
{
	atomic {
#ifdef MANY
		e0 = ready[0];
		e1 = ready[1];
#endif
		ready[0] = 0;
		ready[1] = 0;
#ifndef MUTANT_POKE_TAKEN
		if
		:: leader == NOBODY || leader == me -> ready[2] = 0
		:: else /* the poke stands until the leader is back */
		fi
#else
		ready[2] = 0
#endif
	}
}

inline heed_events()
{
#ifdef MANY
	if
	:: e0 -> e0 = 0; collect_told(0)
	:: else
	fi;
	if
	:: e1 -> e1 = 0; collect_told(1)
	:: else
	fi
#else
	skip /* scan() collects at both anyway */
#endif
}

/* The way down has a model of its own: here the workers see the jobs at once. */
inline give()
{
	atomic {
		!locked -> locked = 1;
		do
		:: jobs > 0 ->
			jobs--;
			i = (gone || jobs == 1); /* thread 0's two jobs: one each; else worker 0 */
			published[i]++;
			owner[i * 4 + published[i]] = me;
			i = 0
		:: else -> break
		od;
		if
		:: leader != NOBODY -> STORE(T + me, LISTENING, 1)
		:: else
		fi
	}
}

proctype thread(byte me; byte jobs)
{
	byte see, from, i;
#ifdef MANY
	bit e0, e1, was;
#endif

	give();
look:
#ifdef MANY
	if
	:: all_tell -> hear_events(); heed_events() /* sleep_glance() asks the epoll */
	:: else
	fi;
#endif
again:	scan();
	if
	:: left[me] == 0 -> goto through
	:: left[me] > 0 -> /* spins, and lets go of the lock: `listening` may be 0 */
		atomic { DRAINED(T + me) -> unlock() }
		lock();
		goto look
	:: left[me] > 0 && leader != NOBODY -> goto follow
	:: left[me] > 0 && leader == NOBODY -> goto listen
	fi;
follow:	atomic { DRAINED(T + me) -> follows[me] = 1; woken[me] = 0; unlock() }
end1:	atomic { woken[me] && !locked -> locked = 1; waking--; follows[me] = 0; goto look }
listen:
	if
	:: all_tell -> goto lead
	:: else
	fi;
#ifdef MUTANT_LISTENING_PLAIN
	STORE(T + me, LISTENING, 1);
#else
#ifndef MUTANT_LISTENING_LATE
	EXCHANGE(T + me, LISTENING, 1);
#endif
#endif
#ifndef MUTANT_SPIN_IS_THE_LOOK
	atomic {
		see = collected[0];
		if
		:: published[0] != see -> LOAD(T + me, DONE + 0, see)
		:: else
		fi;
		if
		:: see != collected[0] -> see = 0; goto quiet
		:: else -> see = 0
		fi
	}
	atomic {
		see = collected[1];
		if
		:: published[1] != see -> LOAD(T + me, DONE + 1, see)
		:: else
		fi;
		if
		:: see != collected[1] -> see = 0; goto quiet
		:: else -> see = 0
		fi
	}
#endif
#ifdef MUTANT_LISTENING_LATE
	EXCHANGE(T + me, LISTENING, 1);
#endif
lead:	atomic { DRAINED(T + me) -> leader = me; woken[me] = 0; unlock() }
end2:	atomic { ready[0] || ready[1] || ready[2] -> hear_events() }
	atomic {
		!locked -> locked = 1;
		leader = NOBODY;
quiet:		if
		:: !all_tell -> STORE(T + me, LISTENING, 0)
		:: else
		fi
	}
	heed_events();
	goto again;
through:
	atomic { DRAINED(T + me) -> unlock(); ended++ }
}

inline tell(w)
{
	atomic { DRAINED(W + w) -> told = last; ready[w] = 1 }
}

inline heed_listening(w)
{
	atomic {
		LOAD(W + w, LISTENING, see);
		if
		:: !see -> goto counted
		:: else
		fi
	}
	/* was_told(): the engine has not come yet */
	atomic {
		LOAD(W + w, COLLECTED + w, see);
#ifdef MUTANT_TOLD_FOR_EVER
		see = (told >= see && told > 0);
#else
		see = (told > see);
#endif
		if
		:: see -> see = 0; goto counted
		:: else -> see = 0
		fi
	}
	tell(w);
counted: skip
}

/*
 * Takes a job, and counts it. Nobody sees what a job does before `done`: so all is one step, but
 * for the stores of completion and reply in -DPLACE.
 */
inline count(w)
{
#ifdef PLACE
	atomic {
		published[w] > last -> last++;
		LOAD(W + w, COLLECTED + w, see);
		if
		:: see >= last - 1 -> in_place[w * 4 + last] = 1; STORE(W + w, REPLY + w, last)
		:: else
		fi;
		see = 0
	}
#ifndef MUTANT_COMPLETION_LATE
	STORE(W + w, COMPLETION + w, last);
#endif
	EXCHANGE(W + w, DONE + w, last);
#ifdef MUTANT_COMPLETION_LATE
	STORE(W + w, COMPLETION + w, last);
#endif
	heed_listening(w)
#else
#ifdef MUTANT_LISTENING_FIRST
	atomic { published[w] > last -> last++ }
	heed_listening(w);
	EXCHANGE(W + w, DONE + w, last)
#else
#ifdef MUTANT_DONE_PLAIN
	atomic { published[w] > last -> last++; STORE(W + w, DONE + w, last) }
#else
	atomic { published[w] > last && DRAINED(W + w) -> last++; memory[DONE + w] = last }
#endif
	heed_listening(w)
#endif
#endif
}

proctype worker(byte w)
{
	byte last, told, see;

	{
	skip;
again:
end1:	published[w] > last;
#ifdef HANG
	if
	:: skip
	:: hangs[w] = 1; goto end3
	fi;
#endif
	count(w);
	/* The next job is seen at once, or in the spin. Or the worker rests first. */
	if
	:: goto again
	:: atomic {
		LOAD(W + w, LISTENING, see);
		see = see && last != told
	   }
		if
		:: see -> tell(w)
		:: else
		fi;
		goto again
	fi;
end3:	0
	} unless { killed && w == 0 };
	atomic {
		DRAINED(W + w) -> hangs[w] = 0;
#ifndef MUTANT_DEATH_UNTOLD
		news = 1;
		ready[2] = 1
#else
		news = 1
#endif
	}
end4:	0
}

proctype killer()
{
	if
	:: killed = 1
	:: skip
	fi
}

init
{
	atomic {
#ifdef MANY
		if
		:: all_tell = 0
		:: all_tell = 1; memory[LISTENING] = 1
		fi;
#endif
		left[0] = JOBS - 1;
		left[1] = 1;
		run thread(0, JOBS - 1);
		run thread(1, 1);
		run worker(0);
		run worker(1);
#ifdef KILL
		run killer()
#endif
	}
}

/* timeout: nothing else can move. */
active proctype judge()
{
end:	timeout;
	assert(collected[0] == memory[DONE + 0] || gone);
	assert(collected[1] == memory[DONE + 1]);
	assert(hangs[0] || hangs[1] || (ended == 2 && closed == JOBS))
}
