/* SPDX-License-Identifier: MIT */
/*
 * log.h - --log FILE: a line for each job that is given, and for each thing that is done to the
 * pool. The lines have no times and no pids. So two runs with one seed have the same lines, but for
 * their order. Without --log all functions here do nothing.
 */
#ifndef BROOD_LOAD_LOG_H
#define BROOD_LOAD_LOG_H

struct load_job;

/* The judge, before its first fork. 0 or -errno. */
int log_open(const char *path, unsigned threads);
/* A thread of the engine gives this job. */
void log_job(unsigned thread, const struct load_job *job);
/* The judge does something. The text is one line, without its end, as in "kill slot=3". */
void log_event(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A process that shall not write into the log, before it does anything else. */
void log_forget(void);
/* The judge, when all other processes have ended. 0, or -errno: some line could not be written. */
int log_close(void);

#endif
