/* SPDX-License-Identifier: MIT */
/*
 * disown.c - law 10, the part that on_exit() cannot do: exit() first runs the destructors of the
 * thread's C++ thread_local objects, and only then the handlers of on_exit(), which end the worker.
 * Jobs run in the image of the thread that called brood_start(), so its objects, made by the
 * program's main(), would be destructed in a worker.
 *
 * The C library keeps these destructors in a list of its own (struct dtor_list, the same since
 * glibc 2.18), whose head is a variable in libc's thread-local memory; no call empties the list. So
 * this file adds two entries of its own to the list, and then looks for the head: a word of
 * thread-local memory that points at the second entry, which points at the first. Only if the head
 * is found so, the rest of the list behind the two is cut off. Otherwise (another C library, a
 * changed layout, a sandbox that forbids the look) nothing is touched, and the destructors of
 * main()'s objects run at a job's exit().
 *
 * Pointers of unknown worth are followed by process_vm_readv(), which says no instead of crashing.
 * What jobs construct later is destructed at exit() as ever.
 */
#define _GNU_SOURCE
#include "disown.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

extern int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *symbol)
	__attribute__((weak));

struct dtor_entry {
	uintptr_t destructor;
	void *object;
	void *map;
	struct dtor_entry *next;
};

static char first_object, second_object;

static void nothing(void *object) { (void)object; }

static bool look_at(uintptr_t address, struct dtor_entry *ret)
{
	struct iovec to = { .iov_base = ret, .iov_len = sizeof *ret },
		     from = { .iov_base = (void *)address, .iov_len = sizeof *ret };

	if (address < 4096 || address % sizeof(void *) != 0)
		return false;
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof *ret;
}

static struct dtor_entry *find_first(uintptr_t word)
{
	struct dtor_entry second, first;

	if (!look_at(word, &second) || second.object != &second_object)
		return NULL;
	return look_at((uintptr_t)second.next, &first) && first.object == &first_object
		? second.next
		: NULL;
}

static int search_module(struct dl_phdr_info *info, size_t size, void *found)
{
	const uintptr_t *words = info->dlpi_tls_data;
	struct dtor_entry **first = found;

	(void)size;
	for (int i = 0; words && i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_TLS)
			continue;
		for (size_t k = 0; k < info->dlpi_phdr[i].p_memsz / sizeof *words && !*first; k++)
			*first = find_first(words[k]);
	}
	return *first != NULL;
}

void disown_thread_locals(void)
{
	struct dtor_entry *first = NULL;

	if (!__cxa_thread_atexit_impl)
		return;
	if (__cxa_thread_atexit_impl(nothing, &first_object, &first_object) != 0 ||
		__cxa_thread_atexit_impl(nothing, &second_object, &second_object) != 0)
		return;
	dl_iterate_phdr(search_module, &first);
	if (first)
		first->next = NULL;
}
