#include <brood.h>
#include <ctype.h>
#include <stdio.h>

static int upper(struct brood_job *job)                 /* runs in a worker; may crash */
{
	char text[64];
	ssize_t n = brood_job_read_all(job, text, sizeof text);
	for (ssize_t i = 0; i < n; i++)
		text[i] = (char) toupper((unsigned char) text[i]);
	return n >= 0 && brood_job_reply(job, text, (size_t) n) == n ? 0 : 1;
}

int main(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 4 };
	struct brood *brood;
	if (brood_start(&options, &brood) < 0)          /* from here on this is the engine */
		return fprintf(stderr, "hello: %s\n", brood_error()), 1;
	char reply[64];
	struct brood_verdict verdict;
	ssize_t n = brood_call(brood, upper, "hello", 5, reply, sizeof reply, NULL, &verdict);
	printf("%.*s: %s\n", (int) (n > 0 ? n : 0), reply, brood_outcome_name(verdict.outcome));
	return brood_stop(brood) < 0;
}
