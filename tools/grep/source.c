/* SPDX-License-Identifier: MIT */
/*
 * Cuts files into chunks of whole lines.
 *
 * Whether grep calls a file binary depends on where its reads end. grep reads BLOCK bytes at a
 * time. A file turns binary with the block that has the first NUL (or at once, if the file has a
 * hole). Lines that ended in earlier blocks are printed as text by then. This file does the same:
 * reads of regular files begin at multiples of BLOCK, and no chunk mixes text and binary.
 *
 * A chunk is one block. When a worker is killed, the search of one chunk is lost and done again, so
 * this search should be short.
 *
 * A pipe or terminal gives a chunk as soon as a read has brought a whole line: output does not wait
 * for more input.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK         (96 * 1024)
#define LINE_MAX_SIZE (512u << 20)

struct source {
	const struct grep_options *options;
	size_t operand;     /* index of the next operand */
	FTS *tree;          /* not NULL while a directory operand is walked */
	struct chunk *said; /* complaints that source_next() has not returned yet */
	bool trouble;
	struct stat output;

	struct file *file; /* not NULL while fd is open */
	int fd;
	bool regular;
	bool binary;
	bool failed;         /* a read failed in the middle of the file */
	struct chunk *carry; /* bytes that were read and belong to no chunk yet; its `refs` is 0 */
	size_t carry_room;
};

struct source *source_new(const struct grep_options *options)
{
	struct source *source = must_alloc(NULL, sizeof *source);
	*source = (struct source){ .options = options, .fd = -1 };
	if (fstat(STDOUT_FILENO, &source->output) < 0 || !S_ISREG(source->output.st_mode))
		source->output.st_ino = 0;
	return source;
}

static void file_unref(struct file *file)
{
	if (!file || --file->refs > 0)
		return;
	free(file->name);
	free(file);
}

struct chunk *chunk_ref(struct chunk *chunk)
{
	chunk->refs++;
	return chunk;
}

struct chunk *chunk_unref(struct chunk *chunk)
{
	if (chunk && --chunk->refs == 0) {
		file_unref(chunk->file);
		free(chunk);
	}
	return NULL;
}

static void file_close(struct source *source)
{
	if (source->fd > STDIN_FILENO)
		close(source->fd);
	source->fd = -1;
	file_unref(source->file);
	source->file = NULL;
}

static struct chunk *said_take(struct source *source)
{
	struct chunk *chunk = source->said;
	source->said = chunk->next;
	chunk->next = NULL;
	return chunk;
}

struct source *source_free(struct source *source)
{
	if (!source)
		return NULL;
	file_close(source);
	if (source->tree)
		fts_close(source->tree);
	while (source->said)
		chunk_unref(said_take(source));
	free(source->carry);
	free(source);
	return NULL;
}

bool source_trouble(const struct source *source) { return source->trouble; }

static void trouble(struct source *source, const char *name, const char *what)
{
	struct chunk **end = &source->said;
	size_t size = strlen(name) + strlen(what) + 3;
	struct chunk *chunk = must_alloc(NULL, sizeof *chunk + size);
	memset(chunk, 0, sizeof *chunk);
	chunk->refs = 1;
	chunk->complaint = true;
	snprintf(chunk->text, size, "%s: %s", name, what);
	while (*end)
		end = &(*end)->next;
	*end = chunk;
	source->trouble = true;
}

/* ---- Which file is next ---------------------------------------------------------------------- */

static bool has_hole(int fd, const struct stat *st)
{
	if (st->st_size <= BLOCK)
		return false;
	off_t hole = lseek(fd, 0, SEEK_HOLE);
	lseek(fd, 0, SEEK_SET);
	return hole >= 0 && hole < st->st_size;
}

static bool file_open(struct source *source, const char *path, const char *name, bool prefix)
{
	bool standard = path[0] == '-' && path[1] == 0;
	struct stat st;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		trouble(source, name, strerror(errno));
		if (fd > STDIN_FILENO)
			close(fd);
		return false;
	}
	if (source->output.st_ino && st.st_ino == source->output.st_ino &&
		st.st_dev == source->output.st_dev && !source->options->count && !standard) {
		trouble(source, name, "input file is also the output");
		close(fd);
		return false;
	}
	source->fd = fd;
	source->failed = false;
	source->regular = S_ISREG(st.st_mode);
	source->binary = source->regular && !standard && has_hole(fd, &st);
	source->file = must_alloc(NULL, sizeof *source->file);
	*source->file = (struct file){
		.name = strdup(standard ? "(standard input)" : name), .prefix = prefix, .refs = 1
	};
	if (!source->file->name)
		out_of_memory();
	return true;
}

/* Below an operand, symbolic links and devices are skipped. The operand itself may be one. */
static bool tree_next(struct source *source)
{
	FTSENT *entry;
	while (errno = 0, entry = fts_read(source->tree)) {
		bool below = entry->fts_level > 0;
		const char *name = entry->fts_path;
		bool hide_dot = source->options->files_count == 0;
		if (hide_dot && strncmp(name, "./", 2) == 0)
			name += 2;
		switch (entry->fts_info) {
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS: trouble(source, name, strerror(entry->fts_errno)); continue;
		case FTS_DC: trouble(source, name, "warning: recursive directory loop"); continue;
		case FTS_D:
		case FTS_DP:
		case FTS_DOT: continue;
		case FTS_F: break;
		default:
			if (below)
				continue;
			break;
		}
		if (file_open(source, entry->fts_accpath, name,
			    below || source->options->files_count > 1))
			return true;
	}
	if (errno)
		trouble(source, "fts_read", strerror(errno));
	fts_close(source->tree);
	source->tree = NULL;
	return false;
}

