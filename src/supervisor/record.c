/* SPDX-License-Identifier: MIT */
/*
 * record.c - job records: how they begin and end, and their fds. The records themselves were made
 * at the start (pool/records.c).
 */
#include "record.h"

const char *record_tag(const struct job *job)
{
	const struct message_job *m = &job->message;

	return m->tag_size ? (const char *)job->arg + m->arg_size - m->tag_size : "";
}

void record_begin(struct pool *pool, struct job *job, const struct message_job *m)
{
	job->pool = pool;
	job->message = *m;
	job->message.name[BROOD_NAME_MAX - 1] = '\0';
	job->is_lease = false;
	job->link.background = m->priority == BROOD_BACKGROUND;
	job->fds_count = 0;
	job->attempts = job->redispatched = 0;
	job->retries_left = m->retries;
	job->assigned_ns = 0;
	job->ran = job->replied = job->for_key = job->key_waited = false;
	job->slot = NULL;
	job->refused_ns = 0;
	list_init(&job->untold);
	list_init(&job->filed);
	job->files = 0;
	job->files_gone = false;
	job->carried = (struct job_carried){ .socket_fd = -1 };
	list_init(&job->carried.untold);
	timer_init(&job->queue_timer, NULL);
}

void record_take_fds(struct job *job, struct frame *f)
{
	for (; job->fds_count < f->fds_count && job->fds_count < ARRAY_SIZE(job->fds);
		job->fds_count++)
		job->fds[job->fds_count] = frame_take_fd(f, job->fds_count);
}

void record_close_fds(struct job *job)
{
	for (uint32_t i = 0; i < job->fds_count; i++)
		job->is_lease ? close_fd(job->fds[i]) : closing_fd(job->fds[i]);
	job->fds_count = 0;
}

static void uncount_files(struct job *job)
{
	job->pool->copies.held -= job->files;
	job->files = 0;
	list_remove(&job->filed);
}

void record_let_go_files(struct job *job)
{
	uncount_files(job);
	job->files_gone = true;
	while (job->fds_count > 0)
		close_fd(job->fds[--job->fds_count]);
}

/*
 * The socket that the job was given may be a client's. Its close never waits for unsent bytes,
 * whatever SO_LINGER says: the kernel sends them in its own time.
 */
void record_close_own_fds(struct job *job)
{
	uncount_files(job);
	if (job->fds_count > 0 && !job->message.carried)
		job->fds[0] = job->message.own_pair ? closing_pair_end(job->fds[0])
						    : closing_socket(job->fds[0]);
	record_close_fds(job);
}

bool record_reply_fits(const struct job *job, const struct message_finished *m)
{
	return m->arg_size <=
		(job->message.carried && !job->carried.has_socket ? MESSAGE_REPLY_MAX : 0);
}

/* The tag stays, behind the reply. */
static void keep_reply(struct job *job, const void *reply, uint32_t size)
{
	struct message_job *m = &job->message;

	memmove(job->arg + size, record_tag(job), m->tag_size);
	memcpy(job->arg, reply, size);
	job->carried.reply_size = size;
	m->arg_size = size + m->tag_size;
}

void record_take_so_far(struct job *job, const struct trace_page *page, uint64_t sequence)
{
	unsigned char copy[TRACE_REPLY];
	uint32_t size;

	if (!job->message.carried || job->carried.has_socket ||
		atomic_load(&page->reply_sequence) != sequence)
		return;
	size = atomic_load(&page->reply_size);
	if (size > sizeof copy)
		return;
	/* a worker that was killed and does not end may still write there */
	memcpy(copy, page->reply, size);
	if (atomic_load(&page->reply_sequence) == sequence)
		keep_reply(job, copy, size);
}

void record_take_reply(struct job *job, struct frame *f)
{
	record_close_own_fds(job);
	job->replied = true;
	if (f->finished.arg_size > 0)
		keep_reply(job, frame_rest(f), f->finished.arg_size);
	for (size_t i = 0; i < f->fds_count && i < BROOD_JOB_FDS_MAX && !f->fds_lost; i++)
		job->fds[job->fds_count++] = frame_take_fd(f, i);
}

void record_end(struct job *job)
{
	struct pool *pool = job->pool;
	struct supervisor *s = pool->supervisor;

	timer_stop(&s->loop, &job->queue_timer);
	list_remove(&job->filed); /* a verdict tells the engine, too, that the files are closed */
	records_tell(&pool->records, &job->link);
	note_pool(pool, NOTE_TELL | NOTE_GAUGES);
}

void record_end_lease(struct job *job, uint32_t how)
{
	job->grant.over.id = job->link.id;
	job->grant.over.how = how;
	record_close_fds(job);
	record_end(job);
}
