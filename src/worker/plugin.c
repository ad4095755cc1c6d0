/* SPDX-License-Identifier: MIT */
/*
 * plugin.c - finds functions of shared objects that the engine loaded after the start. Each object
 * is opened here once, by its path, and stays open for the worker's life.
 *
 * dlopen() runs the object's constructors, so it is called within the job's frame and run time. The
 * reference to dlopen() is weak: a static program may lack it, and then such jobs are refused.
 */
#include "plugin.h"

#include "../os/output.h"
#include "report.h"

#include <dlfcn.h>
#include <stdlib.h>

#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlerror

struct plugin {
	struct plugin *next;
	brood_fn *fn;
	size_t size;
	char text[];
};
static struct plugin *plugins;

/* Finds the symbol in "path\0symbol\0". */
static const char *symbol_in(const char *text, size_t size)
{
	const char *nul = memchr(text, '\0', size);

	if (!nul || text[0] != '/' || text[size - 1] != '\0' || nul + 2 >= text + size)
		return NULL;
	return strlen(nul + 1) + 1 == (size_t)(text + size - (nul + 1)) ? nul + 1 : NULL;
}

static brood_fn *open_plugin(const struct brood_job *job, const char *path, const char *symbol)
{
	void *object, *found;

	if (!dlopen || !dlsym || !dlerror) {
		report_log(job->id, BROOD_WARNING,
			"plugin %s: this program cannot open shared objects", path);
		return NULL;
	}
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		report_log(job->id, BROOD_WARNING, "plugin: %s", dlerror());
		return NULL;
	}
	output_look();
	found = dlsym(object, symbol);
	if (!found)
		report_log(job->id, BROOD_WARNING, "plugin: no %s in %s", symbol, path);
	return (brood_fn *)(uintptr_t)found;
}

static void keep(brood_fn *fn, const char *text, size_t size)
{
	struct plugin *p = malloc(sizeof *p + size);

	if (!p)
		return; /* not kept, so the next call looks it up again */
	p->fn = fn;
	p->size = size;
	memcpy(p->text, text, size);
	p->next = plugins;
	plugins = p;
}

brood_fn *plugin_find(struct brood_job *job, const char *text, size_t size)
{
	const char *symbol;
	brood_fn *fn;

	for (struct plugin *p = plugins; p; p = p->next)
		if (p->size == size && memcmp(p->text, text, size) == 0)
			return p->fn;
	symbol = symbol_in(text, size);
	if (!symbol) {
		report_log(job->id, BROOD_WARNING,
			"plugin: a path from the root and a symbol are needed");
		return NULL;
	}
	fn = open_plugin(job, text, symbol);
	if (fn)
		keep(fn, text, size);
	return fn;
}
