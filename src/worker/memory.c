/* SPDX-License-Identifier: MIT */
/*
 * memory.c - see memory.h.
 *
 * The limit is RLIMIT_DATA. The kernel counts private memory that can be written: heap, anonymous
 * mappings, stacks of threads. It does not count files that are only read, shared memory, and the
 * stack that jobs run on. So resident memory does not tell how close the limit is. A verdict says
 * "memory limit" if the size that the kernel counts was near it, or after ENOMEM.
 *
 * Two files in /proc tell the counted size. statm is cheap and is read first, but its figure has
 * the stack in it. Only when that is close to the limit, status is read, which has the data alone.
 *
 * A worker that dies cannot be asked afterwards. So the handler of faults and aborts (fault.c) has
 * a refusal of memory noted in the slot's page. A job that ends by _exit() notes nothing.
 */
#include "memory.h"

#include "../os/fds.h"
#include "../os/shm.h"
#include "worker.h"

#include <fcntl.h>

struct figure {
	int fd;
	struct identity identity;
	uint64_t near_kb;
};

static struct {
	struct figure statm, status, rollup;
	bool limited;
} memory = { .statm = { .fd = -1 }, .status = { .fd = -1 }, .rollup = { .fd = -1 } };

/* ---- how large the process is ---- */

static void open_figure(struct figure *f, const char *path)
{
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd >= 0 && identity_get(f->fd, &f->identity) < 0)
		f->fd = close_fd(f->fd);
}

void memory_open(const struct brood_options *options, bool grows)
{
	if (options->worker_memory > 0 || grows)
		open_figure(&memory.statm, "/proc/self/statm");
	if (options->worker_memory > 0)
		open_figure(&memory.status, "/proc/self/status");
	if (grows)
		open_figure(&memory.rollup, "/proc/self/smaps_rollup");
}

/* Reads the file at its number only if it still is that file: a job may have put another there. */
static bool read_figure_at(const struct figure *f, char *text, size_t size, off_t from)
{
	bool ours = f->fd >= 0 && identity_is(f->fd, &f->identity);
	ssize_t n = ours ? pread(f->fd, text, size - 1, from) : -1;

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool read_figure(const struct figure *f, char *text, size_t size)
{
	return read_figure_at(f, text, size, 0);
}

static uint64_t number_at(const char *text)
{
	uint64_t value = 0;

	while (*text == ' ' || *text == '\t')
		text++;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

/* Reads the number at `index` of a line of page counts, and returns it in KiB. */
static uint64_t pages_at(const char *at, int index)
{
	for (int i = 0; i < index && at; i++)
		at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
	return at ? number_at(at) * (shm_page() / 1024) : 0;
}

/* The sixth number of statm: pages of data and stack. 0: it cannot be known. */
static uint64_t statm_kb(void)
{
	char text[160];

	return read_figure(&memory.statm, text, sizeof text) ? pages_at(text, 5) : 0;
}

/*
 * Resident memory without a file: the second number of statm (resident pages) less the third (those
 * of files and shared memory).
 */
static uint64_t resident_kb(void)
{
	char text[160];

	if (!read_figure(&memory.statm, text, sizeof text))
		return 0;
	return pages_at(text, 1) - MIN(pages_at(text, 1), pages_at(text, 2));
}

static uint64_t field_kb(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? number_at(at + strlen(name)) : 0;
}

uint64_t memory_anonymous_kb(bool exact)
{
	char text[1500];

	if (!exact || !read_figure(&memory.rollup, text, sizeof text))
		return resident_kb();
	return field_kb(text, "\nAnonymous:") + field_kb(text, "\nSwap:");
}

/*
 * Returns VmData of the process; 0: it cannot be known. The file is read in pieces, for the list of
 * groups before VmData may be hundreds of kilobytes long. Each piece begins with the end of the
 * piece before, so that no line is cut.
 */
static uint64_t status_kb(void)
{
	enum { OVERLAP = 64, PIECES = 1024 };
	char text[1500];
	off_t from = 0;

	for (int i = 0; i < PIECES && read_figure_at(&memory.status, text, sizeof text, from);
		i++) {
		const char *at = strstr(text, "\nVmData:");

		if (at && strchr(at + 1, '\n'))
			return field_kb(at, "\nVmData:");
		if (strlen(text) <= OVERLAP)
			break;
		from += (off_t)strlen(text) - OVERLAP;
	}
	return 0;
}

bool memory_near(void)
{
	return memory.limited && statm_kb() >= memory.statm.near_kb &&
		status_kb() >= memory.status.near_kb;
}

bool memory_refused(int error) { return memory.limited && (error == ENOMEM || memory_near()); }

void memory_tolerated(void) { memory.status.near_kb = status_kb() + 1; }

/* ---- the limit on memory ---- */

int memory_limit(const struct brood_options *options)
{
	uint64_t all_kb = statm_kb(), data_kb = status_kb(), page_kb = shm_page() / 1024;
	uint64_t most_kb = MAX(
		(options->worker_memory - options->worker_memory / 8) / 1024, page_kb);
	uint64_t most = MIN(options->worker_memory, UINT64_MAX - data_kb * 1024);
	struct rlimit limit;

	if (options->worker_memory == 0)
		return 0;
	if (all_kb == 0 || data_kb == 0)
		return -ENOENT;
	if (getrlimit(RLIMIT_DATA, &limit) < 0)
		return -errno;
	memory.statm.near_kb = all_kb + most_kb;
	memory.status.near_kb = data_kb + most_kb;
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)(data_kb * 1024 + most));
	if (setrlimit(RLIMIT_DATA, &limit) < 0)
		return -errno;
	memory.limited = true;
	return 0;
}

/* ---- deaths for lack of memory ---- */

void memory_note_death(int error)
{
	if (worker_is_self() && memory_refused(error))
		atomic_store(&the_worker.page->memory, 1);
}
