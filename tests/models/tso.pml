/* SPDX-License-Identifier: MIT */
/*
 * tso.pml - memory as x86 has it (total store order), for the models beside this file.
 *
 * Each thread has a store buffer. A plain store (atomic_store_explicit(), relaxed or release) goes
 * to the end of the buffer. memory_bus() moves the oldest store of a buffer to the memory at any
 * later moment, also after many steps of the others. A load takes the newest store to that word in
 * the thread's own buffer; if there is none, what stands in memory. What is locked on x86 (seq_cst
 * store, exchange, compare and swap, fetch and add) waits until the own buffer is empty, and acts
 * on the memory. So does each system call, futex_wait() and futex_wake() among them. A thread that
 * is killed has executed its stores, so its buffer is still emptied.
 *
 * Before the include: THREADS, how many threads there are; WORDS, how many words; ROOM, how many
 * stores a buffer holds. A thread whose buffer is full waits.
 *
 * No process of a model waits for ever in the wrong place: judge() at each model's end waits for
 * all that must have come. If nothing can move and judge() still waits, spin reports an invalid end
 * state. That is how a lost wake-up shows.
 */
typedef store_buffer {
	byte n;
	byte at[ROOM];
	byte value[ROOM]
};
store_buffer buffer[THREADS];
byte memory[WORDS];
bit blocked[THREADS]; /* in futex_wait() */
byte sleeps_on[THREADS];
hidden byte tso_i;

inline STORE(cpu_, at_, v_)
{
	d_step {
		buffer[cpu_].n < ROOM -> buffer[cpu_].at[buffer[cpu_].n] = at_;
		buffer[cpu_].value[buffer[cpu_].n] = v_;
		buffer[cpu_].n++
	}
}

inline LOAD(cpu_, at_, to_)
{
	d_step {
		to_ = memory[at_];
		tso_i = 0;
		do
		:: tso_i < buffer[cpu_].n ->
			if
			:: buffer[cpu_].at[tso_i] == at_ -> to_ = buffer[cpu_].value[tso_i]
			:: else
			fi;
			tso_i++
		:: else -> break
		od;
		tso_i = 0
	}
}

#define DRAINED(cpu_) (buffer[cpu_].n == 0)

inline EXCHANGE(cpu_, at_, v_)
{
	atomic { DRAINED(cpu_) -> memory[at_] = v_ }
}

inline ADD(cpu_, at_)
{
	d_step { DRAINED(cpu_) -> memory[at_]++ }
}

inline SWAP(cpu_, at_, from_, v_, ok_)
{
	d_step {
		DRAINED(cpu_) -> ok_ = (memory[at_] == from_);
		if
		:: ok_ -> memory[at_] = v_
		:: else
		fi
	}
}

/* The kernel compares under its own lock. */
inline FUTEX_WAIT(cpu_, at_, expected_)
{
	d_step {
		DRAINED(cpu_) -> blocked[cpu_] = (memory[at_] == expected_);
		sleeps_on[cpu_] = (blocked[cpu_] -> at_ : 0)
	}
}

/* Stands behind FUTEX_WAIT(), with a label end... of its own: a thread may sleep for ever. */
inline AWAKE(cpu_)
{
	atomic { !blocked[cpu_] -> sleeps_on[cpu_] = 0 }
}

/* Who sleeps on one word is one thread at most, so one and all are the same. */
inline FUTEX_WAKE(cpu_, at_)
{
	d_step {
		DRAINED(cpu_) -> tso_i = 0;
		do
		:: tso_i < THREADS ->
			if
			:: blocked[tso_i] && sleeps_on[tso_i] == at_ -> blocked[tso_i] = 0
			:: else
			fi;
			tso_i++
		:: else -> break
		od;
		tso_i = 0
	}
}

/* A store of thread `me` reaches the memory. */
inline REACH(cpu_)
{
	d_step {
		buffer[cpu_].n > 0 -> memory[buffer[cpu_].at[0]] = buffer[cpu_].value[0];
		buffer[cpu_].n--;
		tso_i = 0;
		do
		:: tso_i < buffer[cpu_].n ->
			buffer[cpu_].at[tso_i] = buffer[cpu_].at[tso_i + 1];
			buffer[cpu_].value[tso_i] = buffer[cpu_].value[tso_i + 1];
			tso_i++
		:: else -> break
		od;
		buffer[cpu_].at[buffer[cpu_].n] = 0;
		buffer[cpu_].value[buffer[cpu_].n] = 0;
		tso_i = 0
	}
}

active proctype memory_bus()
{
end:	do
	:: REACH(0)
	:: REACH(1)
#if THREADS > 2
	:: REACH(2)
#endif
#if THREADS > 3
	:: REACH(3)
#endif
#if THREADS > 4
	:: REACH(4)
#endif
	od
}
