/* SPDX-License-Identifier: MIT */
/*
 * brood-grep searches real files for patterns from strangers. It uses the C library's own regex
 * code, which such a pattern can crash, hang or bloat. What each file owns:
 *
 *   options.c   the command line, and the patterns that it names
 *   source.c    the files: walks over them, and cuts them into chunks at ends of lines
 *   search.c    the search of one chunk for one set of patterns: the code that falls, without Brood
 *   job.c       search.c as jobs: request and reply as bytes, and the check of each reply
 *   runner.c    the tasks: a few threads do them, each in brood_call(); the main thread consumes
 *               the results in the order of submission
 *   killer.c    --kill-rate
 *   lines.c     output like grep's
 *   rows.c      -f with -c: one row for each pattern
 *
 * The engine owns the text and does all the printing. A worker gets bytes and answers with numbers:
 * how many lines match, and where each of these lines begins. The engine checks the numbers against
 * the text before it prints anything, because a job may have corrupted its worker.
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
 * A set of patterns. A line matches the set if it matches one pattern. Each pattern ends with a
 * newline in `text`: "" is a set without a pattern, "\n" is a set with the empty pattern.
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

/* Ends the program by itself on --help, --version and wrong usage. */
void options_read(struct grep_options *options, int argc, char **argv);
/* The next pattern of the set: *offset begins at 0. False at the end. */
bool patterns_next(const struct patterns *patterns, size_t *offset, struct patterns *ret_one);

/* Prints a line on stderr, after everything that was printed on stdout before. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_of_memory(void) __attribute__((noreturn));
void *must_alloc(void *old, size_t size); /* realloc(); ends the program when memory is out */

/* ---- source.c -------------------------------------------------------------------------------- */

struct file {
	char *name;  /* as printed */
	bool prefix; /* there are several files: each line begins with the file's name */
	unsigned refs;
	/* Only the consuming thread uses the members below. */
	uint64_t line; /* how many lines of the file stand before the next chunk */
	uint64_t matches;
	bool finished; /* no later chunk of this file matters */
};

/*
 * Whole lines of a file; only the last line of the file may lack its newline. A file counts as text
 * until its first NUL. From there it counts as binary, and NULs end lines, too. A chunk without a
 * file is a complaint instead: its text is for complain(), and nothing is searched. A complaint
 * keeps its place among the results.
 */
struct chunk {
	unsigned refs;
	struct chunk *next; /* for the source's list */
	struct file *file;
	bool complaint;
	bool binary;
	bool last; /* the last chunk of its file; such a chunk may be empty */
	uint32_t size;
	uint32_t lines;
	char text[];
};

struct source;
struct source *source_new(const struct grep_options *options);
struct source *source_free(struct source *source);
struct chunk *source_next(struct source *source); /* NULL: no more */
bool source_trouble(const struct source *source); /* true: some file could not be read */

struct chunk *chunk_ref(struct chunk *chunk);
struct chunk *chunk_unref(struct chunk *chunk); /* always NULL */

/* ---- search.c -------------------------------------------------------------------------------- */

enum search_flags {
	SEARCH_EXTENDED = 1 << 0,
	SEARCH_ICASE = 1 << 1,
	/* counts the lines that match; without this flag their places are listed, too */
	SEARCH_COUNT = 1 << 2,
	SEARCH_FIRST = 1 << 3,  /* stops at the first line that matches */
	SEARCH_BINARY = 1 << 4, /* NULs end lines */
};

enum search_code { SEARCH_OK, SEARCH_BAD_PATTERN, SEARCH_NO_MEMORY, SEARCH_BAD_REQUEST, SEARCH_IO };

struct search_result {
	uint32_t matches;
	uint32_t capacity;
	/* Where each matching line begins; NULL with SEARCH_COUNT. The holder frees the array. */
	uint32_t *starts;
	const char *error; /* with SEARCH_BAD_PATTERN; a static string */
};

/*
 * Both functions keep the compiled set for the next call with the same flags and patterns. Two
 * threads may not call them at once. search_text() changes the NULs in a binary text.
 */
enum search_code search_compile(
	uint32_t flags, const struct patterns *patterns, struct search_result *result);
enum search_code search_text(uint32_t flags, const struct patterns *patterns, char *text,
	size_t size, struct search_result *result);

/* ---- job.c ----------------------------------------------------------------------------------- */

/* The outcome of a task. A task that fell has no result. */
struct finding {
	/* the task was not run, because an earlier task with the same patterns fell */
	bool skipped;
	bool fell;
	char why[256]; /* "crashed, SIGSEGV in search" */
	uint32_t matches;
	uint32_t *starts;
};

struct task {
	struct chunk *chunk;      /* NULL: the task only compiles the patterns */
	struct patterns patterns; /* borrowed */
	uint32_t flags;
	uint32_t row; /* for the submitter's own use */
	/*
	 * Tasks with the same patterns share this flag. When one of these tasks falls, later ones
	 * do not run.
	 */
	atomic_bool *fallen;
	struct finding finding;
	bool done; /* for the runner's own use */
};

void job_run(struct brood *brood, struct task *task); /* brood NULL: runs in this process */

/* ---- runner.c -------------------------------------------------------------------------------- */

/*
 * The submitting thread calls this for each task, in the order of submission. Afterwards the runner
 * frees what the task holds.
 */
typedef void consume_fn(void *context, struct task *task);

struct runner;
struct runner *runner_new(struct brood *brood, consume_fn *consume, void *context);
/* Takes over the caller's reference to the chunk. */
void runner_submit(struct runner *runner, const struct task *task);
/* Waits for all submitted tasks, and consumes them. */
void runner_finish(struct runner *runner);
struct runner *runner_free(struct runner *runner);

/* ---- killer.c -------------------------------------------------------------------------------- */

struct killer;
struct killer *killer_new(uint32_t per_second, uint32_t workers); /* before brood_start() */
/* For the pool's worker_init hook. */
int killer_worker_init(void *killer);
void killer_start(struct killer *killer);
/* Returns how many workers the killer has killed. Frees the killer. */
uint64_t killer_stop(struct killer *killer);

/* ---- lines.c, rows.c ------------------------------------------------------------------------- */

int lines_run(const struct grep_options *options, struct brood *brood);
int rows_run(const struct grep_options *options, struct brood *brood);

#endif
