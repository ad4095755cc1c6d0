/*
 * session: an explicit lease. One worker is kept for a conversation, and what a job leaves in its memory the next one finds: here a list of numbers, of which
 * the program asks sum and largest. Another lease is another worker, with a list of its own. When its worker dies a session is lost, and the program hears so.
 *
 *	session
 */
#include <brood.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- In a worker: the state of the session, private to that worker ------------------------------------------------------------ */

static struct { long *numbers; size_t count; } list;

/* A worker that goes back to the pool and is taken again still has what was there: so a session begins with this. */
static int begin(struct brood_job *job)
{
	(void) job;
	free(list.numbers);
	list.numbers = NULL;
	list.count = 0;
	return 0;
}

static int add(struct brood_job *job)
{
	long number, *larger;
	if (brood_job_read_all(job, &number, sizeof number) != sizeof number)
		return 1;
	larger = realloc(list.numbers, (list.count + 1) * sizeof *larger);
	if (!larger)
		return 1;
	list.numbers = larger;
	list.numbers[list.count++] = number;
	if (number == 13)
		abort();                           /* this code is not to be trusted */
	return 0;
}

static int sum(struct brood_job *job)
{
	long total = 0;
	for (size_t i = 0; i < list.count; i++)
		total += list.numbers[i];
	return brood_job_reply(job, &total, sizeof total) < 0;
}

static int largest(struct brood_job *job)
{
	long most = 0;
	for (size_t i = 0; i < list.count; i++)
		most = list.numbers[i] > most ? list.numbers[i] : most;
	return brood_job_reply(job, &most, sizeof most) < 0;
}

/* ---- In the engine -------------------------------------------------------------------------------------------------------------- */

struct session {
	struct brood *brood;
	struct brood_job_options options;          /* .lease: whose worker has the session */
};

static ssize_t ask(struct session *session, brood_fn *fn, const char *name, const void *request, size_t size, void *reply, size_t reply_size)
{
	struct brood_verdict verdict;
	ssize_t n = brood_call_named(session->brood, fn, name, request, size, reply, reply_size, &session->options, &verdict);
	if (n < 0 && n != -ESTALE)
		printf("  %s: %s\n", name, brood_outcome_name(verdict.outcome));
	return n;
}
#define ASK(session, fn, request, size, reply, reply_size) ask(session, fn, #fn, request, size, reply, reply_size)

static void session_begin(struct session *session, struct brood *brood)
{
	*session = (struct session) { .brood = brood, .options = { .size = sizeof session->options, .run_ms = 1000 } };
	if (brood_lease(brood, NULL, &session->options.lease) < 0) {
		fprintf(stderr, "session: %s\n", brood_error());
		exit(1);
	}
	ASK(session, begin, NULL, 0, NULL, 0);
}

static void session_end(struct session *session)
{
	session->options.lease = brood_lease_end(session->options.lease);
}

static void add_all(struct session *session, const char *name, const long *numbers, size_t count)
{
	long total = 0, most = 0;
	for (size_t i = 0; i < count; i++)
		ASK(session, add, &numbers[i], sizeof numbers[i], NULL, 0);
	if (ASK(session, sum, NULL, 0, &total, sizeof total) == -ESTALE)
		printf("%s: the session is lost\n", name);
	else if (ASK(session, largest, NULL, 0, &most, sizeof most) >= 0)
		printf("%s: sum %ld, largest %ld\n", name, total, most);
}

int main(void)
{
	const long even[] = { 2, 4, 6, 8 }, odd[] = { 3, 1 }, bad[] = { 5, 13, 7 };
	struct brood_options options = { .size = sizeof options, .workers = 2, .flags = BROOD_NO_CORE };
	struct brood *brood;
	struct session first, second;
	if (brood_start(&options, &brood) < 0)
		return fprintf(stderr, "session: %s\n", brood_error()), 1;
	session_begin(&first, brood);
	session_begin(&second, brood);
	add_all(&first, "first", even, 4);
	add_all(&second, "second", odd, 2);
	add_all(&first, "first", even, 1);         /* it still has what it had */
	add_all(&second, "second", bad, 3);        /* its worker falls, and the session with it */
	session_end(&second);
	session_begin(&second, brood);
	add_all(&second, "second, again", odd, 2);
	session_end(&first);
	session_end(&second);
	return brood_stop(brood) < 0;
}
