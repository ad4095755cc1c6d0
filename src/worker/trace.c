/* SPDX-License-Identifier: MIT */
/*
 * trace.c - walks the stack of interrupted code. All is async-signal-safe, and takes some tens of
 * microseconds: the unwinder of libgcc asks _dl_find_object(), which takes no lock and allocates
 * nothing. Where the C library lacks this function (glibc before 2.35), only the interrupted
 * instruction is noted.
 *
 * The stack may be broken, and then the walk itself faults. The handler of all faults (fault.c)
 * runs once more and asks trace_fell() first, which puts the registers of the code that the first
 * signal interrupted into the frame of the second. So the second handler returns to that code, as
 * the first one would have done.
 *
 * A jump to nowhere leaves an instruction pointer that lies in no code, and the unwinder would read
 * there. But the call has left its return address. So this address stands in the signal's frame
 * while the unwinder reads the frame.
 */
#define _GNU_SOURCE
#include "trace.h"

#include "../os/signals.h"
#include "../os/syscalls.h"
#include "../wire/status.h"
#include "worker.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

#define SKIPPED_MAX 16  /* frames of the handler itself */
#define OTHER_NAPS  100 /* how many naps of 0.1 ms a second crashing thread waits for the first */

static struct {
	_Atomic pid_t tid; /* the thread that walks its stack; 0: none does */
	const ucontext_t *outer;
	int error;
	int sig; /* the signal that ends the worker; 0: none */
	siginfo_t info;
	struct trace_stack *stack;   /* where the frames go */
	struct trace_answer *answer; /* NULL: nobody outside has asked */
} walking;

struct walk {
	struct trace_stack *stack;
	uint64_t from; /* the frames of the handler end before this instruction */
	unsigned skipped;
	bool begun;
};

/* ---- registers ---- */

#if defined(__x86_64__)
#define PC(c) ((c)->uc_mcontext.gregs[REG_RIP])
#define SP(c) ((c)->uc_mcontext.gregs[REG_RSP])
#elif defined(__i386__)
#define PC(c) ((c)->uc_mcontext.gregs[REG_EIP])
#define SP(c) ((c)->uc_mcontext.gregs[REG_ESP])
#elif defined(__aarch64__)
#define PC(c) ((c)->uc_mcontext.pc)
#endif

/*
 * Copies the members one by one: the kernel's frame has 8 bytes of mask, fewer than the C library's
 * type. The floating point registers are behind a pointer, which is copied (x86), or among the
 * others.
 */
static void go_back_to(ucontext_t *to, const ucontext_t *from)
{
	to->uc_mcontext = from->uc_mcontext;
	memcpy(&to->uc_sigmask, &from->uc_sigmask, 8);
}

/* ---- modules ---- */

#if defined(DLFO_EH_SEGMENT_TYPE) && defined(PC)
#define CAN_WALK true

static bool same_path(const char *a, const char *b) { return strncmp(a, b, TRACE_PATH - 1) == 0; }

/* The notes of a file are in its first segment, where its header is, too. */
static void note_build_id(struct trace_module *m, const struct dl_find_object *object)
{
	const ElfW(Ehdr) *e = object->dlfo_map_start;
	const ElfW(Phdr) *p = (const void *)((const char *)e + e->e_phoff);
	const uintptr_t bias = object->dlfo_link_map->l_addr;

	if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (unsigned i = 0; i < e->e_phnum; i++) {
		const char *at = (const char *)(bias + p[i].p_vaddr), *end = at + p[i].p_memsz;

		while (p[i].p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *n = (const void *)at;
			const char *name = at + sizeof *n, *id = name + ((n->n_namesz + 3) & ~3u);

			if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
				memcmp(name, "GNU", 4) == 0) {
				m->build_id_size = (uint8_t)MIN(n->n_descsz, TRACE_BUILD_ID);
				memcpy(m->build_id, id, m->build_id_size);
				return;
			}
			at = id + ((n->n_descsz + 3) & ~3u);
		}
	}
}

static uint16_t module_number(struct trace_stack *stack, const struct dl_find_object *object)
{
	const char *path = object->dlfo_link_map->l_name;
	struct trace_module *m;
	uint32_t n = stack->modules_count;

	for (uint32_t i = 0; i < n; i++)
		if (same_path(stack->modules[i].path, path))
			return (uint16_t)i;
	if (n >= TRACE_MODULES)
		return TRACE_NOWHERE;
	m = &stack->modules[n];
	m->build_id_size = 0;
	strncpy(m->path, path, TRACE_PATH - 1);
	m->path[TRACE_PATH - 1] = '\0';
	stack->modules_count = n + 1;
	note_build_id(m, object);
	return (uint16_t)n;
}

