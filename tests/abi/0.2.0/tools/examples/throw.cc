// throw: a job that throws, from C++.
//
// The catch around brood_start() does not catch what a job throws: a job runs in another process, on a stack of its own, and what leaves it
// ends that worker alone. What a job wants to survive it catches itself, as divide() does.
#include <brood.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

int divide(brood_job *job)
{
	int numbers[2];
	if (brood_job_read_all(job, numbers, sizeof numbers) != static_cast<ssize_t>(sizeof numbers))
		return 1;
	try {
		if (numbers[1] == 0)
			throw std::domain_error("division by zero");
		const std::string answer = std::to_string(numbers[0] / numbers[1]);
		brood_job_reply(job, answer.data(), answer.size());
		return 0;
	} catch (const std::exception &error) {
		brood_job_reply(job, error.what(), std::string(error.what()).size());
		return 2;
	}
}

int careless(brood_job *)
{
	throw std::runtime_error("nobody catches this");
}

void show(const char *what, const char *reply, ssize_t size, const brood_verdict &verdict)
{
	char line[256];
	brood_verdict_format(&verdict, line, sizeof line);
	std::printf("%s: \"%.*s\" (%s)\n", what, static_cast<int>(size > 0 ? size : 0), reply, line);
}

void run(brood *pool)
{
	char reply[100];
	brood_verdict verdict = {};
	const int good[2] = { 84, 2 }, bad[2] = { 84, 0 };
	ssize_t n = brood_call(pool, divide, good, sizeof good, reply, sizeof reply, nullptr, &verdict);
	show("84 / 2", reply, n, verdict);
	n = brood_call(pool, divide, bad, sizeof bad, reply, sizeof reply, nullptr, &verdict);
	show("84 / 0", reply, n, verdict);
	n = brood_call(pool, careless, nullptr, 0, reply, sizeof reply, nullptr, &verdict);
	show("careless", reply, n, verdict);
	if (verdict.outcome != BROOD_CRASHED)
		throw std::logic_error("the job that throws did not crash");
	n = brood_call(pool, divide, good, sizeof good, reply, sizeof reply, nullptr, &verdict);
	show("84 / 2, again", reply, n, verdict);
}

}

int main()
{
	try {
		brood_options options = {};
		options.size = sizeof options;
		options.workers = 2;
		options.flags = BROOD_NO_CORE;
		brood *pool = nullptr;
		if (brood_start(&options, &pool) < 0)
			throw std::runtime_error(brood_error());
		run(pool);
		return brood_stop(pool) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	} catch (const std::exception &error) {
		std::fprintf(stderr, "throw: %s\n", error.what());
		return EXIT_FAILURE;
	}
}
