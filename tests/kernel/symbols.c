/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - names of functions from ELF files, from files that are none, and from files that are
 * broken in any way; and what a process waits for.
 */
#include "../helpers/case.h"
#include "os/fds.h"
#include "os/symbols.h"
#include "os/waits.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

TestSuite(kernel_symbols, .timeout = 120);

static int a_function(int x) { return x + 1; }
static int (*volatile called)(int) = a_function;

static void own_image(void)
{
	struct symbols_place place = { 0 };
	struct symbols_file file;
	const char *path;

	CHECK(symbols_in_image((uint64_t)(uintptr_t)called, &path, &place.offset));
	CHECK_EQ(symbols_open(path, NULL, 0, &file), 0);
	place.offset += 1;
	symbols_find(&file, &place, 1);
	CHECK_STR(place.function, "a_function");
	CHECK_EQ(place.distance, 1);
	symbols_close(&file);
	CHECK(!symbols_in_image(0x1234, &path, &place.offset));
	CHECK_EQ(symbols_open("", "none", 4, &file), -ESTALE);
	/* a library of which only .dynsym is left */
	place = (struct symbols_place){ 0 };
	CHECK(symbols_in_image((uint64_t)(uintptr_t)gnu_get_libc_version, &path, &place.offset));
	CHECK_EQ(symbols_open(path, NULL, 0, &file), 0);
	symbols_find(&file, &place, 1);
	CHECK_STR(place.function, "gnu_get_libc_version");
	symbols_close(&file);
}
Test(kernel_symbols, own_image) { case_run(own_image, 20000); }

static bool says(pid_t pid, const char *expected, char *text, size_t size)
{
	return strncmp(waits_look(pid, text, size), expected, strlen(expected)) == 0;
}

/* Whoever opens the FIFO to write sleeps until somebody opens it to read. */
static void is_not_opened(const char *fifo)
{
	struct symbols_file file;
	char text[128];
	pid_t pid = fork();

	if (pid == 0) {
		(void)open(fifo, O_WRONLY | O_CLOEXEC);
		_exit(1);
	}
	CHECK_MSG(WAIT_UNTIL(says(pid, "open", text, sizeof text), 10000), "%s", text);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(symbols_open(fifo, NULL, 0, &file), -ENOEXEC);
	CHECK_MSG(says(pid, "open", text, sizeof text), "%s", text);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void no_files(void)
{
	char folder[] = "/tmp/brood-symbols.XXXXXX", path[64];
	struct symbols_file file;

	CHECK(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/fifo", folder);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_EQ(symbols_open(path, NULL, 0, &file), -ENOEXEC);
	is_not_opened(path);
	unlink(path);
	rmdir(folder);
	CHECK_EQ(symbols_open("/dev/zero", NULL, 0, &file), -ENOEXEC);
	CHECK_EQ(symbols_open("/", NULL, 0, &file), -ENOEXEC);
	CHECK_EQ(symbols_open("/etc/passwd", NULL, 0, &file), -ENOEXEC);
	CHECK_EQ(symbols_open("/nowhere", NULL, 0, &file), -ENOENT);
}
Test(kernel_symbols, no_files) { case_run(no_files, 20000); }

/* ---- broken files: a program's own tables, with words changed ---- */

static unsigned char *whole_file(size_t *ret_size)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	unsigned char *bytes;

	CHECK_EQ(fstat(fd, &st), 0);
	*ret_size = (size_t)st.st_size;
	bytes = malloc(*ret_size);
	CHECK(bytes);
	CHECK_EQ(pread(fd, bytes, *ret_size, 0), (ssize_t)*ret_size);
	close(fd);
	return bytes;
}

/* Many linkers put notes where 4 divides the place in the file, and 8 does not. */
static void notes_of_four(void)
{
	struct {
		ElfW(Nhdr) head;
		char name[4], id[8];
	} note = { { 4, 8, NT_GNU_BUILD_ID }, "GNU", "4-bytes" };
	char path[] = "/tmp/brood-symbols.XXXXXX";
	struct symbols_file file;
	size_t size, at;
	unsigned char *bytes = whole_file(&size);
	ElfW(Ehdr) *e = (void *)bytes;
	ElfW(Phdr) *p = (void *)(bytes + e->e_phoff);
	int fd = mkstemp(path);

	at = (size + 7) / 8 * 8 + 4;
	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_NOTE || p[i].p_type == PT_GNU_STACK) {
			p[i].p_type = PT_NOTE;
			p[i].p_offset = at;
			p[i].p_filesz = sizeof note;
		}
	CHECK_EQ(pwrite(fd, bytes, size, 0), (ssize_t)size);
	CHECK_EQ(pwrite(fd, &note, sizeof note, (off_t)at), (ssize_t)sizeof note);
	close(fd);
	CHECK_EQ(symbols_open(path, "4-bytes", 8, &file), 0);
	symbols_close(&file);
	CHECK_EQ(symbols_open(path, "8-bytes", 8, &file), -ESTALE);
	unlink(path);
	free(bytes);
}
Test(kernel_symbols, notes_of_four_bytes) { case_run(notes_of_four, 20000); }

