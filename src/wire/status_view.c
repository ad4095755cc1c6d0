/* SPDX-License-Identifier: MIT */
/*
 * status_view.c - see status_view.h. Another process may write the page meanwhile: so words are
 * loaded one by one, each before the next (acquire). Then the second look at a record's sequence
 * comes after all its fields. A record of the page may be shorter or longer than its struct in this
 * file: the missing fields of the copy are 0, and additional ones are not read.
 */
#include "status_view.h"

#include <errno.h>
#include <string.h>

/* Far above what the library makes: a page that says more wants to cost its reader memory. */
#define POOLS_MAX   1024
#define RECORDS_MAX (1u << 18)

#define TRIES 100 /* a writer needs some tens of ns: only one that does not run is met so often */

/* ---- the page ---- */

/* The address is a multiple of 8, the size a multiple of 4. */
static void copy_words(void *to, const unsigned char *from, size_t size)
{
	const uint64_t *in = (const uint64_t *)(const void *)from;
	const uint32_t *rest = (const uint32_t *)(const void *)(from + size / 8 * 8);
	uint32_t last;

	for (size_t i = 0; i < size / 8; i++) {
		uint64_t word = __atomic_load_n(&in[i], __ATOMIC_ACQUIRE);

		memcpy((unsigned char *)to + 8 * i, &word, sizeof word);
	}
	if (size % 8 == 0)
		return;
	last = __atomic_load_n(rest, __ATOMIC_ACQUIRE);
	memcpy((unsigned char *)to + size / 8 * 8, &last, sizeof last);
}

/* Returns the part if it lies within the page, else an empty one. */
static struct brood_status_part checked(const struct brood_status_part *p, size_t size)
{
	struct brood_status_part none = { 0 };

	if (p->count == 0 || p->stride == 0 || p->stride % 8 != 0 || p->at % 8 != 0 ||
		p->size % 4 != 0 || p->size > p->stride || p->at > size ||
		p->count > (size - p->at) / p->stride || p->count > RECORDS_MAX)
		return none;
	return *p;
}

int status_view_open(struct status_view *view, const void *memory, size_t size)
{
	struct brood_status_head *head = &view->head;
	size_t known = sizeof *head;

	memset(view, 0, sizeof *view);
	if (size < known || (uintptr_t)memory % 8 != 0)
		return -EBADMSG;
	copy_words(head, memory, known);
	if (head->magic != BROOD_STATUS_MAGIC)
		return -EBADMSG;
	if (head->version != BROOD_STATUS_VERSION)
		return -EPROTO;
	if (head->file_size > size || head->parts < BROOD_STATUS_PARTS || head->size < known)
		return -EBADMSG;
	view->base = memory;
	view->size = size;
	for (int i = 0; i < BROOD_STATUS_PARTS; i++)
		head->part[i] = checked(&head->part[i], size);
	if (head->part[BROOD_STATUS_BROOD].count != 1 || head->pools == 0 ||
		head->pools > POOLS_MAX || head->pools > head->part[BROOD_STATUS_POOLS].count ||
		head->pools > head->part[BROOD_STATUS_COUNTS].count)
		return -EBADMSG;
	return 0;
}

/* Returns where the record lies in the page. NULL: there is no such record. */
static const unsigned char *record(
	const struct status_view *view, enum brood_status_part_number part, uint32_t number)
{
	const struct brood_status_part *p = &view->head.part[part];

	return number < p->count ? view->base + p->at + (size_t)number * p->stride : NULL;
}

static size_t record_size(
	const struct status_view *view, enum brood_status_part_number part, size_t known)
{
	size_t size = view->head.part[part].size;

	return size < known ? size : known;
}

static void read_plain(const struct status_view *view, enum brood_status_part_number part,
	uint32_t number, void *ret, size_t known)
{
	const unsigned char *from = record(view, part, number);

	memset(ret, 0, known);
	if (from)
		copy_words(ret, from, record_size(view, part, known));
}

static uint32_t sequence_of(const unsigned char *from)
{
	return __atomic_load_n((const uint32_t *)(const void *)from, __ATOMIC_ACQUIRE);
}

