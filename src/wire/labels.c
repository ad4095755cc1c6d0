/* SPDX-License-Identifier: MIT */
/* labels.c - see labels.h */
#include "labels.h"

#include "../base/base.h"

#include <brood-status.h>
#include <brood.h>

static const char *const outcomes[BROOD_OUTCOMES] = {
	[BROOD_DONE] = "done",
	[BROOD_FAILED] = "failed",
	[BROOD_CRASHED] = "crashed",
	[BROOD_EXITED] = "exited",
	[BROOD_TIMED_OUT] = "timed_out",
	[BROOD_CANCELLED] = "cancelled",
	[BROOD_REFUSED] = "refused",
	[BROOD_LOST] = "lost",
};

static const char *const details[BROOD_DETAILS] = {
	[BROOD_DETAIL_NONE] = "",
	[BROOD_DETAIL_QUEUE_FULL] = "queue_full",
	[BROOD_DETAIL_QUEUE_TIME] = "queue_time",
	[BROOD_DETAIL_DRAINING] = "draining",
	[BROOD_DETAIL_DEGRADED] = "degraded",
	[BROOD_DETAIL_BAD_POINTER] = "bad_pointer",
	[BROOD_DETAIL_FD_LOST] = "fd_lost",
	[BROOD_DETAIL_OUTSIDE] = "outside",
	[BROOD_DETAIL_MEMORY] = "memory",
	[BROOD_DETAIL_LONGJMP] = "longjmp",
	[BROOD_DETAIL_THREAD_EXIT] = "thread_exit",
	[BROOD_DETAIL_PROTOCOL] = "protocol",
	[BROOD_DETAIL_STUCK] = "stuck",
	[BROOD_DETAIL_STOPPED] = "stopped",
	[BROOD_DETAIL_CHANNEL] = "channel",
	[BROOD_DETAIL_STOP_TIME] = "stop_time",
	[BROOD_DETAIL_LEASE_OVER] = "lease_over",
	[BROOD_DETAIL_PLUGIN] = "plugin",
	[BROOD_DETAIL_POISONED] = "poisoned",
	[BROOD_DETAIL_OPERATOR] = "operator",
	[BROOD_DETAIL_OOM] = "oom",
};

static const char *const causes[] = {
	[BROOD_STATUS_ENDED] = "ended",
	[BROOD_STATUS_RETIRED] = "retired",
	[BROOD_STATUS_CRASHED] = "crashed",
	[BROOD_STATUS_OUTSIDE] = "outside",
	[BROOD_STATUS_EXITED] = "exited",
	[BROOD_STATUS_TIMED_OUT] = "timed_out",
	[BROOD_STATUS_CANCELLED] = "cancelled",
	[BROOD_STATUS_STOPPED] = "stopped",
	[BROOD_STATUS_STUCK] = "stuck",
	[BROOD_STATUS_NONSENSE] = "nonsense",
	[BROOD_STATUS_UNREADY] = "unready",
	[BROOD_STATUS_ESCAPED] = "escaped",
	[BROOD_STATUS_UNKNOWN] = "unknown",
	[BROOD_STATUS_OOM] = "oom",
	[BROOD_STATUS_OPERATOR] = "operator",
};

static const char *const reports[] = {
	[BROOD_REPORT_CRASHED] = "crashed",
	[BROOD_REPORT_EXITED] = "exited",
	[BROOD_REPORT_KILLED] = "killed",
	[BROOD_REPORT_TIMED_OUT] = "timed_out",
	[BROOD_REPORT_CANCELLED] = "cancelled",
	[BROOD_REPORT_STOPPED] = "stopped",
	[BROOD_REPORT_STUCK] = "stuck",
	[BROOD_REPORT_SLOW] = "slow",
};

const char *labels_outcome(uint32_t outcome)
{
	return outcome < ARRAY_SIZE(outcomes) ? outcomes[outcome] : NULL;
}

const char *labels_detail(uint32_t detail)
{
	return detail < ARRAY_SIZE(details) ? details[detail] : NULL;
}

const char *labels_cause(uint32_t cause)
{
	return cause < ARRAY_SIZE(causes) ? causes[cause] : NULL;
}

const char *labels_report(uint32_t cause)
{
	return cause < ARRAY_SIZE(reports) ? reports[cause] : NULL;
}
