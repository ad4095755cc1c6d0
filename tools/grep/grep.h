/* SPDX-License-Identifier: MIT */
/*
 * brood-grep: patterns from strangers, searched in real files with the C library's own regex code,
 * which they can crash, hang and bloat. What each file owns:
 *
 *   options.c   the command line, and the patterns that it names
 *   source.c    files: walking them, and cutting them into chunks on line borders
 *   search.c    one chunk, one set of patterns: the code that falls. No Brood in it
 *   job.c       search.c as jobs: request and reply as bytes, and the check of what a worker says
 *   runner.c    tasks: done by a few threads that each wait in brood_call(), and consumed in the
 *               order of their submission
 *   killer.c    --kill-rate
 *   lines.c     output as of grep
 *   rows.c      -f with -c: a row a pattern
 *
 * The engine owns the text and does all the printing. A worker gets bytes and answers with numbers:
 * how many lines match, and where each begins. They are checked against the text before anything is
 * printed: a worker may be out of its mind.
 *
 * All bytes are taken as in the C locale.
 */
#ifndef BROOD_GREP_H
#define BROOD_GREP_H

#include <brood.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GREP_FOUND = 0, GREP_NOTHING = 1, GREP_TROUBLE = 2 }; /* exit codes */

/*
 * A set of patterns; a line matches if one of them does. Each ends with a newline in `text`, so ""
 * is no pattern and "\n" the empty one.
 */
struct patterns {
	char *text;
	size_t size;
	uint32_t count;
};

struct grep_options {
	bool extended, icase, number, count, recursive, in_process;
	bool rows; /* -f and -c */
	uint32_t workers;
	uint32_t run_ms;
	uint32_t kill_rate; /* a second */
	struct patterns patterns;
	char **files; /* NULL-terminated */
	size_t files_count;
};

/* Exits by itself on --help, --version and wrong usage. */
void options_read(struct grep_options *options, int argc, char **argv);
/* The next pattern of the set: *offset begins at 0. False at the end. */
bool patterns_next(const struct patterns *patterns, size_t *offset, struct patterns *ret_one);

/* a line on stderr, after what stdout has */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_of_memory(void) __attribute__((noreturn));
void *must_alloc(void *old, size_t size); /* realloc() or the end */

/* ---- source.c -------------------------------------------------------------------------------- */

struct file {
	char *name;  /* as printed */
	bool prefix; /* several files: lines begin with the name */
	unsigned refs;
	/* the consumer's */
	uint64_t line; /* lines before the chunk that is next */
	uint64_t matches;
	bool finished; /* nothing more of it is worth looking at */
};

/*
 * Whole lines of a file; the last one of the file may lack its newline. Text until a NUL was met;
 * then binary: NULs end lines too. Or a complaint, which has its place among the results: its text
 * is for complain(), it has no file, and there is nothing to search in.
 */
struct chunk {
	unsigned refs;
	struct chunk *next; /* the source's */
	struct file *file;
	bool complaint;
	bool binary;
	bool last; /* of its file; it may be empty */
	uint32_t size;
	uint32_t lines;
	char text[];
};

struct source;
struct source *source_new(const struct grep_options *options);
struct source *source_free(struct source *source);
struct chunk *source_next(struct source *source); /* NULL: no more */
bool source_trouble(const struct source *source); /* some file could not be read */

struct chunk *chunk_ref(struct chunk *chunk);
struct chunk *chunk_unref(struct chunk *chunk); /* always NULL */

/* ---- search.c -------------------------------------------------------------------------------- */

enum search_flags {
	SEARCH_EXTENDED = 1 << 0,
	SEARCH_ICASE = 1 << 1,
	SEARCH_COUNT = 1 << 2,  /* how many lines; else where, too */
	SEARCH_FIRST = 1 << 3,  /* enough at the first */
	SEARCH_BINARY = 1 << 4, /* NULs end lines */
};

enum search_code { SEARCH_OK, SEARCH_BAD_PATTERN, SEARCH_NO_MEMORY, SEARCH_BAD_REQUEST, SEARCH_IO };

struct search_result {
	uint32_t matches;
	uint32_t capacity;
	/* of each line that matches; NULL with SEARCH_COUNT. The holder's to free */
	uint32_t *starts;
	const char *error; /* of SEARCH_BAD_PATTERN; static */
};

/*
 * Both keep the compiled set for the next call with the same flags and patterns. Not for two
 * threads at once. search_text() changes NULs in a binary text.
 */
enum search_code search_compile(
	uint32_t flags, const struct patterns *patterns, struct search_result *result);
enum search_code search_text(uint32_t flags, const struct patterns *patterns, char *text,
	size_t size, struct search_result *result);

/* ---- job.c ----------------------------------------------------------------------------------- */

/* What became of a task. A task that fell has no result. */
struct finding {
	bool skipped; /* it was not run: one before it fell */
	bool fell;
	char why[256]; /* "crashed, SIGSEGV in search" */
	uint32_t matches;
	uint32_t *starts;
};

struct task {
	struct chunk *chunk;      /* NULL: only compile */
	struct patterns patterns; /* borrowed */
	uint32_t flags;
	uint32_t row; /* the submitter's */
	/* shared by tasks with the same patterns: one fell, those behind it are not run */
	atomic_bool *fallen;
	struct finding finding;
	bool done; /* the runner's */
};

void job_run(struct brood *brood, struct task *task); /* brood NULL: in this process */

/* ---- runner.c -------------------------------------------------------------------------------- */

/*
 * Called in the submitting thread, in the order of submission. What the task holds is freed after
 * it.
 */
typedef void consume_fn(void *context, struct task *task);

struct runner;
struct runner *runner_new(struct brood *brood, consume_fn *consume, void *context);
/* takes the reference of its chunk */
void runner_submit(struct runner *runner, const struct task *task);
/* waits for, and consumes, all that is out */
void runner_finish(struct runner *runner);
struct runner *runner_free(struct runner *runner);

/* ---- killer.c -------------------------------------------------------------------------------- */

struct killer;
struct killer *killer_new(uint32_t per_second, uint32_t workers); /* before brood_start() */
/* as the pool's worker_init hook */
int killer_worker_init(void *killer);
void killer_start(struct killer *killer);
/* how many it killed. Frees it */
uint64_t killer_stop(struct killer *killer);

/* ---- lines.c, rows.c ------------------------------------------------------------------------- */

int lines_run(const struct grep_options *options, struct brood *brood);
int rows_run(const struct grep_options *options, struct brood *brood);

#endif
