/* SPDX-License-Identifier: MIT */
/*
 * brood-ctl: says what a brood does, for scripts and probes, and changes it. What it says comes
 * from the status page alone (brood-status(5)): it asks nothing of the program, which may be stuck
 * or stopped. What changes something goes to the supervisor, over the control socket (ask.c).
 */
#include "ctl.h"
#include "words.h"

#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
	const char *name;
	enum choose_exit (*run)(const struct request *request);
	int words; /* so many words may follow */
	bool json, timeout, wait, number;
} commands[] = {
	{ "status", ctl_status, 0, .json = true },
	{ "workers", ctl_workers, 0, .json = true },
	{ "metrics", ctl_metrics, 0, .json = false },
	{ "wait", ctl_wait, 1, .timeout = true },
	{ "check", ctl_check, 0, .timeout = true },
	{ "reports", ctl_reports, 0, .json = true, .number = true },
	{ "stack", ctl_stack, 1, .json = true, .timeout = true },
	{ "reload", ctl_reload, 1, .json = true, .wait = true },
	{ "resize", ctl_resize, 3, .json = true },
	{ "retire", ctl_retire, 1, .json = true },
	{ "kill", ctl_kill, 1, .json = true },
	{ "cancel", ctl_cancel, 1, .json = true },
	{ "drain", ctl_drain, 0, .json = true },
};

static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list args)
{
	fflush(stdout);
	fputs("brood-ctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

enum choose_exit ctl_fail(enum choose_exit code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return code;
}

enum choose_exit ctl_wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	fputs("Try: brood-ctl --help\n", stderr);
	return CHOOSE_USAGE;
}

void ctl_no_pool(const struct look *look, const char *name, char why[CHOOSE_WHY_MAX])
{
	char shown[WORDS_SHOWN_MAX];
	size_t at;

	words_shown(shown, name, 64);
	at = (size_t)snprintf(why, CHOOSE_WHY_MAX, "this brood has no pool \"%s\": it has", shown);
	for (uint32_t i = 0; i < look->pools && at < CHOOSE_WHY_MAX; i++) {
		words_shown(shown, look->pool[i].setup.name, sizeof look->pool[i].setup.name);
		at += (size_t)snprintf(
			why + at, CHOOSE_WHY_MAX - at, "%s %s", i > 0 ? "," : "", shown);
	}
}

enum choose_exit ctl_look(const struct request *request, struct status_page *ret_page,
	struct look *ret_look, int *ret_pool)
{
	char why[CHOOSE_WHY_MAX];
	enum choose_exit code = choose_brood(request->brood, ret_page, why);

	if (code != CHOOSE_FINE)
		return ctl_fail(code, "%s", why);
	*ret_pool = -1;
	if (look_take(ret_page, ret_look) < 0) {
		status_page_close(ret_page);
		return ctl_fail(CHOOSE_TROUBLE, "there is no memory");
	}
	if (request->pool)
		*ret_pool = look_pool_number(ret_look, request->pool);
	if (request->pool && *ret_pool < 0) {
		ctl_no_pool(ret_look, request->pool, why);
		ctl_done(ret_page, ret_look);
		return ctl_fail(CHOOSE_NONE, "%s", why);
	}
	return CHOOSE_FINE;
}

void ctl_done(struct status_page *page, struct look *look)
{
	look_free(look);
	status_page_close(page);
}

/* ---- the command line ---- */

enum { OPTION_JSON = 256, OPTION_POOL, OPTION_TIMEOUT, OPTION_WAIT };

static const struct option longs[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "pool", required_argument, NULL, OPTION_POOL },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "wait", required_argument, NULL, OPTION_WAIT },
	{ "number", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool parse_seconds(const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < 0 || value > 1e9)
		return false;
	*ret = value;
	return true;
}

static bool parse_number(const char *text, unsigned long *ret)
{
	*ret = strlen(text) < 10 && strspn(text, "0123456789") == strlen(text)
		? strtoul(text, NULL, 10)
		: 0;
	return *ret > 0;
}

/* 0: go on; -1: help or version was printed; or an exit code. */
static int parse(int argc, char **argv, struct request *r)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":hVn:", longs, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON: r->json = true; break;
		case OPTION_POOL: r->pool = optarg; break;
		case OPTION_TIMEOUT:
			if (!parse_seconds(optarg, &r->timeout_s))
				return ctl_wrong("--timeout wants seconds, not \"%s\"", optarg);
			break;
		case OPTION_WAIT:
			if (!parse_seconds(optarg, &r->wait_s))
				return ctl_wrong("--wait wants seconds, not \"%s\"", optarg);
			break;
		case 'n':
			if (!parse_number(optarg, &r->most))
				return ctl_wrong("--number wants 1 or more, not \"%s\"", optarg);
			break;
		case 'h': fputs(ctl_help, stdout); return -1;
		case 'V': puts("brood-ctl " BROOD_VERSION_TEXT); return -1;
		case ':': return ctl_wrong("%s wants a value", argv[optind - 1]);
		default: return ctl_wrong("there is no option %s", argv[optind - 1]);
		}
	}
	return 0;
}

/* [PID|NAME] COMMAND [WORD]: the first word is the brood, unless it is a command. */
static enum choose_exit run(int count, char **words, struct request *r)
{
	const struct command *command;

	if (count == 0)
		return ctl_wrong("a command is missing");
	command = find(words[0]);
	if (!command && count > 1) {
		r->brood = *words++;
		count--;
		command = find(words[0]);
	}
	if (!command)
		return ctl_wrong("there is no command \"%s\"", words[0]);
	r->words = words + 1;
	r->count = count - 1;
	if (r->count > command->words)
		return ctl_wrong("\"%s\" is too much behind \"%s\"", words[1 + command->words],
			command->name);
	if (r->json && !command->json)
		return ctl_wrong("\"%s\" has no --json", command->name);
	if (r->timeout_s >= 0 && !command->timeout)
		return ctl_wrong("\"%s\" has no --timeout", command->name);
	if (r->wait_s >= 0 && !command->wait)
		return ctl_wrong("\"%s\" has no --wait", command->name);
	if (r->most > 0 && !command->number)
		return ctl_wrong("\"%s\" has no --number", command->name);
	return command->run(r);
}

int main(int argc, char **argv)
{
	struct request request = { .timeout_s = -1, .wait_s = -1 };
	int code;

	setlocale(LC_CTYPE, "");
	code = parse(argc, argv, &request);
	if (code == 0)
		code = (int)run(argc - optind, argv + optind, &request);
	if (fflush(stdout) != 0 || ferror(stdout))
		return (int)ctl_fail(CHOOSE_TROUBLE, "standard output cannot be written");
	return code < 0 ? 0 : code;
}
