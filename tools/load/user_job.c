/* SPDX-License-Identifier: MIT */
/* user_job.c - see user_job.h. */
#include "user_job.h"
#include "load.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A symbol of another type, say a variable, cannot be called. */
static bool is_function(void *address)
{
	void *entry = NULL;
	const ElfW(Sym) * symbol;
	Dl_info info;

	if (!dladdr1(address, &info, &entry, RTLD_DL_SYMENT) || !entry)
		return false;
	symbol = entry;
	return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC ||
		ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC;
}

static int find(void *library, const char *path, const char *symbol, struct user_job_why *why)
{
	struct work work = { .name = symbol, .name_size = strlen(symbol) + 1 };
	void *address = dlsym(library, symbol);

	if (!address) {
		snprintf(why->text, sizeof why->text,
			"--user-job: %.150s has no function \"%.80s\" (a static one, or one of C++ "
			"without "
			"extern \"C\", does not count): \"nm -D\" lists what it has",
			path, symbol);
		return -EINVAL;
	}
	if (!is_function(address)) {
		snprintf(why->text, sizeof why->text,
			"--user-job: \"%.80s\" of %.150s is no function; it wants one like "
			"int %.80s(struct brood_job *job)",
			symbol, path, symbol);
		return -EINVAL;
	}
	memcpy(&work.fn, &address, sizeof address);
	jobs_set_user(&work);
	return 0;
}

int user_job_open(const char *text, struct user_job_why *why)
{
	static char path[PATH_MAX], real[PATH_MAX];
	const char *colon = strrchr(text, ':');
	void *library;

	if (!colon || colon == text || !colon[1] || (size_t)(colon - text) >= sizeof path) {
		snprintf(why->text, sizeof why->text,
			"--user-job wants a library and a function, as in ./jobs.so:resize, not "
			"\"%.100s\"",
			text);
		return -EINVAL;
	}
	memcpy(path, text, (size_t)(colon - text));
	/* A name without a slash means a file here, which dlopen() would not look for. */
	if (!realpath(path, real)) {
		snprintf(why->text, sizeof why->text, "--user-job: %.200s: %s", path,
			strerror(errno));
		return -EINVAL;
	}
	library = dlopen(real, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(why->text, sizeof why->text, "--user-job: %s", dlerror());
		return -EINVAL;
	}
	return find(library, path, colon + 1, why);
}