/* Copies a record that begins with `sequence`. False: it was being written at each try. */
static bool read_whole(const struct status_view *view, enum brood_status_part_number part,
	uint32_t number, void *ret, size_t known)
{
	const unsigned char *from = record(view, part, number);
	size_t size = record_size(view, part, known);

	memset(ret, 0, known);
	if (!from || size < sizeof(uint32_t))
		return true;
	for (int i = 0; i < TRIES; i++) {
		uint32_t before = sequence_of(from);

		copy_words(ret, from, size);
		if (before % 2 == 0 && sequence_of(from) == before)
			return true;
	}
	return false;
}

/* U+0080 to U+009F are control characters, too: 0xc2 and one byte below 0xa0. */
static void make_printable(char *text, size_t size, const char *allowed)
{
	unsigned char before = 0;

	text[size - 1] = '\0';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < ' ' && !strchr(allowed, c)) || c == 0x7f ||
			(before == 0xc2 && c >= 0x80 && c < 0xa0))
			*text = '?';
		before = c;
	}
}

static void make_text(char *text, size_t size) { make_printable(text, size, ""); }

/* ---- brood and pools ---- */

bool status_view_brood(const struct status_view *view, struct brood_status_brood *ret)
{
	bool whole = read_whole(view, BROOD_STATUS_BROOD, 0, ret, sizeof *ret);

	make_text(ret->name, sizeof ret->name);
	make_text(ret->version, sizeof ret->version);
	make_text(ret->control, sizeof ret->control);
	return whole;
}

uint32_t status_view_pools(const struct status_view *view) { return view->head.pools; }

bool status_view_pool(const struct status_view *view, uint32_t pool, struct brood_status_pool *ret)
{
	bool whole = read_whole(view, BROOD_STATUS_POOLS, pool, ret, sizeof *ret);

	make_text(ret->name, sizeof ret->name);
	return whole;
}

void status_view_counts(
	const struct status_view *view, uint32_t pool, struct brood_status_counts *ret)
{
	read_plain(view, BROOD_STATUS_COUNTS, pool, ret, sizeof *ret);
}

static uint64_t load(const unsigned char *from)
{
	return __atomic_load_n((const uint64_t *)(const void *)from, __ATOMIC_ACQUIRE);
}

static void add_words(uint64_t *to, const unsigned char *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += load(from + 8 * i);
}

static void add_times(struct brood_status_histogram *to, const unsigned char *from)
{
	uint64_t max = load(from + offsetof(struct brood_status_histogram, max_ns));

	to->max_ns = max > to->max_ns ? max : to->max_ns;
	to->sum_ns += load(from);
	add_words(to->buckets, from + offsetof(struct brood_status_histogram, buckets),
		BROOD_STATUS_BUCKETS);
}

/*
 * Returns the pool's next record of SUMS, from number *n on, that is in use and has `size` bytes.
 * NULL: there is none. Of an unused record only the first word is read: to read on would cost the
 * pool memory.
 */
static const unsigned char *next_sums(
	const struct status_view *view, uint32_t pool, size_t size, uint64_t *n)
{
	const struct brood_status_part *p = &view->head.part[BROOD_STATUS_SUMS];

	for (*n = *n ? *n : pool; *n < p->count && p->size >= size; *n += view->head.pools) {
		const unsigned char *from = record(view, BROOD_STATUS_SUMS, (uint32_t)*n);

		if (sequence_of(from) == 0)
			continue;
		*n += view->head.pools;
		return from;
	}
	return NULL;
}

void status_view_times(const struct status_view *view, uint32_t pool, size_t at,
	struct brood_status_histogram *ret)
{
	const unsigned char *from;
	uint64_t n = 0;

	memset(ret, 0, sizeof *ret);
	while ((from = next_sums(view, pool, at + sizeof *ret, &n)))
		add_times(ret, from + at);
}

void status_view_verdicts(
	const struct status_view *view, uint32_t pool, struct brood_status_sums *ret)
{
	const size_t verdicts = offsetof(struct brood_status_sums, verdicts);
	const unsigned char *from;
	uint64_t n = 0;

	memset(ret, 0, sizeof *ret);
	ret->pool = pool;
	while ((from = next_sums(view, pool, verdicts + sizeof ret->verdicts, &n))) {
		ret->used++;
		/* unsigned: of a page that makes no sense the sum may be too large */
		ret->waiting = (int64_t)((uint64_t)ret->waiting +
			load(from + offsetof(struct brood_status_sums, waiting)));
		add_words(&ret->verdicts[0][0], from + verdicts, sizeof ret->verdicts / 8);
	}
}

