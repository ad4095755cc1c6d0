/* conformance_bytes.c - what goes to a job and comes back: requests and replies of any size, arguments, pieces, the job's socket; on every path. Fds, progress and plugins: conformance_extras.c. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define MIB ((size_t)1 << 20)

static unsigned char byte_at(size_t i, size_t salt) { return (unsigned char)((i * 2654435761u + salt * 40503u) >> 9); }

static unsigned char *pattern(size_t size, size_t salt)
{
	unsigned char *p = malloc(size + 1);

	CHECK(p);
	for (size_t i = 0; i < size; i++)
		p[i] = byte_at(i, salt);
	return p;
}

static uint64_t sum_of(const unsigned char *data, size_t size)
{
	uint64_t sum = 1469598103934665603u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ data[i]) * 1099511628211u;
	return sum;
}

/* ---- sizes ---- */

static int reads_all_then_replies(struct brood_job *job)
{
	size_t room = (size_t)said(job)->number;
	unsigned char *data = malloc(room + 1);
	ssize_t n = brood_job_read_all(job, data, room + 1);
	int code = n == (ssize_t)room && brood_job_reply(job, data, (size_t)n) == n ? 0 : 1;

	free(data);
	return code;
}

static void echo_of(struct site *s, brood_fn *fn, const char *name, size_t size)
{
	unsigned char *request = pattern(size, size);
	struct given *g = finish(give(s, &(struct what){ .fn = fn, .name = name, .request = request, .size = size, .room = size + 1, .number = (long)size }));

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_MSG(g->reply_size == size, "%s, %s: %zu of %zu", way_names[s->way], name, g->reply_size, size);
	CHECK_MEM(g->reply, request, size);
	if (site_is(s, BYTES))
		CHECK_EQ(g->v.reply_size, size);
	free(request);
}

static void sizes(struct site *s)
{
	static const size_t list[] = { 0, 1, 63, 64, 65, 1000, 4095, 4096, 4097, 32768, 65535, 65536, 65537, 131072, 212960, 262143, 524288, 524289, MIB - 1, MIB, MIB + 7, 5 * MIB + 1 };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		echo_of(s, job_echo, "job_echo", list[i]);
		echo_of(s, reads_all_then_replies, "reads_all_then_replies", list[i]);
	}
}
CASE(sizes, EVERYWHERE)

/* More in flight than there is room for beside each other, of any size. */
static void many_sizes(struct site *s)
{
	unsigned char *requests[40];
	struct given *g[40];
	size_t size[40];

	for (int i = 0; i < 40; i++) {
		size[i] = i % 8 == 7 ? 300000 + (size_t)i : i % 2 ? 65536 - (size_t)i : (size_t)i * 777;
		requests[i] = pattern(size[i], (size_t)i);
		g[i] = GIVE(s, reads_all_then_replies, .request = requests[i], .size = size[i], .number = (long)size[i], .options.queue_ms = 60000);
	}
	for (int i = 0; i < 40; i++) {
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g[i]->reply_size, size[i]);
		CHECK_MEM(g[i]->reply, requests[i], size[i]);
		free(requests[i]);
	}
}
CASE(many_sizes, EVERYWHERE, .workers = 3)

/* The reply is the sum of what was written. */
static int writes_in_bits(struct brood_job *job)
{
	long total = said(job)->number, step = 0;
	unsigned char bits[5000];

	for (long at = 0; at < total; at += step) {
		step = 1 + at % 4999;
		if (step > total - at)
			step = total - at;
		for (long i = 0; i < step; i++)
			bits[i] = byte_at((size_t)(at + i), 3);
		if (brood_job_write(job, bits, (size_t)step) != step)
			return 1;
	}
	return brood_job_write(job, bits, 0) != 0;
}

