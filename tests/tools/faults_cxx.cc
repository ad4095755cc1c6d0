// SPDX-License-Identifier: MIT
// faults_cxx.cc - an exception that nobody catches.
#include <stdexcept>

extern "C" {
struct brood_job;
int faults_throw(struct brood_job *job);
__attribute__((noinline)) void guilty_throw(volatile int *at)
{
	*at = 1;
	throw std::runtime_error("planted");
}
int faults_throw(struct brood_job *)
{
	volatile int at = 0;

	guilty_throw(&at);
	return at;
}
}