static bool file_next(struct source *source)
{
	static char here[] = ".", standard[] = "-";
	const struct grep_options *options = source->options;
	char *nothing_named = options->recursive ? here : standard;
	size_t count = options->files_count ? options->files_count : 1;
	for (;;) {
		if (source->tree && tree_next(source))
			return true;
		if (source->operand == count)
			return false;
		char *operand = options->files_count ? options->files[source->operand]
						     : nothing_named;
		source->operand++;
		if (options->recursive && strcmp(operand, "-") != 0) {
			char *operands[2] = { operand, NULL };
			source->tree = fts_open(
				operands, FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR, NULL);
			if (!source->tree)
				trouble(source, operand, strerror(errno));
		} else if (file_open(source, operand, operand, count > 1)) {
			return true;
		}
	}
}

/* ---- Cutting --------------------------------------------------------------------------------- */

static void carry_reserve(struct source *source, size_t room)
{
	if (source->carry && source->carry_room >= room)
		return;
	bool fresh = !source->carry;
	source->carry = must_alloc(source->carry, sizeof *source->carry + room);
	source->carry_room = room;
	if (fresh)
		memset(source->carry, 0, sizeof *source->carry);
}

/*
 * Returns the offset just behind the last end of a line in the first `size` bytes; 0: there is
 * none.
 */
static size_t lines_end(const struct source *source, size_t size)
{
	const char *text = source->carry->text;
	const char *newline = memrchr(text, '\n', size);
	size_t end = newline ? (size_t)(newline - text) + 1 : 0;
	if (source->binary) {
		const char *nul = memrchr(text + end, 0, size - end);
		if (nul)
			end = (size_t)(nul - text) + 1;
	}
	return end;
}

static uint32_t count_lines(const struct source *source, size_t size)
{
	const char *text = source->carry->text;
	uint32_t lines = 0;
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n' || (source->binary && text[i] == 0);
	bool open_end = size > 0 && text[size - 1] != '\n' &&
		!(source->binary && text[size - 1] == 0);
	return lines + open_end;
}

/* Makes a chunk of the first `size` bytes of the carry. The other bytes stay in the carry. */
static struct chunk *cut(struct source *source, size_t size, bool binary, bool last)
{
	struct chunk *chunk = source->carry;
	size_t rest = chunk->size - size;
	uint32_t lines = count_lines(source, size);
	source->carry = NULL;
	carry_reserve(source, rest + 2 * BLOCK);
	memcpy(source->carry->text, chunk->text + size, rest);
	source->carry->size = (uint32_t)rest;
	chunk = must_alloc(chunk, sizeof *chunk + size);
	chunk->refs = 1;
	chunk->file = source->file;
	chunk->file->refs++;
	chunk->binary = binary;
	chunk->last = last;
	chunk->size = (uint32_t)size;
	chunk->lines = lines;
	return chunk;
}

static struct chunk *end_of_file(struct source *source)
{
	struct chunk *chunk = cut(source, source->carry->size, source->binary, true);
	file_close(source);
	return chunk;
}

static ssize_t read_block(struct source *source)
{
	struct chunk *carry = source->carry;
	size_t got = 0;
	while (got < BLOCK) {
		ssize_t n = read(source->fd, carry->text + carry->size + got, BLOCK - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		got += (size_t)n;
		if (n == 0 || !source->regular)
			break;
	}
	return (ssize_t)got;
}

/* A block has been read. Returns a chunk if one can be cut now, else NULL. */
static struct chunk *cut_at_block(struct source *source, size_t block)
{
	struct chunk *carry = source->carry;
	size_t before = carry->size;
	carry->size += (uint32_t)block;
	if (!source->binary && memchr(carry->text + before, 0, block)) {
		size_t end = lines_end(source, before);
		struct chunk *text = end ? cut(source, end, false, false) : NULL;
		source->binary = true;
		if (text)
			return text;
		carry = source->carry;
	}
	if (carry->size < BLOCK && source->regular)
		return NULL;
	size_t end = lines_end(source, carry->size);
	return end ? cut(source, end, source->binary, false) : NULL;
}

static struct chunk *read_on(struct source *source)
{
	if (source->file->finished && source->carry)
		source->carry->size = 0;
	carry_reserve(source, 2 * BLOCK);
	carry_reserve(source, source->carry->size + BLOCK);
	if (source->failed || source->file->finished)
		return end_of_file(source);
	ssize_t n = read_block(source);
	if (n == 0)
		return end_of_file(source);
	if (n > 0 && source->carry->size <= LINE_MAX_SIZE)
		return cut_at_block(source, (size_t)n);
	trouble(source, source->file->name, n < 0 ? strerror((int)-n) : "line too long");
	source->failed = true;
	return NULL;
}

struct chunk *source_next(struct source *source)
{
	for (;;) {
		if (source->said)
			return said_take(source);
		struct chunk *chunk = source->file ? read_on(source) : NULL;
		if (chunk)
			return chunk;
		if (!source->file && !file_next(source) && !source->said)
			return NULL;
	}
}
