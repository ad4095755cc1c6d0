/* SPDX-License-Identifier: MIT */
#include "residue_jobs.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void *__attribute__((noreturn)) sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

int leaves_thread(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	return pthread_create(&thread, NULL, sleeper, NULL);
}

int leaves_fd(struct brood_job *job)
{
	(void)job;
	return dup(0) < 0;
}

int leaves_child(struct brood_job *job)
{
	(void)job;
	if (fork() == 0)
		sleeper(NULL);
	return 0;
}

int leaves_grandchild(struct brood_job *job)
{
	(void)job;
	return system("sleep 99 &") != 0;
}

int leaves_zombie(struct brood_job *job)
{
	(void)job;
	if (fork() == 0)
		_exit(0);
	return 0;
}

int leaves_mask(struct brood_job *job)
{
	sigset_t all;

	(void)job;
	sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}

int leaves_alarm(struct brood_job *job)
{
	(void)job;
	alarm(1);
	return 0;
}

int leaves_cwd(struct brood_job *job)
{
	(void)job;
	return chdir("/proc");
}

int leaves_umask(struct brood_job *job)
{
	(void)job;
	umask(0777);
	return 0;
}

int leaves_handlers(struct brood_job *job)
{
	(void)job;
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	return 0;
}

int rounds_up(struct brood_job *job)
{
	(void)job;
	return fesetround(FE_UPWARD);
}
