/* SPDX-License-Identifier: MIT */
/*
 * rights_trial.c - see rights_trial.h. Whether the kernel grants a user, a priority or a limit
 * depends on capabilities, containers and security modules. So a short-lived child tries, and
 * brood_start() can report what workers could only die of.
 */
#include "rights_trial.h"

#include "../base/base.h"
#include "../engine/engine.h"
#include "../os/process.h"
#include "../worker/rights.h"

#include <fcntl.h>
#include <sys/wait.h>

struct answer {
	int result;
	char step[32];
};

static _Noreturn void try_in_child(const struct brood_rights *rights, int fd)
{
	struct answer answer = { .result = 0 };
	const char *step = "";
	ssize_t n;

	answer.result = rights_take(rights, &step);
	strncat(answer.step, step, sizeof answer.step - 1);
	n = write(fd, &answer, sizeof answer);
	_exit(n == sizeof answer ? 0 : 1);
}

static int read_answer(int fd, struct answer *ret)
{
	ssize_t n = TEMP_FAILURE_RETRY(read(fd, ret, sizeof *ret));

	return n == sizeof *ret ? 0 : n < 0 ? -errno : -EIO;
}

static int run(const struct brood_rights *rights, struct answer *ret)
{
	enum process_spawn way = PROCESS_AUTO;
	int pipe_fds[2], pidfd = -1, r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = process_spawn(&way, &pidfd);
	if (pid == 0)
		try_in_child(rights, pipe_fds[1]);
	close_fd(pipe_fds[1]);
	r = pid < 0 ? (int)pid : read_answer(pipe_fds[0], ret);
	close_fd(pipe_fds[0]);
	if (r == 0 && ret->result == 0 && process_signal(pidfd, pid, 0) == -EPERM)
		*ret = (struct answer){ .result = -EPERM, .step = "a signal from the supervisor" };
	close_fd(pidfd);
	if (pid > 0)
		TEMP_FAILURE_RETRY(waitpid(pid, NULL, __WALL));
	return r;
}

int rights_trial(const struct pool_setups *pools)
{
	for_each_setup(pool, pools)
	{
		struct answer answer = { .result = 0 };
		int r = pool->rights ? run(pool->rights, &answer) : 0;

		if (r < 0) {
			engine_error("brood_start: pool %s: its rights cannot be tried in a child: "
				     "%s",
				pool->name, strerrordesc_np(-r));
			return r;
		}
		if (answer.result < 0) {
			engine_error("brood_start: pool %s: a worker cannot take the rights of its "
				     "pool, at %s: %s; does this process have the privileges?",
				pool->name, answer.step, strerrordesc_np(-answer.result));
			return answer.result;
		}
	}
	return 0;
}
