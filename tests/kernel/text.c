/* SPDX-License-Identifier: MIT */
/* text.c - which pointers point to code that was there at the snapshot and is still there. */
#include "kernel.h"
#include "os/text.h"

#include <dlfcn.h>

TestSuite(kernel_text, .timeout = 120);

static int data = 1;
static const char constant[] = "constant";
static void function(void) {}

static void pointers(void)
{
	char stack[16], *heap = malloc(16);
	void *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(!text_callable((void *)(uintptr_t)function)); /* no snapshot, no code */
	CHECK_EQ(text_snapshot(), 0);
	CHECK(text_callable((void *)(uintptr_t)function));
	CHECK(text_callable((void *)(uintptr_t)pointers));
	CHECK(text_callable((void *)(uintptr_t)malloc));
	CHECK(text_callable((void *)(uintptr_t)text_callable));
	CHECK(!text_callable(NULL));
	CHECK(!text_callable(&data));
	CHECK(!text_callable(constant));
	CHECK(!text_callable(stack));
	CHECK(!text_callable(heap));
	CHECK(!text_callable(page));
	for (unsigned shift = 0; shift < 64; shift++)
		CHECK(!text_callable((void *)(uintptr_t)(1ull << shift)));
	CHECK(!text_callable((void *)UINTPTR_MAX));
	CHECK_EQ(text_snapshot(), 0);
	CHECK(text_callable((void *)(uintptr_t)function));
	free(heap);
}
Test(kernel_text, pointers) { case_run(pointers, 20000); }

static const char *const libraries[] = { "libBrokenLocale.so.1", "libthread_db.so.1",
	"libnss_hesiod.so.2" };
static const char *const functions[] = { "__ctype_get_mb_cur_max", "td_init",
	"_nss_hesiod_setpwent" };

struct opened {
	void *library, *function;
};

static bool loaded(const char *library)
{
	void *h = dlopen(library, RTLD_NOW | RTLD_NOLOAD);

	if (h)
		dlclose(h);
	return h != NULL;
}

/* An object that nothing else has loaded, so dlclose() really unloads it. */
static size_t pick(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		void *h;

		if (loaded(libraries[i]))
			continue;
		h = dlopen(libraries[i], RTLD_NOW);
		if (!h)
			continue;
		dlclose(h);
		if (!loaded(libraries[i]))
			return i;
	}
	return SIZE_MAX;
}

static struct opened load(size_t i)
{
	struct opened o = { .library = dlopen(libraries[i], RTLD_NOW) };

	CHECK(o.library);
	o.function = dlsym(o.library, functions[i]);
	CHECK(o.function);
	return o;
}

static void unloading(void *which)
{
	size_t i = *(size_t *)which;
	struct opened early = load(i), again;

	CHECK_EQ(text_snapshot(), 0);
	CHECK(text_callable(early.function));
	dlclose(early.library);
	CHECK(!text_callable(early.function));
	/* the others are not affected */
	CHECK(text_callable((void *)(uintptr_t)function));
	CHECK(text_callable((void *)(uintptr_t)malloc));
	again = load(i);
	/* the same object at the same place */
	CHECK(text_callable(again.function) == (again.function == early.function));
	dlclose(again.library);
}

static void loading(void *which)
{
	struct opened late;

	CHECK_EQ(text_snapshot(), 0);
	late = load(*(size_t *)which);
	CHECK(!text_callable(late.function)); /* workers do not have it */
	CHECK(text_callable((void *)(uintptr_t)function));
	CHECK_EQ(text_snapshot(), 0);
	CHECK(text_callable(late.function));
	dlclose(late.library);
	CHECK(!text_callable(late.function));
}

Test(kernel_text, what_was_unloaded_is_no_code)
{
	size_t i = pick();

	if (i == SIZE_MAX)
		cr_skip_test("no library of the C library's own that can be unloaded");
	case_run_with(unloading, &i, 20000);
}

Test(kernel_text, what_was_loaded_later_is_no_code)
{
	size_t i = pick();

	if (i == SIZE_MAX)
		cr_skip_test("no library of the C library's own that can be unloaded");
	case_run_with(loading, &i, 20000);
}
