/* SPDX-License-Identifier: MIT */
/*
 * output.c - see output.h.
 *
 * C++'s streams are flushed by their buffers' pubsync() and not by flush(). flush() throws where
 * the program has asked for exceptions, and no C++ frame above the library could catch them.
 *
 * By default the streams are synchronised with stdio and have no buffers of their own. Then only
 * std::cout is flushed, because the program may have given it a buffer.
 */
#include "output.h"
#include "../base/base.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdio_ext.h>

#pragma weak dlopen
#pragma weak dlsym

/* Members of the C++ runtime by their linkage names; 0 where the program has no such runtime. */
typedef void *rdbuf_fn(const void *ios);
typedef int pubsync_fn(void *buffer);
extern char cout_[] __asm__("_ZSt4cout") __attribute__((weak));
extern char clog_[] __asm__("_ZSt4clog") __attribute__((weak));
extern char wcout_[] __asm__("_ZSt5wcout") __attribute__((weak));
extern char wclog_[] __asm__("_ZSt5wclog") __attribute__((weak));
extern rdbuf_fn rdbuf_ __asm__("_ZNKSt9basic_iosIcSt11char_traitsIcEE5rdbufEv")
	__attribute__((weak));
extern rdbuf_fn wide_rdbuf_ __asm__("_ZNKSt9basic_iosIwSt11char_traitsIwEE5rdbufEv")
	__attribute__((weak));
extern pubsync_fn pubsync_ __asm__("_ZNSt15basic_streambufIcSt11char_traitsIcEE7pubsyncEv")
	__attribute__((weak));
extern pubsync_fn wide_pubsync_ __asm__("_ZNSt15basic_streambufIwSt11char_traitsIwEE7pubsyncEv")
	__attribute__((weak));
extern bool sync_with_stdio_(bool on) __asm__("_ZNSt8ios_base15sync_with_stdioEb")
	__attribute__((weak));

struct stream {
	void *object;
	rdbuf_fn *rdbuf;
	pubsync_fn *pubsync;
};

static struct {
	/*
	 * std::ios_base::sync_with_stdio(): the call with true only returns the present state.
	 * NULL: there is no such runtime.
	 */
	bool (*synchronised)(bool on);
	struct stream streams[4]; /* streams[0] is std::cout */
} runtime;

bool output_streams = true;

static void found(void *const objects[4], rdbuf_fn *const rdbufs[2], pubsync_fn *const pubsyncs[2],
	bool (*synchronised)(bool on))
{
	if (!objects[0] || !rdbufs[0] || !pubsyncs[0] || !synchronised)
		return;
	for (int i = 0; i < 4; i++)
		runtime.streams[i] = (struct stream){ objects[i], rdbufs[i / 2], pubsyncs[i / 2] };
	runtime.synchronised = synchronised;
	output_streams = true;
}

static bool nobody_looked(void) { return output_streams && !runtime.synchronised; }

static void look_at_linked(void)
{
	output_streams = false;
	found((void *const[]){ cout_, clog_, wcout_, wclog_ },
		(rdbuf_fn *const[]){ rdbuf_, wide_rdbuf_ },
		(pubsync_fn *const[]){ pubsync_, wide_pubsync_ }, sync_with_stdio_);
}

/* A runtime loaded with RTLD_LOCAL is not found by the names that the library is linked with. */
static void look_at_loaded(void)
{
	static const char *const names[] = {
		"_ZSt4cout",
		"_ZSt4clog",
		"_ZSt5wcout",
		"_ZSt5wclog",
		"_ZNKSt9basic_iosIcSt11char_traitsIcEE5rdbufEv",
		"_ZNKSt9basic_iosIwSt11char_traitsIwEE5rdbufEv",
		"_ZNSt15basic_streambufIcSt11char_traitsIcEE7pubsyncEv",
		"_ZNSt15basic_streambufIwSt11char_traitsIwEE7pubsyncEv",
		"_ZNSt8ios_base15sync_with_stdioEb",
	};
	void *object = dlopen("libstdc++.so.6", RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL);
	void *a[ARRAY_SIZE(names)];

	if (!object)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		a[i] = dlsym(object, names[i]);
	found(a, (rdbuf_fn *const[]){ (rdbuf_fn *)(uintptr_t)a[4], (rdbuf_fn *)(uintptr_t)a[5] },
		(pubsync_fn *const[]){
			(pubsync_fn *)(uintptr_t)a[6], (pubsync_fn *)(uintptr_t)a[7] },
		(bool (*)(bool))(uintptr_t)a[8]);
}

void output_look(void)
{
	if (nobody_looked())
		look_at_linked();
	if (!output_streams && dlopen && dlsym)
		look_at_loaded();
}

/* The third word before an object's table of functions tells where its virtual base stands. */
static void flush_stream(const struct stream *s)
{
	char *object = s->object;
	const ptrdiff_t *table;
	void *buffer;

	if (!object || !s->rdbuf || !s->pubsync)
		return;
	memcpy(&table, object, sizeof table);
	if (!table)
		return; /* the stream is not constructed yet */
	buffer = s->rdbuf(object + table[-3]);
	if (buffer)
		s->pubsync(buffer);
}

static void flush_streams(void)
{
	int count;

	if (nobody_looked())
		look_at_linked();
	if (!output_streams)
		return;
	count = runtime.synchronised(true) ? 1 : (int)ARRAY_SIZE(runtime.streams);
	for (int i = 0; i < count; i++)
		flush_stream(&runtime.streams[i]);
}

void output_flush_standard(void)
{
	flush_streams();
	if (__fpending(stdout) > 0)
		fflush(stdout);
}

void output_flush(void)
{
	flush_streams();
	fflush(NULL);
}