static void large_replies(struct site *s)
{
	static const size_t list[] = { 10, 70000, 600000, 3 * MIB };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct given *g = RUN(s, writes_in_bits, .number = (long)list[i], .room = list[i]);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->reply_size, list[i]);
		for (size_t k = 0; k < list[i]; k += k > 100 ? 101 : 1)
			CHECK_EQ((unsigned char)g->reply[k], byte_at(k, 3));
	}
}
CASE(large_replies, EVERYWHERE)

/* More than the caller has room for: the beginning, and how much it would have been. */
static void small_room(struct site *s)
{
	static const size_t list[] = { 100, 65536, 70000, 2 * MIB };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct given *g = RUN(s, writes_in_bits, .number = (long)list[i], .room = 60);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->n, -EMSGSIZE);
		CHECK_EQ(g->v.reply_size, list[i]);
		for (size_t k = 0; k < 60; k++)
			CHECK_EQ((unsigned char)g->reply[k], byte_at(k, 3));
	}
}
/* Only a call brings a buffer of its own. */
CASE(small_room, CALLS)

/* ---- reading ---- */

static int reads_in_bits(struct brood_job *job)
{
	unsigned char bits[300];
	size_t at = 0;
	ssize_t n;

	if (brood_job_read(job, bits, 0) != 0)
		return 1;
	while ((n = brood_job_read(job, bits, 1 + at % sizeof bits)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (bits[i] != byte_at(at, 9))
				return 2;
	if (n != 0 || (long)at != said(job)->number)
		return 3;
	return brood_job_read(job, bits, sizeof bits) != 0 || brood_job_read_all(job, bits, sizeof bits) != 0;
}
static int reads_half(struct brood_job *job)
{
	char c[10];

	return brood_job_read_all(job, c, sizeof c) == 10 ? 0 : 1;
}
static int reads_none(struct brood_job *job) { return brood_job_reply(job, "no", 2) == 2 ? 0 : 1; }

static void reads(struct site *s)
{
	static const size_t list[] = { 0, 11, 5000, 66000, MIB + 1 };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		unsigned char *request = pattern(list[i], 9);

		expect(RUN(s, reads_in_bits, .request = request, .size = list[i], .number = (long)list[i]), BROOD_DONE, BROOD_DETAIL_NONE);
		if (list[i] >= 10)
			expect(RUN(s, reads_half, .request = request, .size = list[i]), BROOD_DONE, BROOD_DETAIL_NONE);
		expect(RUN(s, reads_none, .request = request, .size = list[i]), BROOD_DONE, BROOD_DETAIL_NONE);
		free(request);
	}
	site_well(s);
}
CASE(reads, EVERYWHERE)

/* While it still reads it may write, more than any buffer holds. */
static int answers_each(struct brood_job *job)
{
	unsigned char block[1000], answer[1500];
	ssize_t n;

	while ((n = brood_job_read_all(job, block, sizeof block)) > 0) {
		memset(answer, block[0], sizeof answer);
		if (brood_job_write(job, answer, sizeof answer) != (ssize_t)sizeof answer)
			return 1;
	}
	return n == 0 ? 0 : 2;
}
static void talks(struct site *s)
{
	unsigned char *request = pattern(MIB, 4);
	struct given *g = RUN(s, answers_each, .request = request, .size = 700000, .room = 2 * MIB);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->reply_size, 700 * 1500);
	for (size_t i = 0; i < 700; i++)
		CHECK_EQ((unsigned char)g->reply[i * 1500 + 7], request[i * 1000]);
	free(request);
}
CASE(talks, EVERYWHERE)

/* After the reply its writing side has ended. */
static int writes_after_reply(struct brood_job *job)
{
	if (brood_job_reply(job, "all", 3) != 3)
		return 1;
	return brood_job_write(job, "more", 4) < 0 ? 0 : 2;
}
static void reply_ends(struct site *s)
{
	struct given *g = RUN(s, writes_after_reply);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->reply_size, 3);
	CHECK_MEM(g->reply, "all", 3);
}
CASE(reply_ends, EVERYWHERE)

/* ---- the request where it lies ---- */

