/* SPDX-License-Identifier: MIT */
/*
 * trace_page.h - what a worker leaves behind for the time after its death: where its code was (its
 * handlers write that as it crashes, or as its job is told to end), and what a carried job has
 * replied so far (worker/carried.c). A worker keeps those of its slot, the supervisor all.
 *
 * A job can write all of it. So a reader copies a field before it looks, and believes no count,
 * no text and no path. Names of functions are not there: the dying worker has no time to read files
 * (os/symbols.h does that later, in another process).
 */
#ifndef BROOD_WIRE_TRACE_PAGE_H
#define BROOD_WIRE_TRACE_PAGE_H

#include <brood.h>
#include <stdatomic.h>

#define TRACE_MODULES  8
#define TRACE_BUILD_ID 20
#define TRACE_PATH     416
#define TRACE_REPLY    1024       /* MESSAGE_REPLY_MAX */
#define TRACE_NOWHERE  UINT16_MAX /* the address is in no module that the worker knows */

enum trace_kind {
	TRACE_NONE,
	TRACE_CRASH, /* a signal that ends the process */
	TRACE_TOLD,  /* the job was told to end */
	TRACE_SLOW   /* the supervisor asked, since the job is slow */
};

/* An address, and the same address as the module's file numbers it (what addr2line takes). */
struct trace_frame {
	uint64_t pc, offset;
};

/* A file that the worker has mapped. path "": the program itself. */
struct trace_module {
	uint8_t build_id[TRACE_BUILD_ID];
	uint8_t build_id_size; /* 0: it has none */
	char path[TRACE_PATH];
};

/* The frames that were found, the innermost first. */
struct trace_stack {
	_Atomic uint32_t frames_count;
	uint32_t modules_count;
	uint16_t module[BROOD_REPORT_FRAMES]; /* each frame's: an index, or TRACE_NOWHERE */
	struct trace_frame frames[BROOD_REPORT_FRAMES];
	struct trace_module modules[TRACE_MODULES];
};

struct trace_page {
	/*
	 * enum trace_kind. Stored before the stack is walked, for the walk may crash at any frame.
	 * The supervisor clears it before a birth.
	 */
	_Atomic uint32_t kind;
	_Atomic uint64_t sequence; /* of the job that ran; 0: none */
	_Atomic uint64_t wanted;   /* by the supervisor: the job that it asks about; 0: none */
	int32_t signal, code;      /* of siginfo */
	int32_t tid, syscall;      /* syscall: of SIGSYS; -1: none */
	uint64_t address;          /* the address of a fault; 0: the signal has none */
	/* The last progress that a job told, and which job. */
	_Atomic uint64_t progress_sequence;
	_Atomic uint32_t progress_size;
	struct trace_stack stack;
	char progress[BROOD_REPORT_TEXT];
	/*
	 * What a carried job (message_job.h) has replied so far, and which job. The size is stored
	 * after the bytes: so it is true whenever the worker dies.
	 */
	_Atomic uint64_t reply_sequence;
	_Atomic uint32_t reply_size;
	_Alignas(64) unsigned char reply[TRACE_REPLY];
};
_Static_assert(sizeof(struct trace_page) <= 8192, "two pages are enough");

/*
 * Where the worker's code was when a program outside last asked (brood-ctl stack). It stands on the
 * status page, behind the slot page, and only the slot's worker writes it; brood-status.h has it as
 * struct brood_status_stack.
 */
struct trace_answer {
	uint32_t sequence; /* as status_begin() counts it: two more after each answer */
	uint32_t missing;  /* enum brood_status_missing: why there are no frames */
	uint64_t number;   /* of the job that ran, in this slot; 0: none did */
	uint64_t at_ns;
	uint32_t took_ns; /* for so long the handler kept the worker from its work */
	int32_t pid, tid;
	uint32_t reserved32;
	struct trace_stack stack;
};

#endif
