// SPDX-License-Identifier: MIT
// lambda: jobs as C++ programs write them: a lambda with commas, a template with commas. Each runs,
// and is called in the verdict as it stands here. Exit status 0: so it is.
#include <brood.h>

#include <cstdio>
#include <cstring>
#include <sys/uio.h>

namespace
{

template <int A, int B> int sum(brood_job *) { return A + B; }

int failures;

void expect(const brood_verdict &v, int code, const char *name)
{
	if (v.outcome == BROOD_FAILED && v.code == code && std::strcmp(v.name, name) == 0)
		return;
	char line[300];
	brood_verdict_format(&v, line, sizeof line);
	std::fprintf(stderr, "lambda: code %d of \"%s\" was expected: %s\n", code, name, line);
	failures++;
}

void maps(brood *pool)
{
	const iovec items[] = { { nullptr, 0 }, { nullptr, 0 } };
	brood_verdict v = {};
	const ssize_t told = brood_map(
		pool,
		[](brood_job *) {
			int a = 5, b = 6;
			return a + b;
		},
		items, 2, nullptr,
		[](void *context, size_t, const brood_result *each) {
			*static_cast<brood_verdict *>(context) = each->verdict;
			return 0;
		},
		&v);
	if (told != 2)
		std::fprintf(stderr, "lambda: %s\n", brood_error());
	expect(v, 11, "[](brood_job *) { int a = 5, b = 6; return a + b; }");
}

} // namespace

int main()
{
	brood_options options = {};
	brood *pool;
	options.size = sizeof options;
	options.workers = 1;
	if (brood_start(&options, &pool) < 0)
		return std::fprintf(stderr, "lambda: %s\n", brood_error()), 2;

	brood_verdict v = {};
	brood_call(
		pool,
		[](brood_job *) {
			int a = 3, b = 4;
			return a + b;
		},
		nullptr, 0, nullptr, 0, nullptr, &v);
	expect(v, 7, "[](brood_job *) { int a = 3, b = 4; return a + b; }");
	brood_call(pool, sum<2, 3>, "1,2", 3, nullptr, 0, nullptr, &v);
	expect(v, 5, "sum<2, 3>");

	brood_handle *handle;
	int fd;
	if (brood_open(
		    pool, [](brood_job *) { return 8; }, nullptr, &fd, &handle) < 0)
		return std::fprintf(stderr, "lambda: %s\n", brood_error()), 2;
	brood_wait(handle, 10000, &v);
	brood_release(handle);
	expect(v, 8, "[](brood_job *) { return 8; }");

	if (brood_submit(
		    pool,
		    [](brood_job *) {
			    int a[] = { 4, 5 };
			    return a[0] + a[1];
		    },
		    nullptr, 0, nullptr, nullptr) < 0)
		return std::fprintf(stderr, "lambda: %s\n", brood_error()), 2;
	const brood_result *result;
	while (brood_take(brood_own_queue(pool), &result, 1) == 0)
		brood_queue_wait(brood_own_queue(pool), 10000);
	expect(result->verdict, 9, "[](brood_job *) { int a[] = { 4, 5 }; return a[0] + a[1]; }");
	maps(pool);
	return brood_stop(pool) < 0 || failures > 0;
}