static bool is_code(uint64_t pc)
{
	struct dl_find_object object;

	return _dl_find_object((void *)(uintptr_t)pc, &object) == 0;
}

/* The frame counts before its module is looked at: that may fault, and the frame is then kept. */
static void note_frame(struct trace_stack *stack, uint64_t pc)
{
	uint32_t n = atomic_load_explicit(&stack->frames_count, memory_order_relaxed);
	struct dl_find_object object;
	/*
	 * looks up the call and not its return address, which may lie in the next function if the
	 * call never returns
	 */
	uint64_t at = n > 0 ? pc - 1 : pc;

	stack->frames[n] = (struct trace_frame){ .pc = pc };
	stack->module[n] = TRACE_NOWHERE;
	atomic_store(&stack->frames_count, n + 1);
	if (_dl_find_object((void *)(uintptr_t)at, &object) < 0)
		return;
	stack->frames[n].offset = pc - object.dlfo_link_map->l_addr;
	stack->module[n] = module_number(stack, &object);
}

/* ---- the walk ---- */

/* Undoes a call that went nowhere. Returns where the caller goes on. May fault. */
static uint64_t take_back_call(ucontext_t *c)
{
#if defined(__aarch64__)
	PC(c) = c->uc_mcontext.regs[30];
#elif defined(PC)
	PC(c) = *(const greg_t *)(uintptr_t)SP(c);
	SP(c) += (greg_t)sizeof(greg_t);
#endif
	return (uint64_t)PC(c);
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	int before = 0;
	uint64_t pc = _Unwind_GetIPInfo(context, &before);

	if (!w->begun && pc != w->from)
		return w->skipped++ < SKIPPED_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
	if (pc == 0)
		return _URC_END_OF_STACK;
	w->begun = true;
	if (syscalls_is_stub((uintptr_t)pc))
		return _URC_NO_REASON;
	note_frame(w->stack, pc);
	return w->stack->frames_count < BROOD_REPORT_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void walk_from(struct trace_stack *stack, uint64_t from)
{
	struct walk w = { .stack = stack, .from = from };

	_Unwind_Backtrace(on_frame, &w);
	if (!w.begun)
		note_frame(stack, from);
}

static void walk(struct trace_stack *stack, ucontext_t *c)
{
	const mcontext_t kept = c->uc_mcontext;
	const uint64_t pc = (uint64_t)PC(c);
	uint64_t from;

	if (is_code(pc)) {
		walk_from(stack, pc);
		return;
	}
	note_frame(stack, pc);
	from = take_back_call(c);
	if (is_code(from - 1))
		walk_from(stack, from);
	c->uc_mcontext = kept;
}

#else
#define CAN_WALK false

static void walk(struct trace_stack *stack, ucontext_t *c)
{
#ifdef PC
	stack->frames[0] = (struct trace_frame){ .pc = (uint64_t)PC(c) };
	stack->module[0] = TRACE_NOWHERE;
	atomic_store(&stack->frames_count, 1);
#else
	(void)stack, (void)c;
#endif
}

#endif

/* ---- begin and end ---- */

static pid_t own_tid(void) { return (pid_t)syscall(SYS_gettid); }

static uint64_t running_sequence(void)
{
	uint64_t word = atomic_load(&the_worker.page->word);
	enum slot_page_state state = SLOT_PAGE_STATE(word);

	return state == SLOT_PAGE_RUNNING || state == SLOT_PAGE_CONDEMNED ? SLOT_PAGE_SEQUENCE(word)
									  : 0;
}

/* False: another thread walks already. The first thread to crash has the report. */
static bool begin(ucontext_t *c, int error)
{
	struct trace_page *page = the_worker.trace_page;
	pid_t none = 0;

	if (!page || page->kind == TRACE_CRASH ||
		!atomic_compare_exchange_strong(&walking.tid, &none, own_tid()))
		return false;
	walking.outer = c;
	walking.error = error;
	walking.sig = 0;
	walking.answer = NULL;
	return true;
}

static void aim_at(struct trace_stack *stack)
{
	walking.stack = stack;
	atomic_store(&stack->frames_count, 0);
	stack->modules_count = 0;
}

/* Says in the trace page of what kind the frames will be. */
static void begin_page(enum trace_kind kind)
{
	struct trace_page *page = the_worker.trace_page;

	aim_at(&page->stack);
	page->tid = walking.tid;
	atomic_store(&page->sequence, running_sequence());
	atomic_store(&page->kind, kind);
}

static void end(void)
{
	struct trace_answer *answer = walking.answer;

	if (answer) {
		answer->took_ns = (uint32_t)(now_ns() - answer->at_ns);
		status_end(&answer->sequence);
	}
	walking.answer = NULL;
	atomic_store(&walking.tid, 0);
}

static void set_mask(int how, sigset_t *ret_old)
{
	sigset_t faults;

	sigemptyset(&faults);
	sigaddset(&faults, SIGSEGV);
	sigaddset(&faults, SIGBUS);
	sigprocmask(how, &faults, ret_old);
}

static void walk_guarded(ucontext_t *c)
{
	sigset_t old;

	set_mask(SIG_UNBLOCK, &old);
	walk(walking.stack, c);
	sigprocmask(SIG_SETMASK, &old, NULL);
	end();
}

/*
 * A second thread that crashes waits, so that its signal does not end the worker before the first
 * thread's report is done.
 */
static void wait_for_the_other(void)
{
	const struct timespec nap = { .tv_nsec = 100000 };

	for (int i = 0; i < OTHER_NAPS && walking.tid != 0 && walking.tid != own_tid(); i++)
		nanosleep(&nap, NULL);
}

void trace_crash(int sig, const siginfo_t *info, void *context, int error)
{
	struct trace_page *page = the_worker.trace_page;
	const bool fault = info->si_code > 0 &&
		(sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE);

	if (!begin(context, error)) {
		wait_for_the_other();
		if (!begin(context, error)) /* that one crashes, too, or does not end */
			return;
	}
	begin_page(TRACE_CRASH);
	walking.sig = sig;
	walking.info = *info;
	page->signal = sig;
	page->code = info->si_code;
	page->address = fault ? (uint64_t)(uintptr_t)info->si_addr : 0;
	page->syscall = sig == SIGSYS && info->si_code > 0 ? info->si_syscall : -1;
	walk_guarded(context);
}

static bool handled_by(int sig, const struct sigaction *ours)
{
	struct sigaction now;

	return sigaction(sig, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
		now.sa_sigaction == ours->sa_sigaction;
}

/*
 * False: a handler of the program would get a fault of the walk. Then there is no walk, for only
 * the library's own handler can end it (trace_fell()).
 */
static bool falls_to(const struct sigaction *handler)
{
	return handled_by(SIGSEGV, handler) && handled_by(SIGBUS, handler);
}

static void trace_job(
	void *context, enum trace_kind kind, const struct sigaction *handler, int error)
{
	struct trace_page *page = the_worker.trace_page;

	if (!falls_to(handler) || !begin(context, error))
		return;
	begin_page(kind);
	page->signal = page->code = 0;
	page->address = 0;
	page->syscall = -1;
	walk_guarded(context);
}

void trace_told(void *context, const struct sigaction *handler, int error)
{
	trace_job(context, TRACE_TOLD, handler, error);
}

void trace_slow(void *context, const struct sigaction *handler, int error)
{
	trace_job(context, TRACE_SLOW, handler, error);
}

void trace_asked(void *context, const struct sigaction *handler, int error)
{
	struct trace_answer *answer = the_worker.answer;
	const uint64_t now = now_ns();

	if (!answer || !begin(context, error))
		return;
	status_begin(&answer->sequence);
	aim_at(&answer->stack);
	answer->missing = falls_to(handler) ? BROOD_STATUS_WALKED : BROOD_STATUS_HANDLER;
	answer->number = running_sequence();
	answer->at_ns = now;
	answer->pid = the_worker.pid;
	answer->tid = walking.tid;
	walking.answer = answer;
	if (answer->missing == BROOD_STATUS_WALKED)
		walk_guarded(context);
	else
		end();
}

bool trace_wanted(void)
{
	struct trace_page *page = the_worker.trace_page;
	uint64_t sequence = running_sequence();

	return sequence && atomic_load(&page->wanted) == sequence;
}

void trace_answered(void) { atomic_store(&the_worker.trace_page->wanted, 0); }

/* A signal that another process sent meanwhile: the supervisor's SIGABRT, say. */
static bool was_sent(const siginfo_t *info)
{
	return info->si_code <= 0 && info->si_pid != the_worker.pid;
}

bool trace_fell(const siginfo_t *info, void *context)
{
	if (walking.tid == 0 || walking.tid != own_tid() || was_sent(info))
		return false;
	go_back_to(context, walking.outer);
	if (walking.sig)
		signals_pass_on(walking.sig, &walking.info);
	errno = walking.error;
	end();
	return true;
}

void trace_progress(uint64_t sequence, const void *data, size_t size)
{
	struct trace_page *page = the_worker.trace_page;
	uint32_t kept = (uint32_t)MIN(size, sizeof page->progress);

	if (!page)
		return;
	atomic_store_explicit(&page->progress_size, 0, memory_order_relaxed);
	if (kept > 0)
		memcpy(page->progress, data, kept);
	atomic_store_explicit(&page->progress_sequence, sequence, memory_order_relaxed);
	atomic_store_explicit(&page->progress_size, kept, memory_order_release);
}
