/* SPDX-License-Identifier: MIT */
/*
 * labels.c - each number of a status page has a word, and each word is another one. A new number
 * stops the build of this file: its switch has no default, and -Wswitch names what it lacks.
 */
#include "../../src/wire/labels.h"
#include "../../src/wire/report_text.h"

#include <brood-status.h>
#include <brood.h>
#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#define NUMBERS 80 /* more than there are of any kind */

static bool is_outcome(enum brood_outcome outcome)
{
	switch (outcome) {
	case BROOD_DONE:
	case BROOD_FAILED:
	case BROOD_CRASHED:
	case BROOD_EXITED:
	case BROOD_TIMED_OUT:
	case BROOD_CANCELLED:
	case BROOD_REFUSED:
	case BROOD_LOST: return true;
	}
	return false;
}

static bool is_detail(enum brood_detail detail)
{
	switch (detail) {
	case BROOD_DETAIL_NONE:
	case BROOD_DETAIL_QUEUE_FULL:
	case BROOD_DETAIL_QUEUE_TIME:
	case BROOD_DETAIL_DRAINING:
	case BROOD_DETAIL_DEGRADED:
	case BROOD_DETAIL_BAD_POINTER:
	case BROOD_DETAIL_FD_LOST:
	case BROOD_DETAIL_OUTSIDE:
	case BROOD_DETAIL_MEMORY:
	case BROOD_DETAIL_LONGJMP:
	case BROOD_DETAIL_THREAD_EXIT:
	case BROOD_DETAIL_PROTOCOL:
	case BROOD_DETAIL_STUCK:
	case BROOD_DETAIL_STOPPED:
	case BROOD_DETAIL_CHANNEL:
	case BROOD_DETAIL_STOP_TIME:
	case BROOD_DETAIL_LEASE_OVER:
	case BROOD_DETAIL_PLUGIN:
	case BROOD_DETAIL_POISONED:
	case BROOD_DETAIL_OPERATOR:
	case BROOD_DETAIL_OOM: return true;
	}
	return false;
}

static bool is_cause(enum brood_status_cause cause)
{
	switch (cause) {
	case BROOD_STATUS_ENDED:
	case BROOD_STATUS_RETIRED:
	case BROOD_STATUS_CRASHED:
	case BROOD_STATUS_OUTSIDE:
	case BROOD_STATUS_EXITED:
	case BROOD_STATUS_TIMED_OUT:
	case BROOD_STATUS_CANCELLED:
	case BROOD_STATUS_STOPPED:
	case BROOD_STATUS_STUCK:
	case BROOD_STATUS_OPERATOR:
	case BROOD_STATUS_OOM:
	case BROOD_STATUS_NONSENSE:
	case BROOD_STATUS_UNREADY:
	case BROOD_STATUS_ESCAPED:
	case BROOD_STATUS_UNKNOWN: return true;
	}
	return false;
}

static bool is_report(enum brood_report_cause cause)
{
	switch (cause) {
	case BROOD_REPORT_CRASHED:
	case BROOD_REPORT_EXITED:
	case BROOD_REPORT_KILLED:
	case BROOD_REPORT_TIMED_OUT:
	case BROOD_REPORT_CANCELLED:
	case BROOD_REPORT_STOPPED:
	case BROOD_REPORT_STUCK:
	case BROOD_REPORT_SLOW: return true;
	}
	return false;
}

/* words[i]: of number i, or NULL; is[i]: there is such a number. */
static void judge(const char *kind, const char *const words[NUMBERS], const bool is[NUMBERS])
{
	int count = 0;

	for (int i = 0; i < NUMBERS; i++) {
		cr_assert_eq(words[i] != NULL, is[i], "%s %d: %s", kind, i,
			words[i] ? words[i] : "no word");
		count += is[i];
		if (!words[i])
			continue;
		cr_assert_eq(strspn(words[i], "abcdefghijklmnopqrstuvwxyz_"), strlen(words[i]),
			"%s %d: %s", kind, i, words[i]);
		for (int k = 0; k < i; k++)
			cr_assert(!words[k] || strcmp(words[k], words[i]) != 0, "%s %d and %d: %s",
				kind, k, i, words[i]);
	}
	cr_assert_gt(count, 7);
}

Test(labels, each_number_has_a_word_of_its_own)
{
	const char *words[4][NUMBERS];
	bool is[4][NUMBERS];

	for (int i = 0; i < NUMBERS; i++) {
		words[0][i] = labels_outcome((uint32_t)i);
		is[0][i] = is_outcome((enum brood_outcome)i);
		words[1][i] = labels_detail((uint32_t)i);
		is[1][i] = is_detail((enum brood_detail)i);
		words[2][i] = labels_cause((uint32_t)i);
		is[2][i] = is_cause((enum brood_status_cause)i);
		words[3][i] = labels_report((uint32_t)i);
		is[3][i] = is_report((enum brood_report_cause)i);
	}
	judge("outcome", words[0], is[0]);
	judge("detail", words[1], is[1]);
	judge("cause", words[2], is[2]);
	judge("report", words[3], is[3]);
	cr_assert_null(labels_outcome(UINT32_MAX));
	cr_assert_null(labels_detail(UINT32_MAX));
	cr_assert_null(labels_cause(UINT32_MAX));
	cr_assert_null(labels_report(UINT32_MAX));
}

Test(labels, each_cause_of_a_report_has_its_words_in_a_line)
{
	for (int i = 0; i < NUMBERS; i++)
		cr_assert_eq(strcmp(report_text_cause((uint32_t)i), "ended") != 0,
			is_report((enum brood_report_cause)i), "%d", i);
}