static int sums_request(struct brood_job *job)
{
	size_t size = 1;
	const unsigned char *request = brood_job_request(job, &size);
	uint64_t sum;
	char c;

	if (!request)
		return 1;
	if ((long)size != said(job)->number || brood_job_request_size(job) != size)
		return 2;
	sum = sum_of(request, size);
	if (brood_job_read(job, &c, 1) != 0)
		return 3;
	usleep(1000);
	return sum == sum_of(request, size) && brood_job_reply(job, &sum, sizeof sum) == sizeof sum ? 0 : 4;
}
static int sends_request_back(struct brood_job *job)
{
	size_t size;
	const void *request = brood_job_request(job, &size);

	return request && brood_job_reply(job, request, size) == (ssize_t)size ? 0 : 1;
}
static int asks_too_late(struct brood_job *job)
{
	size_t size = 7;
	char c;

	if (brood_job_read(job, &c, 1) != 1)
		return 1;
	errno = 0;
	return brood_job_request(job, &size) == NULL && errno == EINVAL && size == 7 && brood_job_read(job, &c, 1) == 1 && c == 'b' ? 0 : 2;
}
static int asks_after_all(struct brood_job *job)
{
	char all[3];

	if (brood_job_read_all(job, all, sizeof all) != sizeof all)
		return 1;
	errno = 0;
	return brood_job_request(job, NULL) == NULL && errno == EINVAL ? 0 : 2;
}

static void in_place(struct site *s)
{
	static const size_t list[] = { 0, 1, 100, 65536, 65537, 300000, MIB + 5 };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		unsigned char *request = pattern(list[i], i);
		struct given *g = RUN(s, sums_request, .request = request, .size = list[i], .number = (long)list[i]);
		uint64_t sum;

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->reply_size, sizeof sum);
		memcpy(&sum, g->reply, sizeof sum);
		CHECK(sum == sum_of(request, list[i]));
		echo_of(s, sends_request_back, "sends_request_back", list[i]);
		free(request);
	}
	expect(RUN(s, asks_too_late, .request = "abc", .size = 3), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN(s, asks_after_all, .request = "abc", .size = 3), BROOD_DONE, BROOD_DETAIL_NONE);
}
/* A conversation has no whole request: below. */
CASE(in_place, BYTES)

