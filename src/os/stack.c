/* SPDX-License-Identifier: MIT */
/* stack.c - see stack.h. */
#include "stack.h"
#include "procfs.h"
#include "shm.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>

/* The kernel keeps 256 pages free between a stack and the mapping below it (stack_guard_gap). */
#define GUARD_PAGES 256

/*
 * Room for a handler, beside the registers that the kernel saves there. It is enough for a
 * program's own handler that prints a backtrace. Pages that no handler touches cost no memory.
 */
#define ALTERNATE_ROOM (24u << 10)
#define ALTERNATE_MIN  (8u << 10) /* the size where the kernel does not tell how much it saves */

/* low: the end of the mapping below the stack. Both 0: not noted. set: the limit set last. */
static struct {
	uintptr_t low, top, set;
} noted;

struct scan {
	uintptr_t here, before, low, top;
};

static int scan_line(void *context, const char *line)
{
	struct scan *s = context;
	char *end;
	uintptr_t from = (uintptr_t)strtoull(line, &end, 16), to;

	if (*end != '-')
		return 0;
	to = (uintptr_t)strtoull(end + 1, NULL, 16);
	if (s->here >= from && s->here < to) {
		s->low = s->before;
		s->top = to;
	}
	s->before = to;
	return s->top != 0;
}

/* The kernel puts the program's name at the top of the first thread's stack, above all else. */
int stack_note(void)
{
	uintptr_t name = (uintptr_t)getauxval(AT_EXECFN);
	struct scan s = { .here = (uintptr_t)__builtin_frame_address(0) };
	int r = procfs_each_line("/proc/self/maps", scan_line, &s);

	noted.low = noted.top = 0;
	if (r < 0)
		return r;
	if (name < s.here || name >= s.top) /* the stack was not found: then top is 0 */
		return -ENOENT;
	noted.low = s.low;
	noted.top = s.top;
	return 0;
}

#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
#define CAN_ENTER true

/* A frame without a known caller: the unwinder takes it for the last one. */
extern void brood_first_frame(void (*fn)(void)) __attribute__((visibility("hidden"), noreturn));
__asm__(".pushsection .text\n"
	".globl brood_first_frame\n"
	".hidden brood_first_frame\n"
	".type brood_first_frame, %function\n"
	"brood_first_frame:\n"
	".cfi_startproc\n"
#if defined(__x86_64__)
	".cfi_undefined rip\n"
	"xorl %ebp, %ebp\n"
	"subq $8, %rsp\n"
	".cfi_adjust_cfa_offset 8\n"
	"call *%rdi\n"
	"ud2\n"
#elif defined(__i386__)
	".cfi_undefined eip\n"
	"movl 4(%esp), %eax\n"
	"xorl %ebp, %ebp\n"
	"subl $12, %esp\n"
	".cfi_adjust_cfa_offset 12\n"
	"call *%eax\n"
	"ud2\n"
#else
	".cfi_undefined x30\n"
	"mov x29, #0\n"
	"mov x30, #0\n"
	"blr x0\n"
	"brk #0x1\n"
#endif
	".cfi_endproc\n"
	".size brood_first_frame, . - brood_first_frame\n"
	".popsection\n");

void stack_enter(void (*fn)(void)) { brood_first_frame(fn); }

#else
#define CAN_ENTER false

void stack_enter(void (*fn)(void))
{
	(void)fn;
	abort();
}

#endif

bool stack_reserve(size_t size)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), need, page = shm_page();
	struct rlimit limit;

	if (!CAN_ENTER || here <= noted.low || here >= noted.top)
		return false;
	need = noted.top - here;
	if (size > SIZE_MAX - need - page * (GUARD_PAGES + 1))
		return false;
	need = (need + size + page - 1) / page * page;
	if (need + page * GUARD_PAGES > noted.top - noted.low)
		return false;
	if (noted.set >= need && noted.set - need <= STACK_RESERVE_MORE)
		return true;
	if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_max < need)
		return false;
	limit.rlim_cur = need;
	if (setrlimit(RLIMIT_STACK, &limit) < 0)
		return false;
	noted.set = need;
	return true;
}

/* How much the kernel saves depends on the processor's registers. */
static size_t alternate_size(void)
{
#ifdef AT_MINSIGSTKSZ
	size_t saved = (size_t)getauxval(AT_MINSIGSTKSZ);
#else
	size_t saved = 0;
#endif
	size_t page = shm_page(), size = MAX(saved, (size_t)ALTERNATE_MIN) + ALTERNATE_ROOM;

	return (size + page - 1) / page * page;
}

int stack_alternate(void)
{
	stack_t stack;

	if (sigaltstack(NULL, &stack) < 0)
		return -errno;
	if (!(stack.ss_flags & SS_DISABLE))
		return 0;
	stack = (stack_t){ .ss_size = alternate_size() };
	stack.ss_sp = shm_stack(stack.ss_size);
	if (!stack.ss_sp)
		return -ENOMEM;
	return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}
