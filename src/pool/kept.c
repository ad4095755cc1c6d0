/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include <stdlib.h>

bool kept_name_is_good(const char *name)
{
	size_t size = strnlen(name, KEPT_NAME_MAX + 1);

	for (size_t i = 0; i < size; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return size > 0 && size <= KEPT_NAME_MAX;
}

int kept_init(struct kept *k, uint32_t room, bool told)
{
	*k = (struct kept){ .room = room, .told = told };
	k->files = calloc(MAX(k->room, 1u), sizeof *k->files);
	return k->files ? 0 : -ENOMEM;
}

void kept_free(struct kept *k)
{
	free(k->files);
	*k = (struct kept){ 0 };
}

static struct kept_file *append(struct kept *k, const char *name, int fd)
{
	struct kept_file *file = k->count < k->room ? &k->files[k->count++] : NULL;

	if (!file)
		return NULL;
	*file = (struct kept_file){ .fd = fd };
	memcpy(file->name, name, strnlen(name, KEPT_NAME_MAX));
	return file;
}

int kept_add(struct kept *k, const char *name, int fd) { return append(k, name, fd) ? 0 : -ENOSPC; }

static struct kept_file *first_of(const struct kept *k, const char *name)
{
	for (uint32_t i = 0; i < k->count; i++)
		if (strcmp(k->files[i].name, name) == 0)
			return &k->files[i];
	return NULL;
}

bool kept_has_room(const struct kept *k, const char *name)
{
	return k->count < k->room || first_of(k, name);
}

static void drop(struct kept *k, struct kept_file *file)
{
	size_t behind = (size_t)(k->files + k->count - (file + 1));

	memmove(file, file + 1, behind * sizeof *file);
	k->count--;
}

/* Takes the fds of a name out of the table, and all of the name's entries but the first. */
static int take_out(struct kept *k, struct kept_file *first, int *ret_old)
{
	int count = 0;

	if (first->fd >= 0)
		ret_old[count++] = first->fd;
	first->fd = -1;
	for (struct kept_file *file = first + 1; file < k->files + k->count;) {
		if (strcmp(file->name, first->name) != 0) {
			file++;
			continue;
		}
		ret_old[count++] = file->fd;
		drop(k, file);
	}
	return count;
}

/*
 * The service manager is told to remove even a name that is new here: what an earlier start stored
 * may have come to the program in another way than to this table.
 */
int kept_set(struct kept *k, const char *name, int fd, int *ret_old)
{
	struct kept_file *file = first_of(k, name);
	int count = 0;

	if (file)
		count = take_out(k, file, ret_old);
	else if (fd < 0)
		return 0;
	else if (!(file = append(k, name, -1)))
		return -ENOSPC;
	file->fd = fd;
	file->stored = k->told && fd >= 0;
	file->due = !k->told ? 0 : fd < 0 ? KEPT_REMOVE : KEPT_REMOVE | KEPT_STORE;
	if (fd < 0 && file->due == 0)
		drop(k, file);
	return count;
}

uint32_t kept_find(const struct kept *k, const char *name, int *ret_fds, uint32_t room)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->count; i++) {
		const struct kept_file *file = &k->files[i];

		if (file->fd < 0 || (name && strcmp(file->name, name) != 0))
			continue;
		if (count < room)
			ret_fds[count] = file->fd;
		count++;
	}
	return count;
}

uint32_t kept_files(const struct kept *k) { return kept_find(k, NULL, NULL, 0); }

uint32_t kept_stored(const struct kept *k)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->count; i++)
		count += k->files[i].stored;
	return count;
}

struct kept_file *kept_next(struct kept *k, enum kept_word *ret_word)
{
	for (uint32_t i = 0; i < k->count; i++) {
		if (k->files[i].due == 0)
			continue;
		*ret_word = k->files[i].due & KEPT_REMOVE ? KEPT_REMOVE : KEPT_STORE;
		return &k->files[i];
	}
	return NULL;
}

void kept_was_told(struct kept *k, struct kept_file *file, enum kept_word word)
{
	file->due &= ~(unsigned)word;
	if (file->due == 0 && file->fd < 0)
		drop(k, file);
}