static int has_no_request(struct brood_job *job)
{
	size_t size = 7;
	char text[3];

	errno = 0;
	if (brood_job_request(job, &size) != NULL || errno != EINVAL || size != 7)
		return 1;
	return brood_job_request_size(job) == BROOD_SIZE_UNKNOWN && brood_job_read_all(job, text, 3) == 3 ? 0 : 2;
}
static void no_request(struct site *s)
{
	expect(RUN(s, has_no_request, .request = "abc", .size = 3), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(no_request, STREAMS)

/* ---- the argument ---- */

static int echoes_arg(struct brood_job *job)
{
	size_t size;
	const void *arg = brood_job_arg(job, &size);

	if ((uintptr_t)arg % _Alignof(max_align_t) || brood_job_arg(job, NULL) != arg)
		return 1;
	return brood_job_reply(job, arg, size) == (ssize_t)size ? 0 : 2;
}

static void arguments(struct site *s)
{
	unsigned char *arg = pattern(BROOD_ARG_MAX + 1, 5);

	for (size_t size = 1; size <= BROOD_ARG_MAX; size = size < 4 ? size + 1 : size == 768 ? BROOD_ARG_MAX : size * 2 > BROOD_ARG_MAX ? BROOD_ARG_MAX + 1 : size * 2) {
		struct given *g = RUN(s, echoes_arg, .request = "beside it", .size = 9, .options = { .arg = arg, .arg_size = size });

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->reply_size, size);
		CHECK_MEM(g->reply, arg, size);
	}
	free(arg);
}
CASE(arguments, EVERYWHERE)

static void too_large_an_argument(struct site *s)
{
	unsigned char *arg = pattern(BROOD_ARG_MAX + 1, 5);
	struct given *g = RUN(s, echoes_arg, .refusable = true, .options = { .arg = arg, .arg_size = BROOD_ARG_MAX + 1 });

	CHECK_EQ(site_is(s, CALLS) ? g->n : g->error, -EINVAL);
	free(arg);
	site_well(s);
}
CASE(too_large_an_argument, EVERYWHERE)

/* ---- pieces ---- */

static void in_pieces(struct site *s)
{
	static const size_t counts[] = { 0, 1, 2, 3, 100, 1024 }, steps[] = { 1, 70, 1500 };
	unsigned char *whole = pattern(1024 * 1500, 8);
	struct iovec pieces[1025];

	for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++)
		for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
			struct given *g;
			size_t at = 0;

			for (size_t i = 0; i < counts[c]; i++) {       /* some of them empty */
				pieces[i] = (struct iovec){ .iov_base = whole + at, .iov_len = i % 5 == 3 ? 0 : steps[k] };
				at += pieces[i].iov_len;
			}
			g = RUN(s, job_echo, .pieces = pieces, .pieces_count = counts[c], .room = 2 * MIB);
			expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
			CHECK_EQ(g->reply_size, at);
			CHECK_MEM(g->reply, whole, at);
		}
	for (size_t i = 0; i < 1025; i++)
		pieces[i] = (struct iovec){ .iov_base = whole, .iov_len = 1 };
	CHECK_EQ(site_is(s, CALLS) ? RUN(s, job_echo, .pieces = pieces, .pieces_count = 1025)->n
	                           : RUN(s, job_echo, .pieces = pieces, .pieces_count = 1025, .refusable = true)->error, -EINVAL);
	free(whole);
}
CASE(in_pieces, BYTES)

/* ---- the job's socket ---- */

static int has_socket(struct brood_job *job)
{
	int fd = brood_job_fd(job), type = 0;
	socklen_t size = sizeof type;
	char c;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM || (fcntl(fd, F_GETFL) & O_NONBLOCK))
		return 1;
	if (recv(fd, &c, 1, 0) != 1 || send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		return 2;
	return brood_job_read(job, &c, 1) == 1 && brood_job_write(job, &c, 1) == 1 && brood_job_fd(job) == fd ? 0 : 3;
}
static int has_no_socket(struct brood_job *job)
{
	return brood_job_fd(job) == -ENOTSOCK && brood_job_take_fd(job) == -ENOTSOCK && brood_job_reply(job, "xy", 2) == 2 ? 0 : 1;
}

static void socket_or_not(struct site *s)
{
	struct given *g = site_is(s, RING) ? RUN(s, has_no_socket) : RUN(s, has_socket, .request = "xy", .size = 2);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, 0);
	CHECK_EQ(g->reply_size, 2);
	CHECK_MEM(g->reply, "xy", 2);
}
/* The ring has none: bytes lie in memory. */
CASE(socket_or_not, EVERYWHERE)

static int closes_socket(struct brood_job *job) { return close(brood_job_fd(job)); }
static int replaces_socket(struct brood_job *job)
{
	int fd = brood_job_fd(job);

	return close(fd) < 0 || dup2(1, fd) != fd || close(fd) < 0;
}
static int takes_socket(struct brood_job *job) { return brood_job_write(job, "mine", 4) != 4 || brood_job_take_fd(job) < 0; }

static void socket_closed(struct site *s)
{
	struct given *g;

	for (int i = 0; i < 3; i++) {
		g = RUN(s, closes_socket, .request = "abc", .size = 3);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.left, 0);
		g = RUN(s, replaces_socket, .request = "abc", .size = 3);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.left, 0);
		site_well(s);
	}
	g = RUN(s, takes_socket, .no_eof = true);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, BROOD_LEFT_FDS);
	CHECK_EQ(g->reply_size, 4);
	CHECK_MEM(g->reply, "mine", 4);
}
CASE(socket_closed, HANDOFF | LINK)
