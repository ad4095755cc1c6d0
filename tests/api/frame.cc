// SPDX-License-Identifier: MIT
// frame: what C++ programs fear most, law 10. The start stands in a try block, a destructor and an
// atexit handler wait in main(), and jobs leave their frame in every way there is. Each must end
// its own worker with its own verdict, and nothing of main() may run there. Exit status 0: so it
// is.
#include <brood.h>

#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <exception>
#include <stdexcept>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace
{

struct seen {
	int caught, destroyed, left;
};
seen *count; // shared by all processes
jmp_buf before_the_start;

struct witness {
	~witness() { count->destroyed++; }
};
void at_exit() { count->left++; }

int job_throw(brood_job *) { throw std::runtime_error("out of the job"); }
int job_throw_int(brood_job *) { throw 17; }
int job_jump(brood_job *) { longjmp(before_the_start, 1); }
int job_thread_exit(brood_job *) { pthread_exit(nullptr); }
// The same from a coroutine, whose stack lies on the heap.
ucontext_t home, coroutine;
int enter(void (*fn)())
{
	const size_t size = 256 << 10;
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = std::malloc(size);
	coroutine.uc_stack.ss_size = size;
	coroutine.uc_link = &home;
	makecontext(&coroutine, fn, 0);
	return swapcontext(&home, &coroutine);
}
int job_throw_in_coroutine(brood_job *)
{
	return enter([] { throw 17; });
}
int job_jump_in_coroutine(brood_job *)
{
	return enter([] { longjmp(before_the_start, 1); });
}
int job_exit(brood_job *) { std::exit(3); }
int job_exit_0(brood_job *) { std::exit(0); }
int job_quick(brood_job *) { _exit(4); }
int job_terminate(brood_job *) { std::terminate(); }
int job_fine(brood_job *)
{
	witness here; // its own destructors and handlers work
	try {
		throw 1;
	} catch (int) {
		return 0;
	}
}

int failures;

void expect(brood *pool, brood_fn *fn, const char *name, brood_outcome outcome, brood_detail detail,
	int code, int signal)
{
	brood_verdict v = {};
	char line[256];
	brood_call_named(pool, fn, name, nullptr, 0, nullptr, 0, nullptr, &v);
	brood_verdict_format(&v, line, sizeof line);
	const bool fine = v.outcome == outcome && v.detail == detail && v.code == code &&
		(signal < 0 || v.signal == signal);
	std::printf("%s %s\n", fine ? "ok:" : "NOT SO:", line);
	failures += !fine;
}

void jobs(brood *pool)
{
	const int fine_runs = 3;
	for (int i = 0; i < fine_runs; i++) {
		expect(pool, job_throw, "throw", BROOD_CRASHED, BROOD_DETAIL_NONE, 0, SIGABRT);
		expect(pool, job_throw_int, "throw_int", BROOD_CRASHED, BROOD_DETAIL_NONE, 0,
			SIGABRT);
		expect(pool, job_jump, "jump", BROOD_CRASHED, BROOD_DETAIL_LONGJMP, 0, -1);
		expect(pool, job_thread_exit, "thread_exit", BROOD_CRASHED,
			BROOD_DETAIL_THREAD_EXIT, 0, -1);
		expect(pool, job_throw_in_coroutine, "throw_in_coroutine", BROOD_CRASHED,
			BROOD_DETAIL_NONE, 0, SIGABRT);
		expect(pool, job_jump_in_coroutine, "jump_in_coroutine", BROOD_CRASHED,
			BROOD_DETAIL_LONGJMP, 0, -1);
		expect(pool, job_exit, "exit", BROOD_EXITED, BROOD_DETAIL_NONE, 3, 0);
		expect(pool, job_exit_0, "exit_0", BROOD_EXITED, BROOD_DETAIL_NONE, 0, 0);
		expect(pool, job_quick, "_exit", BROOD_EXITED, BROOD_DETAIL_NONE, 4, 0);
		expect(pool, job_terminate, "terminate", BROOD_CRASHED, BROOD_DETAIL_NONE, 0,
			SIGABRT);
		expect(pool, job_fine, "fine", BROOD_DONE, BROOD_DETAIL_NONE, 0, 0);
	}
	if (count->caught != 0 || count->destroyed != fine_runs || count->left != 0) {
		std::printf("NOT SO: %d caught in main, %d destroyed, %d atexit handlers ran\n",
			count->caught, count->destroyed - fine_runs, count->left);
		failures++;
	}
}

int run()
{
	witness here;
	try {
		brood_options options = {};
		brood *pool = nullptr;
		options.size = sizeof options;
		options.workers = 2;
		options.flags = BROOD_NO_CORE;
		if (brood_start(&options, &pool) < 0) {
			std::fprintf(stderr, "%s\n", brood_error());
			return 1;
		}
		jobs(pool);
		failures += brood_stop(pool) < 0;
	} catch (...) {
		count->caught++;
		return 1;
	}
	return failures != 0;
}

} // namespace

int main()
{
	count = static_cast<seen *>(mmap(
		nullptr, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	std::atexit(at_exit);
	if (setjmp(before_the_start) != 0) {
		count->caught++;
		_exit(9);
	}
	return run();
}
