/* SPDX-License-Identifier: MIT */
/*
 * logging.h - lines for the engine's log callback, or stderr.
 */
#ifndef BROOD_SUPERVISOR_LOGGING_H
#define BROOD_SUPERVISOR_LOGGING_H

#include "root.h"

struct logging_about {
	enum brood_level level;
	enum brood_event event;
	uint32_t worker; /* the worker's slot number plus 1; 0: no worker */
	pid_t pid;
	uint64_t job;
	const struct pool *pool;    /* NULL: the line is about no pool */
	int error;                  /* an errno that the line is about; 0: none */
	const char *function, *tag; /* the job's; NULL: the line is about no job */
	const char *stderr_text;    /* what the worker wrote, for the journal; NULL, "": nothing */
	bool past_engine;           /* the line goes to stderr, for the engine cannot print it */
};
/* The place in the library's code that logs, and more that only the journal has room for. */
struct logging_place {
	const char *file, *function;
	unsigned line;
	const char *stderr_text;
};
/* Logs a line. If the brood has several pools, the line begins with the name of about->pool. */
#define logging_line(...) \
	logging_say(      \
		&(const struct logging_place){ __FILE__, __func__, __LINE__, NULL }, __VA_ARGS__)
void logging_say(const struct logging_place *place, struct supervisor *s,
	const struct logging_about *about, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Sends a whole line: a job's own line, or one that logging_line() made. */
void logging_relay(struct supervisor *s, const struct message_log *line);
/* The number of the pool in a message of a log line; 0: the line is about no pool. */
static inline uint32_t logging_pool(const struct pool *pool)
{
	return pool ? pool->setup->number + 1 : 0;
}
timer_fn logging_fold_fired;
/* At the end: writes the lines that are still held back. */
void logging_flush(struct supervisor *s);

#define process_log(s_, level_, event_, pid_, ...)                                              \
	logging_line((s_),                                                                      \
		&(struct logging_about){ .level = (level_), .event = (event_), .pid = (pid_) }, \
		__VA_ARGS__)
/* Writes to stderr, for the engine cannot print the line. */
#define stderr_log(s_, level_, event_, pid_, ...)           \
	logging_line((s_),                                  \
		&(struct logging_about){ .level = (level_), \
			.event = (event_),                  \
			.pid = (pid_),                      \
			.past_engine = true },              \
		__VA_ARGS__)
#define pool_log(pool_, level_, event_, ...)                                                      \
	logging_line((pool_)->supervisor,                                                         \
		&(struct logging_about){ .level = (level_), .event = (event_), .pool = (pool_) }, \
		__VA_ARGS__)
#define error_log(s_, level_, event_, error_, ...)                                 \
	logging_line((s_),                                                         \
		&(struct logging_about){                                           \
			.level = (level_), .event = (event_), .error = (error_) }, \
		__VA_ARGS__)
#define plain_log(s_, level_, event_, ...) process_log(s_, level_, event_, 0, __VA_ARGS__)

#endif
