/* SPDX-License-Identifier: MIT */
/* status.c - histograms of the status page, and a reader's view of a page that may be anybody's. */
#include "../../src/base/base.h"
#include "../../src/wire/shared.h"
#include "../../src/wire/status_view.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

/* ---- histograms ---- */

Test(status, each_time_falls_into_the_bucket_that_holds_it)
{
	uint64_t random = 1;

	for (int i = 0; i < 1000000; i++) {
		uint64_t ns;
		uint32_t bucket;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		ns = random >> 20 >> (random % 40);
		bucket = status_bucket(ns);
		cr_assert_lt(bucket, BROOD_STATUS_BUCKETS);
		cr_assert_leq(brood_status_bucket_ns(bucket), ns, "%llu", (unsigned long long)ns);
		if (bucket + 1 < BROOD_STATUS_BUCKETS)
			cr_assert_lt(ns, brood_status_bucket_ns(bucket + 1));
	}
	cr_assert_eq(status_bucket(0), 0);
	cr_assert_eq(status_bucket(UINT64_MAX), BROOD_STATUS_BUCKETS - 1);
}

Test(status, a_bucket_is_narrow_and_the_last_one_begins_after_hours)
{
	for (uint32_t i = 16; i + 1 < BROOD_STATUS_BUCKETS; i++) {
		uint64_t from = brood_status_bucket_ns(i), to = brood_status_bucket_ns(i + 1);

		cr_assert_leq((double)(to - from) / 2 / (double)from, 0.03126);
	}
	cr_assert_gt(brood_status_bucket_ns(BROOD_STATUS_BUCKETS - 1), 9 * 3600 * NS_PER_S);
}

