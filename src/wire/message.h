/*
 * message.h - what the processes say to each other. All are images of one binary, so a message is a struct; the sender zeroes it whole (padding
 * leaks memory), the receiver checks type and sizes before it looks.
 *
 *   engine -> supervisor   JOB (+1 fd)  CANCEL  STOP  NOTIFY  INIT_DATA (+fds)
 *   supervisor -> engine   VERDICT  POOL_READY  POOL_DEGRADED  STOPPED          and on a datagram socket of their own, so that they never stand before a verdict: LOG
 *   supervisor -> worker   RUN (+1 fd)  END
 *   worker -> supervisor   READY  FINISHED  ESCAPED  LOG
 *   supervisor -> guard    (nothing: it watches a pidfd and reads the roster)
 *
 * Who writes the verdict of a job: the supervisor, alone (src/pool/fate.h). When a worker's pidfd is readable it reads the worker's channel to its end, kills what is left of the
 * worker's session, then reaps; a valid FINISHED found on the way means done or failed, else the wait status decides. The engine's library makes up verdicts only when the channel
 * to the supervisor has ended, or the stop time has: lost.
 */
#ifndef BROOD_WIRE_MESSAGE_H
#define BROOD_WIRE_MESSAGE_H

#include <brood.h>
#include <stdint.h>
#include <sys/types.h>

enum message_type {
	MESSAGE_JOB = 1, MESSAGE_CANCEL, MESSAGE_STOP, MESSAGE_NOTIFY, MESSAGE_INIT_DATA,
	MESSAGE_VERDICT = 32, MESSAGE_POOL_READY, MESSAGE_POOL_DEGRADED, MESSAGE_STOPPED, MESSAGE_LOG,
	MESSAGE_RUN = 64, MESSAGE_END,
	MESSAGE_READY = 96, MESSAGE_FINISHED, MESSAGE_ESCAPED, MESSAGE_JOB_LOG,
};

/* JOB: followed by arg_size bytes. `id` modulo the number of job records (same in engine and supervisor) names its record: the engine gives no id whose record is out. */
struct message_job {
	uint64_t id;
	uint64_t fn;
	uint64_t request_size;       /* BROOD_SIZE_UNKNOWN for a conversation */
	uint64_t given_ns;           /* when the caller gave it, CLOCK_MONOTONIC */
	uint32_t flags;              /* enum brood_job_flags */
	uint32_t queue_ms, run_ms, grace_ms;   /* resolved: no zeros for defaults; UINT32_MAX forever */
	uint32_t retries;            /* that the supervisor may make: for open and give. A call's are made by the engine's library, which has the request */
	uint32_t attempt;            /* attempts made before this message */
	uint32_t arg_size;
	uint32_t pad;
	char name[BROOD_NAME_MAX];
};
/* RUN: followed by arg_size bytes. */
struct message_run {
	uint64_t id, sequence;       /* sequence: of the desk word */
	uint64_t fn;
	uint64_t request_size;
	uint64_t soft_ns;            /* the soft step, CLOCK_MONOTONIC; UINT64_MAX never */
	uint32_t attempt, arg_size;
	char name[BROOD_NAME_MAX];
};
struct message_cancel { uint64_t id; };
enum { NOTIFY_READY = 1, NOTIFY_STATUS };
struct message_notify { uint32_t kind, pad; char text[208]; };
struct message_init_data { uint64_t data_size; uint32_t version, fds_count; };   /* fds: a memfd (data_size > 0), then fds_count */
struct message_verdict { struct brood_verdict verdict; };
struct message_pool { uint32_t ready, workers; };                      /* POOL_READY, POOL_DEGRADED, STOPPED */
struct message_log { uint32_t level, event; int32_t pid; uint32_t slot; uint64_t job; char text[512]; };   /* text: NUL-terminated; sent cut after its NUL */
struct message_ready { int32_t pid; uint32_t generation; uint64_t peak_kb; };   /* ru_maxrss at ready: what jobs add to is measured from here */
struct message_finished { uint64_t id, sequence; int32_t code; uint32_t left; uint32_t flags, pad; };
enum { FINISHED_REFUSED_POINTER = 1, FINISHED_RETIRING = 2,            /* RETIRING: the worker ends by itself now */
       FINISHED_NO_FD = 4 };                                           /* the job's fd did not arrive; fn was not entered. Comes with RETIRING */
enum { ESCAPED_LONGJMP = 1, ESCAPED_THREAD_EXIT };
struct message_escaped { uint64_t id, sequence; uint32_t how, pad; };
struct message_job_log { uint64_t id; uint32_t level, pad; char text[400]; };   /* sent cut after its NUL */

#endif
