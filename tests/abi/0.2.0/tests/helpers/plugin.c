/* plugin.c - a shared object with jobs in it: one that a program has open at the start, or hears of later. */
#include <brood.h>

#include <string.h>

BROOD_PUBLIC int plugin_code(struct brood_job *job);
BROOD_PUBLIC int plugin_upper(struct brood_job *job);
BROOD_PUBLIC int plugin_counts(struct brood_job *job);
BROOD_PUBLIC extern int plugin_datum;
int plugin_datum = 1;

/* The number in its argument: struct said of conformance.h. */
int plugin_code(struct brood_job *job)
{
	size_t size;
	const char *arg = brood_job_arg(job, &size);
	long number = -1;

	if (size == sizeof(void *) + sizeof number)
		memcpy(&number, arg + sizeof(void *), sizeof number);
	return (int)number;
}

int plugin_upper(struct brood_job *job)
{
	char text[256];
	ssize_t n = brood_job_read_all(job, text, sizeof text);

	for (ssize_t i = 0; i < n; i++)
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 32);
	return n >= 0 && brood_job_reply(job, text, (size_t)n) == n ? 0 : 1;
}

/* How often it ran in this worker: the object stays open. */
int plugin_counts(struct brood_job *job)
{
	static int count;

	(void)job;
	return ++count;
}