void status_view_sums(const struct status_view *view, uint32_t pool, struct brood_status_sums *ret)
{
	status_view_verdicts(view, pool, ret);
	status_view_times(view, pool, offsetof(struct brood_status_sums, queue), &ret->queue);
	status_view_times(view, pool, offsetof(struct brood_status_sums, run), &ret->run);
	status_view_times(view, pool, offsetof(struct brood_status_sums, death_to_verdict),
		&ret->death_to_verdict);
	status_view_times(view, pool, offsetof(struct brood_status_sums, death_to_ready),
		&ret->death_to_ready);
}

/* ---- workers ---- */

uint32_t status_view_slots(const struct status_view *view)
{
	return view->head.part[BROOD_STATUS_SLOTS].count;
}

/*
 * Copies the worker's slot page, which the worker may rewrite meanwhile. True: the word that names
 * the job was the same before and after the copy, so all of *ret is about one job.
 */
static bool read_worker(
	const struct status_view *view, uint32_t slot, struct brood_status_worker *ret)
{
	const unsigned char *from = record(view, BROOD_STATUS_WORKERS, slot);

	for (int i = 0; i < TRIES && from; i++) {
		uint64_t word, after;

		read_plain(view, BROOD_STATUS_WORKERS, slot, ret, sizeof *ret);
		word = ret->word;
		copy_words(&after, from, sizeof after);
		if (word == after)
			return true;
	}
	return false;
}

static uint64_t id_on_lease(const struct status_view *view, uint32_t lease, uint64_t number)
{
	const size_t at = offsetof(struct brood_status_lease, entries) +
		(size_t)(number % BROOD_STATUS_DEPTH) * sizeof(struct brood_status_entry);
	const unsigned char *from = record(view, BROOD_STATUS_LEASES, lease);
	uint64_t published, id;

	if (!from || view->head.part[BROOD_STATUS_LEASES].size < sizeof(struct brood_status_lease))
		return 0;
	copy_words(&published, from, sizeof published);
	copy_words(&id, from + at, sizeof id);
	return number <= published && published - number < BROOD_STATUS_DEPTH ? id : 0;
}

/* Fills in what the worker does on its lease. True: all that was read belongs together. */
static bool on_lease(const struct status_view *view, const struct brood_status_slot *slot,
	struct status_worker *ret)
{
	struct brood_status_worker said = { 0 };
	bool whole = read_worker(view, ret->slot, &said);
	uint64_t number = BROOD_STATUS_NUMBER(said.word);

	ret->runs = BROOD_STATUS_RUNS(said.word) && number > slot->base;
	if (number > slot->base)
		ret->jobs += number - slot->base - ret->runs;
	if (!ret->runs)
		return whole;
	ret->leased = true;
	ret->job = id_on_lease(view, slot->lease, number);
	ret->fn = said.fn;
	ret->job_since_ns = said.began_ns;
	memcpy(ret->name, said.name, sizeof ret->name);
	memcpy(ret->tag, said.tag, sizeof ret->tag);
	return whole;
}

static void take_slot(const struct brood_status_slot *slot, struct status_worker *ret)
{
	ret->pool = slot->pool;
	ret->generation = slot->generation;
	ret->state = slot->state;
	ret->flags = slot->flags;
	ret->pid = slot->pid > 0 ? slot->pid : 0;
	ret->since_ns = slot->since_ns;
	ret->born_ns = slot->born_ns;
	ret->ready_ns = slot->ready_ns;
	ret->jobs = slot->jobs;
	ret->runs = slot->job != 0;
	ret->leased = slot->state == BROOD_STATUS_UNDEAD && slot->flags & BROOD_STATUS_ON_LEASE;
	ret->job = slot->job;
	ret->fn = slot->fn;
	ret->job_since_ns = slot->job_since_ns;
	memcpy(ret->name, slot->name, sizeof ret->name);
	memcpy(ret->tag, slot->tag, sizeof ret->tag);
}

static bool try_worker(const struct status_view *view, struct status_worker *ret)
{
	const unsigned char *from = record(view, BROOD_STATUS_SLOTS, ret->slot);
	struct brood_status_slot slot;
	bool whole = read_whole(view, BROOD_STATUS_SLOTS, ret->slot, &slot, sizeof slot);

	take_slot(&slot, ret);
	if (slot.state == BROOD_STATUS_LEASED)
		whole &= on_lease(view, &slot, ret);
	/* the lease may have ended meanwhile, and another worker may have the slot */
	return whole && sequence_of(from) == slot.sequence;
}

