/*
 * report.h - how any process of a case says what went wrong: CHECK() and its kin.
 *
 * A case is many processes (supervisor, engine, guard, workers, what jobs start), most of which close all fds that they do not know. So the channel is not an fd but shared memory, mapped
 * before the first fork: text is appended with one atomic add, works in every process that was forked from the case, and outlives a SIGKILL of its writer. A program that a case execs
 * finds it again by report_attach().
 *
 * A failed CHECK writes "file:line: expression" and ends its process with _exit(99); in the process of the test itself (see case_options.outside) it leaves the hook instead.
 */
#ifndef BROOD_TESTS_REPORT_H
#define BROOD_TESTS_REPORT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPORT_TEXT   32768
#define REPORT_SHARED 65536

struct report {
	atomic_uint done;                /* last words: must be one at the end */
	atomic_uint failures;
	atomic_uint used;                /* bytes of text */
	char text[REPORT_TEXT];
	_Alignas(64) unsigned char shared[REPORT_SHARED];
};

/* In the test, before a case: a fresh one. Called by case.c; plain programs call it themselves. */
struct report *report_create(void);
struct report *report_current(void);
/* In a program that a case exec'd: the case's report, by the environment. 0 or -errno. */
int report_attach(void);

/* 64 KiB of zeroed memory that all processes of the case and the test share, for whatever a test wants to pass around: struct mine *m = case_shared(); m->pids[0] = ... */
void *case_shared(void);

/* The last word. The body's return says it too; a body that ends otherwise (exit(5), a crash on purpose) says it itself. Exactly one a case. */
void case_done(void);

/* A line of text for the log of a failed case. Fails nothing. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

void report_failure(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));
/* Where a failed CHECK goes instead of _exit(99), in the process that sets it. */
void report_on_failure(void (*leave)(void));

#define FAIL(...) report_failure(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(e) do { if (!(e)) FAIL("%s (errno %d)", #e, errno); } while (0)
#define CHECK_MSG(e, format, ...) do { if (!(e)) FAIL("%s: " format, #e, ##__VA_ARGS__); } while (0)

#define CHECK_CMP_(a, op, b) do { \
	intmax_t check_a_ = (intmax_t)(a), check_b_ = (intmax_t)(b); \
	if (!(check_a_ op check_b_)) \
		FAIL("%s " #op " %s: %jd, %jd", #a, #b, check_a_, check_b_); \
} while (0)
#define CHECK_EQ(a, b) CHECK_CMP_(a, ==, b)
#define CHECK_NE(a, b) CHECK_CMP_(a, !=, b)
#define CHECK_LT(a, b) CHECK_CMP_(a, <, b)
#define CHECK_LE(a, b) CHECK_CMP_(a, <=, b)
#define CHECK_GT(a, b) CHECK_CMP_(a, >, b)
#define CHECK_GE(a, b) CHECK_CMP_(a, >=, b)

#define CHECK_STR(a, b) do { \
	const char *check_a_ = (a), *check_b_ = (b); \
	if (!check_a_ || !check_b_ || strcmp(check_a_, check_b_) != 0) \
		FAIL("%s is %s: \"%s\", \"%s\"", #a, #b, check_a_ ? check_a_ : "(null)", check_b_ ? check_b_ : "(null)"); \
} while (0)
#define CHECK_CONTAINS(text, part) do { \
	const char *check_a_ = (text), *check_b_ = (part); \
	if (!check_a_ || !strstr(check_a_, check_b_)) \
		FAIL("%s contains %s: \"%s\", \"%s\"", #text, #part, check_a_ ? check_a_ : "(null)", check_b_); \
} while (0)
#define CHECK_MEM(a, b, size) do { if ((size) != 0 && memcmp((a), (b), (size)) != 0) FAIL("%s: the %zu bytes of %s", #a, (size_t)(size), #b); } while (0)

#endif