Test(status, quantiles)
{
	static struct brood_status_histogram h;

	cr_assert_eq(status_view_quantile(h.buckets, h.max_ns, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		status_time(&h, i * NS_PER_US, i % 2);
	cr_assert_eq(status_view_count(h.buckets), 1000);
	cr_assert_eq(h.max_ns, 1000 * NS_PER_US);
	cr_assert_eq(h.sum_ns, 500500 * NS_PER_US);
	for (int percent = 1; percent <= 100; percent++) {
		double is = (double)status_view_quantile(h.buckets, h.max_ns, percent / 100.0);
		double expect = percent * 10.0 * (double)NS_PER_US;

		cr_assert_float_eq(is / expect, 1, 0.032, "%d %%: %f", percent, is);
	}
	cr_assert_eq(status_view_quantile(h.buckets, h.max_ns, 1), h.max_ns);
	cr_assert_leq(status_view_quantile(h.buckets, h.max_ns, -1), NS_PER_US * 2);
}

/* ---- the page ---- */

static struct shared shared;
static struct status_view view;

static struct brood_status_slot *slot_record(uint32_t n)
{
	return shared_record(&shared, BROOD_STATUS_SLOTS, n);
}

static void open_page(void)
{
	cr_assert_eq(shared_create(4, 2, &shared), 0);
	cr_assert_eq(status_view_open(&view, shared.status, shared.status_size), 0);
}

Test(status, parts_do_not_overlap)
{
	const struct brood_status_part *p = NULL;
	char *last;

	open_page();
	for (int i = 0; i < BROOD_STATUS_PARTS; i++) {
		p = &view.head.part[i];
		cr_assert_geq(p->stride, p->size);
		/* records of STACKS lie between those of WORKERS */
		for (uint32_t k = 0; k < p->count; k++)
			memset((char *)shared.status + p->at + (size_t)k * p->stride, i + 1,
				p->size);
	}
	for (int i = 0; i < BROOD_STATUS_PARTS; i++) {
		p = &view.head.part[i];
		last = (char *)shared.status + p->at + (size_t)(p->count - 1) * p->stride +
			p->size - 1;
		cr_assert_eq(((char *)shared.status)[p->at], i + 1);
		cr_assert_eq(*last, i + 1);
		cr_assert_lt((size_t)(last - (char *)shared.status), shared.status_size);
	}
	/* and what the roles use is there */
	cr_assert_eq(*(char *)shared_slot_page(&shared, 3), BROOD_STATUS_WORKERS + 1);
	cr_assert_eq(*(char *)shared_answer(&shared, 3), BROOD_STATUS_STACKS + 1);
	cr_assert_eq(shared.reports_page->count, 0);
	cr_assert_eq(*(char *)reports_entry(shared.reports_page, 5), BROOD_STATUS_REPORTS + 1);
	cr_assert_eq(*(char *)shared_lease_page(&shared, 5), BROOD_STATUS_LEASES + 1);
	cr_assert_eq(*(char *)shared_stats_page(&shared, 1), BROOD_STATUS_COUNTS + 1);
	cr_assert_eq(status_view_pools(&view), 2);
	cr_assert_eq(status_view_slots(&view), 4);
}

Test(status, a_job_by_handoff)
{
	struct brood_status_slot *slot;
	struct status_worker w;

	open_page();
	slot = slot_record(2);
	status_begin(&slot->sequence);
	*slot = (struct brood_status_slot){ .sequence = slot->sequence,
		.state = BROOD_STATUS_BUSY,
		.pid = 77,
		.generation = 3,
		.pool = 1,
		.since_ns = 5,
		.jobs = 9,
		.job = 1234,
		.fn = 4321,
		.job_since_ns = 5,
		.name = "upper",
		.tag = "a\nb" };
	status_view_worker(&view, 2, &w);
	cr_assert(w.in_flux);
	status_end(&slot->sequence);
	status_view_worker(&view, 2, &w);
	cr_assert(!w.in_flux && w.runs && !w.leased);
	cr_assert_eq(w.job, 1234);
	cr_assert_eq(w.pid, 77);
	cr_assert_eq(w.pool, 1);
	cr_assert_str_eq(w.name, "upper");
	cr_assert_str_eq(w.tag, "a?b");
	status_view_worker(&view, 3, &w);
	cr_assert(!w.in_flux && !w.runs);
	status_view_worker(&view, 99, &w);
	cr_assert_eq(w.slot, 99);
}

Test(status, a_job_on_lease)
{
	struct brood_status_slot *slot;
	struct slot_page *said;
	struct status_worker w;

	open_page();
	slot = slot_record(1);
	said = shared_slot_page(&shared, 1);
	slot->state = BROOD_STATUS_LEASED;
	slot->lease = 7;
	slot->jobs = 20;
	slot->base = 100;
	shared_lease_page(&shared, 7)->entries[103 % RING_DEPTH].id = 555;
	shared_lease_page(&shared, 7)->published = 104;
	said->began_ns = 42;
	memset(said->name, 'x', sizeof said->name);
	said->word = SLOT_PAGE_WORD(103, SLOT_PAGE_RUNNING);
	status_view_worker(&view, 1, &w);
	cr_assert(!w.in_flux && w.runs && w.leased);
	cr_assert_eq(w.job, 555);
	cr_assert_eq(w.jobs, 22);
	cr_assert_eq(w.job_since_ns, 42);
	cr_assert_eq(strlen(w.name), sizeof w.name - 1);
	said->word = SLOT_PAGE_WORD(103, SLOT_PAGE_DONE);
	status_view_worker(&view, 1, &w);
	cr_assert(!w.runs);
	cr_assert_eq(w.jobs, 23);
	/* a number that the engine has not given has no id */
	said->word = SLOT_PAGE_WORD(105, SLOT_PAGE_RUNNING);
	status_view_worker(&view, 1, &w);
	cr_assert(w.runs && w.job == 0);
	/* a word from before the lease is no job of the lease's */
	said->word = SLOT_PAGE_WORD(100, SLOT_PAGE_RUNNING);
	status_view_worker(&view, 1, &w);
	cr_assert(!w.runs);
	cr_assert_eq(w.jobs, 20);
}

Test(status, sums_of_a_pool)
{
	struct brood_status_sums *one, sums;

	open_page();
	for (uint32_t k = 0; k < STATUS_SUMS; k++) {
		one = shared_record(&shared, BROOD_STATUS_SUMS, k * 2 + 1);
		one->used = k != 3;
		one->waiting = -2;
		status_add(&one->verdicts[BROOD_CRASHED][BROOD_DETAIL_STUCK], k, k % 2);
		status_time(&one->run, 1000 * k, k % 2);
	}
	status_view_sums(&view, 1, &sums);
	cr_assert_eq(sums.used, STATUS_SUMS - 1);
	cr_assert_eq(sums.waiting, -2 * (STATUS_SUMS - 1));
	cr_assert_eq(sums.verdicts[BROOD_CRASHED][BROOD_DETAIL_STUCK],
		STATUS_SUMS * (STATUS_SUMS - 1) / 2 - 3);
	cr_assert_eq(status_view_count(sums.run.buckets), STATUS_SUMS - 1);
	cr_assert_eq(sums.run.max_ns, 1000 * (STATUS_SUMS - 1));
	status_view_sums(&view, 0, &sums);
	cr_assert_eq(sums.used, 0);
}

/* ---- pages of somebody who means harm ---- */

static void read_all(const struct status_view *v)
{
	static struct brood_status_sums sums;
	struct brood_status_brood brood;
	struct brood_status_pool pool;
	struct brood_status_counts counts;
	struct status_worker worker;

	status_view_brood(v, &brood);
	for (uint32_t i = 0; i < status_view_pools(v) && i < 8; i++) {
		status_view_pool(v, i, &pool);
		status_view_counts(v, i, &counts);
		status_view_sums(v, i, &sums);
		status_view_quantile(sums.run.buckets, sums.run.max_ns, 0.5);
	}
	for (uint32_t i = 0; i < status_view_slots(v) && i < 8; i++)
		status_view_worker(v, i, &worker);
}

Test(status, wrong_heads)
{
	struct brood_status_head good;
	uint32_t *words = (uint32_t *)&good;

	open_page();
	good = *shared.status;
	cr_assert_eq(status_view_open(&view, shared.status, sizeof good - 1), -EBADMSG);
	cr_assert_eq(status_view_open(&view, shared.status, shared.status_size - 1), -EBADMSG);
	cr_assert_eq(status_view_open(&view, (char *)shared.status + 4, 4096), -EBADMSG);
	shared.status->version++;
	cr_assert_eq(status_view_open(&view, shared.status, shared.status_size), -EPROTO);
	shared.status->version--;
	shared.status->magic++;
	cr_assert_eq(status_view_open(&view, shared.status, shared.status_size), -EBADMSG);
	/* each word of the head with each of these: what opens can be read */
	for (size_t i = 0; i < sizeof good / sizeof *words; i++) {
		static const uint32_t bad[] = { 0, 1, 7, 8, 4096, 0x7fffffff, 0x80000000,
			0xfffffff8, 0xffffffff };

		for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
			*shared.status = good;
			((uint32_t *)shared.status)[i] = bad[k];
			if (status_view_open(&view, shared.status, shared.status_size) == 0)
				read_all(&view);
		}
	}
}

/* The pages of one record and of the whole page are at the end of readable memory. */
Test(status, noise)
{
	open_page();
	srand(1);
	for (int round = 0; round < 200; round++) {
		for (size_t at = sizeof *shared.status; at < shared.status_size; at += 8)
			if (rand() % 64 == 0)
				*(uint64_t *)(void *)((char *)shared.status +
					at) = (uint64_t)rand() << 33 ^ (uint64_t)rand();
		if (round % 2)
			((uint32_t *)shared.status)[rand() % (int)(sizeof *shared.status / 4)] ^= 1u
				<< rand() % 32;
		if (status_view_open(&view, shared.status, shared.status_size) == 0)
			read_all(&view);
	}
}

/* A later version: longer records, more parts. An earlier one: shorter records. */
Test(status, other_sizes)
{
	struct brood_status_brood brood;

	open_page();
	strcpy(((struct brood_status_brood *)shared_record(&shared, BROOD_STATUS_BROOD, 0))->name,
		"echo");
	shared.status->parts += 2;
	shared.status->size += 48;
	shared.status->part[BROOD_STATUS_BROOD].size += 64;
	cr_assert_eq(status_view_open(&view, shared.status, shared.status_size), 0);
	cr_assert(status_view_brood(&view, &brood));
	cr_assert_str_eq(brood.name, "echo");
	shared.status->part[BROOD_STATUS_BROOD].size = 16;
	cr_assert_eq(status_view_open(&view, shared.status, shared.status_size), 0);
	cr_assert(status_view_brood(&view, &brood));
	cr_assert_str_eq(brood.name, "");
}