void status_view_worker(const struct status_view *view, uint32_t slot, struct status_worker *ret)
{
	bool whole = false;

	for (int i = 0; i < TRIES / 10 && !whole; i++) {
		memset(ret, 0, sizeof *ret);
		ret->slot = slot;
		if (slot >= status_view_slots(view))
			return;
		whole = try_worker(view, ret);
	}
	ret->in_flux = !whole;
	make_text(ret->name, sizeof ret->name);
	make_text(ret->tag, sizeof ret->tag);
}

/* ---- where code was ---- */

/* A path is no text for people: its control characters stay, so that the file can be found. */
static void check_modules(
	struct brood_status_module *modules, uint32_t *count, uint16_t *module, uint32_t frames)
{
	if (*count > BROOD_STATUS_MODULES)
		*count = BROOD_STATUS_MODULES;
	for (uint32_t i = 0; i < *count; i++) {
		modules[i].path[sizeof modules[i].path - 1] = '\0';
		if (modules[i].build_id_size > sizeof modules[i].build_id)
			modules[i].build_id_size = sizeof modules[i].build_id;
	}
	for (uint32_t i = 0; i < frames; i++)
		if (module[i] >= *count)
			module[i] = BROOD_STATUS_NOWHERE;
}

uint32_t status_view_stack_sequence(const struct status_view *view, uint32_t slot)
{
	const unsigned char *from = record(view, BROOD_STATUS_STACKS, slot);

	return from ? sequence_of(from) : 0;
}

bool status_view_stack(
	const struct status_view *view, uint32_t slot, struct brood_status_stack *ret)
{
	bool whole = read_whole(view, BROOD_STATUS_STACKS, slot, ret, sizeof *ret);

	if (ret->frames_count > BROOD_STATUS_FRAMES)
		ret->frames_count = BROOD_STATUS_FRAMES;
	check_modules(ret->modules, &ret->modules_count, ret->module, ret->frames_count);
	return whole;
}

uint32_t status_view_reports(const struct status_view *view)
{
	return view->head.part[BROOD_STATUS_REPORTS].count;
}

bool status_view_report(
	const struct status_view *view, uint32_t at, struct brood_status_report *ret)
{
	bool whole = read_whole(view, BROOD_STATUS_REPORTS, at, ret, sizeof *ret);

	if (ret->frames_count > BROOD_STATUS_FRAMES)
		ret->frames_count = BROOD_STATUS_FRAMES;
	check_modules(ret->modules, &ret->modules_count, ret->module, ret->frames_count);
	make_text(ret->name, sizeof ret->name);
	make_text(ret->tag, sizeof ret->tag);
	make_text(ret->pool_name, sizeof ret->pool_name);
	make_text(ret->waits, sizeof ret->waits);
	make_text(ret->progress, sizeof ret->progress);
	make_printable(ret->stderr_text, sizeof ret->stderr_text, "\n\t");
	for (uint32_t i = 0; i < ret->frames_count; i++) {
		make_text(ret->frames[i].function, sizeof ret->frames[i].function);
		make_text(ret->frames[i].module, sizeof ret->frames[i].module);
	}
	return whole;
}

/* ---- histograms ---- */

uint64_t status_view_count(const uint64_t buckets[BROOD_STATUS_BUCKETS])
{
	uint64_t count = 0;

	for (int i = 0; i < BROOD_STATUS_BUCKETS; i++)
		count += buckets[i];
	return count;
}

static uint64_t middle(uint32_t bucket)
{
	uint64_t from = brood_status_bucket_ns(bucket);

	return from + (brood_status_bucket_ns(bucket + 1) - from) / 2;
}

uint64_t status_view_quantile(
	const uint64_t buckets[BROOD_STATUS_BUCKETS], uint64_t max_ns, double q)
{
	uint64_t count = status_view_count(buckets), seen = 0;
	double wanted = (q > 0 ? q : 0) * (double)count;

	if (q >= 1 || count == 0)
		return count > 0 ? max_ns : 0;
	for (uint32_t i = 0; i + 1 < BROOD_STATUS_BUCKETS; i++) {
		seen += buckets[i];
		if (buckets[i] > 0 && (double)seen >= wanted)
			return middle(i) < max_ns ? middle(i) : max_ns;
	}
	return max_ns;
}