/* The bytes are in memory of exactly their size: a read behind them is found by the fault. */
static void look_at(const char *path, const unsigned char *bytes, size_t size)
{
	struct symbols_place places[3] = { { .offset = 0x1000 }, { .offset = UINT64_MAX },
		{ .offset = 1 } };
	struct symbols_file file;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_GE(fd, 0);
	CHECK_EQ(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	if (symbols_open(path, "id", 2, &file) == 0)
		symbols_close(&file);
	if (symbols_open(path, NULL, 0, &file) < 0)
		return;
	symbols_find(&file, places, 3);
	symbols_close(&file);
}

static void broken_files(void)
{
	char path[] = "/tmp/brood-symbols.XXXXXX";
	size_t size, sections;
	unsigned char *bytes = whole_file(&size), *copy = malloc(size);
	unsigned random = 12345;

	close(mkstemp(path));
	memcpy(&sections, bytes + 40, sizeof sections); /* e_shoff */
	for (int i = 0; i < 400; i++) {
		size_t some = size;

		memcpy(copy, bytes, size);
		for (int k = 0; k < 4; k++) {
			/* in the header, the program headers, or the section headers */
			size_t at, span = k % 2 ? 64 + 13 * 56 : size - sections;

			random = random * 1103515245u + 12345u;
			at = (k % 2 ? 16 : sections) + (random >> 4) % span;
			if (at + 8 > size)
				continue;
			random = random * 1103515245u + 12345u;
			memset(copy + at, (int)(random >> 16), 1 + (random >> 8) % 8);
		}
		if (i % 4 == 0)
			some = 64 + (random >> 3) % (size - 64);
		look_at(path, copy, some);
	}
	unlink(path);
	free(copy);
	free(bytes);
}
Test(kernel_symbols, broken_files) { case_run(broken_files, 60000); }

/* ---- what a process waits for ---- */

static int word = 7;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int pipe_fds[2];
static volatile int sink;

static void waits_on_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT, 7, NULL, NULL, 0); }
static void waits_on_read(void)
{
	char c;

	sink = (int)read(pipe_fds[0], &c, 1);
}
static void waits_on_poll(void)
{
	struct pollfd p = { .fd = pipe_fds[0], .events = POLLIN };

	poll(&p, 1, -1);
}
static void loops(void)
{
	for (;;)
		sink++;
}
static void waits_on_mutex(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&mutex);
}
static void stops(void) { raise(SIGSTOP); }

static void waits(void)
{
	static const struct {
		void (*fn)(void);
		const char *text;
	} kinds[] = { { waits_on_futex, "futex" }, { waits_on_read, "read of " },
		{ waits_on_poll, "poll" }, { loops, "runs" }, { waits_on_mutex, "mutex" },
		{ stops, "stopped" } };
	char text[128];

	CHECK_EQ(pipe(pipe_fds), 0);
	for (int i = 0; i < 20; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			pid_t pid = fork();

			if (pid == 0) {
				kinds[k].fn();
				_exit(1);
			}
			CHECK_MSG(WAIT_UNTIL(says(pid, kinds[k].text, text, sizeof text), 10000),
				"%s: %s", kinds[k].text, text);
			/* it stays so */
			CHECK(says(pid, kinds[k].text, text, sizeof text));
			kill(pid, SIGKILL);
			CHECK_EQ(waitpid(pid, NULL, 0), pid);
			CHECK_STR(waits_look(pid, text, sizeof text), "");
		}
}
Test(kernel_symbols, waits) { case_run(waits, 60000); }

static void waits_in_words(void)
{
	char text[32];

	CHECK_STR(waits_tell('D', "0 0x5 0x0", "x", text, sizeof text),
		"waits in the kernel (state D)");
	CHECK_STR(waits_tell('S', "", "do_wait", text, sizeof text), "do_wait");
	CHECK_STR(waits_tell('S', "", "0", text, sizeof text), "");
	CHECK_STR(waits_tell('S', "running", "0", text, sizeof text), "runs");
	CHECK_STR(waits_tell('S', "9999 0x0 0x0 0x0", "0", text, sizeof text), "system call 9999");
	CHECK_STR(waits_tell('S', "-1 0x0 0x0", "x", text, sizeof text), "x");
}
Test(kernel_symbols, waits_in_words) { case_run(waits_in_words, 20000); }
