// SPDX-License-Identifier: MIT
// output: what jobs print to std::cout and its like is out when the job has ended, once, as what
// they print by printf() is; also where the streams have buffers of their own. Exit status 0: so it
// is.
#include <brood.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace
{

int prints(brood_job *)
{
	std::cout << "cout of a job\n";
	std::clog << "clog of a job\n";
	std::printf("printf of a job\n");
	return 0;
}
int exits(brood_job *)
{
	std::cout << "cout before exit\n";
	std::exit(3);
}
int crashes(brood_job *) { std::abort(); }
int closes_and_prints(brood_job *)
{
	close(1);
	std::cout.exceptions(std::ios::badbit);
	std::cout << "nobody reads this\n";
	return 0;
}

bool has(int fd, const char *what, int times)
{
	static char text[65536];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	int found = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = std::strstr(at, what)); at += std::strlen(what))
		found++;
	if (found != times)
		std::fprintf(stderr, "\"%s\" is there %d times, not %d\n", what, found, times);
	return found == times;
}

brood_outcome run(brood *pool, brood_fn *fn, brood_path path)
{
	brood_job_options options = brood_job_options();
	brood_verdict verdict;

	options.size = sizeof options;
	options.dispatch = path;
	brood_call_named(pool, fn, "job", "", 0, nullptr, 0, &options, &verdict);
	return verdict.outcome;
}

bool all_is_there(brood *pool, int out, int errors)
{
	bool right = true;
	int jobs = 0;

	for (brood_path path : { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE })
		for (int i = 0; i < 2; i++) {
			right &= run(pool, prints, path) == BROOD_DONE;
			jobs++;
			right &= has(out, "cout of a job\n", jobs);
			right &= has(out, "printf of a job\n", jobs);
			right &= has(errors, "clog of a job\n", jobs);
			right &= run(pool, exits, path) == BROOD_EXITED;
			right &= has(out, "cout before exit\n", jobs);
			right &= run(pool, crashes, path) == BROOD_CRASHED;
			right &= run(pool, closes_and_prints, path) == BROOD_DONE;
		}
	return right;
}

void quiet(void *, const brood_log *) {}

int program(bool own_buffers, int out, int errors)
{
	brood_options options = brood_options();
	brood *pool;

	dup2(out, 1);
	if (own_buffers)
		std::ios::sync_with_stdio(false);
	std::cout << "before the start\n";
	options.size = sizeof options;
	options.workers = 2;
	options.log = quiet;
	options.flags = BROOD_NO_CORE;
	int copy = dup(2);
	dup2(errors, 2);
	int r = brood_start(&options, &pool);
	if (r < 0)
		return 1;
	bool right = has(out, "before the start\n", 1);
	right &= all_is_there(pool, out, errors);
	right &= brood_stop(pool) == 0;
	right &= has(out, "before the start\n", 1);
	dup2(copy, 2);
	return right ? 0 : 1;
}

} // namespace

int main()
{
	for (bool own_buffers : { false, true }) {
		int out = memfd_create("out", 0), errors = memfd_create("errors", 0), status;
		pid_t pid = fork();

		if (pid == 0)
			return program(own_buffers, out, errors);
		if (waitpid(pid, &status, 0) != pid || status != 0) {
			char text[4096];
			ssize_t n = pread(errors, text, sizeof text, 0);

			std::fprintf(stderr, "own buffers %d: wait status 0x%x\n%.*s\n",
				own_buffers, status, n > 0 ? (int)n : 0, text);
			return 1;
		}
	}
	return 0;
}
