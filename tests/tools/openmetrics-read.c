/* SPDX-License-Identifier: MIT */
/*
 * openmetrics-read.c - a strict reader of OpenMetrics text, written from the specification.
 *
 *   openmetrics-read FILE [SERIES]...   checks FILE; a line for each SERIES, as brood_jobs_total or
 *                                       brood_jobs_total{outcome="done"}: the sum of all samples
 *                                       that have these labels
 *   openmetrics-read --after OLD NEW    checks both, and that no counter of OLD is less or missing
 *                                       in NEW
 *
 * Exit: 0; 1 the text is wrong (why, on standard error).
 */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILIES_MAX 256
#define LABELS_MAX   8

struct family {
	char name[96], type[24], unit[128];
	bool help, closed;
};
struct label {
	char name[64], value[256];
};
struct sample {
	char name[128];
	struct label labels[LABELS_MAX];
	int count;
	double value;
	struct family *family;
};
struct text {
	const char *path;
	struct family families[FAMILIES_MAX];
	int families_count;
	struct sample *samples;
	size_t samples_count;
	int line;
	bool ended;
};

static void wrong(const struct text *t, const char *what, const char *which)
	__attribute__((noreturn));
static void wrong(const struct text *t, const char *what, const char *which)
{
	fprintf(stderr, "openmetrics-read: %s:%d: %s: %s\n", t->path, t->line, what, which);
	exit(1);
}

/* ---- lines ---- */

static const char *name_of(const struct text *t, const char *at, char *ret, size_t size)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*at) && *at != '_')
		wrong(t, "a name was expected", at);
	while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == ':')
		n++;
	if (n >= size)
		wrong(t, "the name is too long", at);
	memcpy(ret, at, n);
	ret[n] = '\0';
	return at + n;
}

static const char *value_of(const struct text *t, const char *at, char *ret, size_t size)
{
	size_t n = 0;

	if (*at++ != '"')
		wrong(t, "a value in quotes was expected", at - 1);
	for (; *at && *at != '"' && n + 1 < size; at++) {
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
			wrong(t, "a character that should not be there", at);
		if (*at == '\\' && !strchr("\\\"n", *++at))
			wrong(t, "no such escape", at);
		ret[n++] = *at;
	}
	if (*at != '"')
		wrong(t, "the value does not end", at);
	ret[n] = '\0';
	return at + 1;
}

static struct family *find_family(struct text *t, const char *name)
{
	for (int i = 0; i < t->families_count; i++)
		if (strcmp(t->families[i].name, name) == 0)
			return &t->families[i];
	return NULL;
}

static struct family *current(struct text *t)
{
	return t->families_count ? &t->families[t->families_count - 1] : NULL;
}

static void read_comment(struct text *t, const char *line)
{
	char name[96];
	const char *rest;
	struct family *family;

	if (strcmp(line, "# EOF") == 0) {
		t->ended = true;
		return;
	}
	if (strncmp(line, "# TYPE ", 7) != 0 && strncmp(line, "# HELP ", 7) != 0 &&
		strncmp(line, "# UNIT ", 7) != 0)
		wrong(t, "no such comment", line);
	rest = name_of(t, line + 7, name, sizeof name);
	if (*rest++ != ' ' || !*rest)
		wrong(t, "a blank and a word were expected", line);
	if (line[2] == 'T') {
		static const char *const types[] = { "gauge", "counter", "histogram", "info",
			"stateset" };
		bool known = false;

		for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
			known |= strcmp(rest, types[i]) == 0;
		if (!known || find_family(t, name) || t->families_count == FAMILIES_MAX)
			wrong(t, "no such type, or a second time", line);
		if (strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0)
			wrong(t, "a family's name has no _total", line);
		family = &t->families[t->families_count++];
		snprintf(family->name, sizeof family->name, "%s", name);
		snprintf(family->type, sizeof family->type, "%s", rest);
		return;
	}
	family = current(t);
	if (!family || strcmp(family->name, name) != 0 || family->closed)
		wrong(t, "about another family, or behind its samples", line);
	if (line[2] == 'H') {
		if (family->help)
			wrong(t, "a second help", line);
		family->help = true;
		return;
	}
	if (strlen(name) <= strlen(rest) || strcmp(name + strlen(name) - strlen(rest), rest) != 0)
		wrong(t, "the name does not end with the unit", line);
	snprintf(family->unit, sizeof family->unit, "%s", rest);
}

/* What a sample of the family may have behind the family's name. */
static bool suffix_fits(const struct family *family, const char *suffix)
{
	if (strcmp(family->type, "counter") == 0)
		return strcmp(suffix, "_total") == 0;
	if (strcmp(family->type, "info") == 0)
		return strcmp(suffix, "_info") == 0;
	if (strcmp(family->type, "histogram") == 0)
		return strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_count") == 0 ||
			strcmp(suffix, "_sum") == 0;
	return !*suffix;
}

static const char *label_of(const struct sample *sample, const char *name)
{
	for (int i = 0; i < sample->count; i++)
		if (strcmp(sample->labels[i].name, name) == 0)
			return sample->labels[i].value;
	return NULL;
}

static const char *read_labels(struct text *t, const char *at, struct sample *sample)
{
	do {
		struct label *label = &sample->labels[sample->count];

		if (sample->count == LABELS_MAX)
			wrong(t, "too many labels", at);
		at = name_of(t, at + 1, label->name, sizeof label->name);
		if (*at != '=' || label_of(sample, label->name))
			wrong(t, "a label without a value, or a second time", at);
		if (strcmp(label->name, "pid") == 0 || strcmp(label->name, "tag") == 0)
			wrong(t, "a label without a bound", at);
		at = value_of(t, at + 1, label->value, sizeof label->value);
		sample->count++;
	} while (*at == ',');
	if (*at != '}')
		wrong(t, "the labels do not end", at);
	return at + 1;
}

