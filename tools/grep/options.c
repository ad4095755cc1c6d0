/* SPDX-License-Identifier: MIT */
/*
 * The command line of brood-grep, and the patterns that it names. All of this happens before
 * brood_start().
 */
#define _GNU_SOURCE
#include "grep.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_line[] =
	"Usage: brood-grep [-E] [-i] [-n] [-c] [-r] [-e PATTERN] [-f PATTERNS] [-w WORKERS]\n"
	"                  [-T MS] [--in-process] [--kill-rate N] [PATTERN] [FILE]...\n";

static const char help_text[] =
	"Searches each FILE for PATTERN, as grep does, in workers. A pattern that crashes, hangs\n"
	"or bloats the C library's regex code costs a worker, not the search. All bytes are\n"
	"taken as in the C locale.\n"
	"\n"
	"  -E              patterns are extended regular expressions\n"
	"  -i              upper and lower case are the same\n"
	"  -n              prints each line with its number\n"
	"  -c              prints how many lines match, instead of the lines\n"
	"  -r              searches folders with all that is in them; without FILE: this folder\n"
	"  -e PATTERN      -e and -f may be given more than once; a line matches if one pattern\n"
	"                  does\n"
	"  -f PATTERNS     a file with one pattern a line; - is standard input\n"
	"  -f with -c      prints one row for each pattern: how many lines of all files match (or\n"
	"                  how the worker died), a tab, the pattern\n"
	"  -w WORKERS      how many workers, 1 to 10000 (default: one for each CPU)\n"
	"  -T MS           how long a worker may search one piece of a file (100 KB, or one line;\n"
	"                  default: 2000)\n"
	"  --in-process    searches without workers: a bad pattern takes the program down\n"
	"  --kill-rate N   kills N random workers a second, and prints on stderr how many. The\n"
	"                  output stays the same\n"
	"  --help, --version\n"
	"\n"
	"Exit code: 0: a line matched; 1: none did; 2: a file could not be read, a pattern fell,\n"
	"or wrong usage.\n";

void complain(const char *format, ...)
{
	va_list args;
	fflush(stdout);
	va_start(args, format);
	flockfile(stderr);
	fputs("brood-grep: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(args);
}

void out_of_memory(void)
{
	complain("memory exhausted");
	exit(GREP_TROUBLE);
}

void *must_alloc(void *old, size_t size)
{
	void *fresh = realloc(old, size ? size : 1);
	if (!fresh)
		out_of_memory();
	return fresh;
}

static void usage(void) __attribute__((noreturn));
static void usage(void)
{
	fprintf(stderr, "%sTry 'brood-grep --help'.\n", usage_line);
	exit(GREP_TROUBLE);
}

bool patterns_next(const struct patterns *patterns, size_t *offset, struct patterns *ret_one)
{
	if (*offset == patterns->size)
		return false;
	char *start = patterns->text + *offset;
	char *newline = memchr(start, '\n', patterns->size - *offset);
	size_t size = newline ? (size_t)(newline - start) + 1 : patterns->size - *offset;
	*ret_one = (struct patterns){ start, size, 1 };
	*offset += size;
	return true;
}

static void patterns_add(struct patterns *patterns, const char *text, size_t size)
{
	patterns->text = must_alloc(patterns->text, patterns->size + size + 1);
	memcpy(patterns->text + patterns->size, text, size);
	patterns->size += size;
	for (size_t i = 0; i < size; i++)
		patterns->count += text[i] == '\n';
}

static void patterns_read(struct patterns *patterns, const char *name)
{
	char block[65536];
	size_t n, before = patterns->size;
	FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	while (file && (n = fread(block, 1, sizeof block, file)) > 0)
		patterns_add(patterns, block, n);
	if (!file || ferror(file)) {
		complain("%s: %s", name, strerror(errno));
		exit(GREP_TROUBLE);
	}
	if (patterns->size > before && patterns->text[patterns->size - 1] != '\n')
		patterns_add(patterns, "\n", 1);
	if (file != stdin)
		fclose(file);
}

static void pattern_argument(struct patterns *patterns, const char *text)
{
	patterns_add(patterns, text, strlen(text));
	patterns_add(patterns, "\n", 1);
}

static uint32_t number(const char *name, const char *text, uint32_t most)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno || *end || end == text || text[0] == '-' || value < 1 || value > most) {
		complain("%s %s: a number from 1 to %u is wanted", name, text, most);
		usage();
	}
	return (uint32_t)value;
}

enum { OPTION_HELP = 256, OPTION_VERSION, OPTION_IN_PROCESS, OPTION_KILL_RATE };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "in-process", no_argument, NULL, OPTION_IN_PROCESS },
	{ "kill-rate", required_argument, NULL, OPTION_KILL_RATE },
	{ NULL, 0, NULL, 0 },
};

static void take(struct grep_options *options, int option, bool *pattern_file, bool *pattern_given)
{
	switch (option) {
	case 'E': options->extended = true; break;
	case 'i': options->icase = true; break;
	case 'n': options->number = true; break;
	case 'c': options->count = true; break;
	case 'r': options->recursive = true; break;
	case 'e':
		pattern_argument(&options->patterns, optarg);
		*pattern_given = true;
		break;
	case 'f':
		patterns_read(&options->patterns, optarg);
		*pattern_file = *pattern_given = true;
		break;
	case 'w': options->workers = number("-w", optarg, 10000); break;
	case 'T': options->run_ms = number("-T", optarg, 3600000); break;
	case OPTION_IN_PROCESS: options->in_process = true; break;
	case OPTION_KILL_RATE: options->kill_rate = number("--kill-rate", optarg, 10000); break;
	case OPTION_HELP: printf("%s%s", usage_line, help_text); exit(0);
	case OPTION_VERSION: printf("brood-grep %s\n", brood_version()); exit(0);
	default: usage();
	}
}

void options_read(struct grep_options *options, int argc, char **argv)
{
	bool pattern_file = false, pattern_given = false;
	int option;
	*options = (struct grep_options){ .run_ms = 2000 };
	while ((option = getopt_long(argc, argv, "Eincre:f:w:T:", long_options, NULL)) >= 0)
		take(options, option, &pattern_file, &pattern_given);
	if (!pattern_given) {
		if (optind == argc)
			usage();
		pattern_argument(&options->patterns, argv[optind++]);
	}
	if (options->in_process && options->kill_rate) {
		complain("--in-process has no workers to kill");
		usage();
	}
	/* Makes `text` not NULL, even for an empty pattern file. */
	patterns_add(&options->patterns, "", 0);
	options->rows = pattern_file && options->count;
	options->files = argv + optind;
	options->files_count = (size_t)(argc - optind);
}