static bool same_labels(const struct sample *a, const struct sample *b, const char *but)
{
	int differ = 0;

	for (int i = 0; i < a->count; i++) {
		const char *other = label_of(b, a->labels[i].name);

		if (but && strcmp(a->labels[i].name, but) == 0)
			continue;
		differ += !other || strcmp(other, a->labels[i].value) != 0;
	}
	return differ == 0 &&
		a->count - (but && label_of(a, but)) == b->count - (but && label_of(b, but));
}

static const struct sample *find_sample(const struct text *t, const struct sample *like)
{
	for (size_t i = 0; i < t->samples_count; i++)
		if (strcmp(t->samples[i].name, like->name) == 0 &&
			same_labels(&t->samples[i], like, NULL))
			return &t->samples[i];
	return NULL;
}

static void read_sample(struct text *t, const char *line)
{
	struct sample sample = { .family = current(t) };
	struct family *family = sample.family;
	const char *at = name_of(t, line, sample.name, sizeof sample.name);
	char *end;

	if (!family || strncmp(sample.name, family->name, strlen(family->name)) != 0 ||
		!suffix_fits(family, sample.name + strlen(family->name)))
		wrong(t, "no sample of the family before", line);
	family->closed = true;
	if (*at == '{')
		at = read_labels(t, at, &sample);
	if (*at++ != ' ' || isspace((unsigned char)*at))
		wrong(t, "one blank was expected", line);
	sample.value = strtod(at, &end);
	if (end == at || *end || !isfinite(sample.value) || sample.value < 0)
		wrong(t, "no number", at);
	if (find_sample(t, &sample))
		wrong(t, "a second time", line);
	t->samples = realloc(t->samples, (t->samples_count + 1) * sizeof *t->samples);
	if (!t->samples)
		wrong(t, "no memory", line);
	t->samples[t->samples_count++] = sample;
}

/* ---- histograms ---- */

/* Buckets of one histogram stand together: limits and counts grow, the last is +Inf. */
static void check_histograms(struct text *t)
{
	const struct sample *before = NULL;

	for (size_t i = 0; i < t->samples_count; i++) {
		const struct sample *s = &t->samples[i];
		const char *le = label_of(s, "le");

		if (strcmp(s->family->type, "histogram") != 0)
			continue;
		if (!le && strstr(s->name, "_bucket"))
			wrong(t, "a bucket without a limit", s->name);
		if (!le) {
			if (strstr(s->name, "_count") &&
				(!before || before->value != s->value ||
					strcmp(label_of(before, "le"), "+Inf") != 0))
				wrong(t, "the count is not that of the last bucket", s->name);
			continue;
		}
		if (before && before->family == s->family && same_labels(before, s, "le") &&
			(strtod(label_of(before, "le"), NULL) >= strtod(le, NULL) ||
				before->value > s->value))
			wrong(t, "limits or counts do not grow", s->name);
		before = s;
	}
}

/* ---- files ---- */

static void read_text(const char *path, struct text *t)
{
	FILE *file = fopen(path, "r");
	char line[1024];

	t->path = path;
	if (!file)
		wrong(t, "cannot be read", path);
	while (fgets(line, sizeof line, file)) {
		size_t n = strlen(line);

		t->line++;
		if (n == 0 || line[n - 1] != '\n' || t->ended)
			wrong(t, "a line without an end, or behind the end", line);
		line[n - 1] = '\0';
		if (line[0] == '#')
			read_comment(t, line);
		else
			read_sample(t, line);
	}
	fclose(file);
	if (!t->ended)
		wrong(t, "no # EOF", path);
	check_histograms(t);
}

static void compare(const struct text *old, const struct text *new)
{
	for (size_t i = 0; i < old->samples_count; i++) {
		const struct sample *a = &old->samples[i], *b = find_sample(new, a);

		if (strcmp(a->family->type, "counter") != 0 &&
			strcmp(a->family->type, "histogram") != 0)
			continue;
		if (!b || b->value < a->value)
			wrong(new, "a counter went back, or is missing", a->name);
	}
}

static void print(struct text *t, const char *series)
{
	struct sample wanted = { .count = 0 };
	const char *at = name_of(t, series, wanted.name, sizeof wanted.name);
	double sum = 0;
	size_t found = 0;

	if (*at == '{')
		read_labels(t, at, &wanted);
	for (size_t i = 0; i < t->samples_count; i++) {
		const struct sample *s = &t->samples[i];
		bool fits = strcmp(s->name, wanted.name) == 0;

		for (int k = 0; fits && k < wanted.count; k++) {
			const char *value = label_of(s, wanted.labels[k].name);

			fits = value && strcmp(value, wanted.labels[k].value) == 0;
		}
		sum += fits ? s->value : 0;
		found += fits;
	}
	if (!found)
		wrong(t, "no such series", series);
	printf("%.9g\n", sum);
}

int main(int argc, char **argv)
{
	static struct text old, new;

	if (argc == 4 && strcmp(argv[1], "--after") == 0) {
		read_text(argv[2], &old);
		read_text(argv[3], &new);
		compare(&old, &new);
		return 0;
	}
	if (argc < 2)
		return 2;
	read_text(argv[1], &new);
	for (int i = 2; i < argc; i++)
		print(&new, argv[i]);
	return 0;
}
