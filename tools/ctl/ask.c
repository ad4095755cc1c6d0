/* SPDX-License-Identifier: MIT */
/*
 * ask.c - the commands that change something: reload, resize, retire, kill, cancel, drain. The
 * supervisor does them (src/wire/control_request.h has what is sent), so the program need not be in
 * a call of the library. The status page says where the socket is. The path is looked up as the
 * supervisor sees it: the brood may be in a container, or in a root directory of its own.
 */
#include "ctl.h"
#include "json.h"
#include "words.h"

#include "../../src/wire/control_request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_S   10 /* the supervisor answers at once; under full load it may take a moment */
#define BUSY_TRIES 50 /* one each 100 ms, while others ask */

/* ---- the socket ---- */

static enum choose_exit no_socket(const struct look *look, int error, char why[CHOOSE_WHY_MAX])
{
	char path[WORDS_SHOWN_MAX];

	words_shown(path, look->brood.control, sizeof look->brood.control);
	switch (error) {
	case EACCES:
	case EPERM:
		snprintf(why, CHOOSE_WHY_MAX,
			"the control socket %s is for the user of the supervisor and for root: "
			"you are user %u; ask as that user, or as root",
			path, (unsigned)geteuid());
		return CHOOSE_DENIED;
	case ENOENT:
		snprintf(why, CHOOSE_WHY_MAX,
			"the control socket %s is gone: somebody has removed or moved it. The "
			"brood makes a new one at its next start",
			path);
		return CHOOSE_NO_SOCKET;
	case EAGAIN:
		snprintf(why, CHOOSE_WHY_MAX,
			"the supervisor does not answer at %s: brood-ctl check tells more", path);
		return CHOOSE_NO_SOCKET;
	default:
		snprintf(why, CHOOSE_WHY_MAX, "the control socket %s: %s", path, strerror(error));
		return CHOOSE_NO_SOCKET;
	}
}

/*
 * Opens the socket's file by O_PATH, which connects to nothing yet: so neither the length of the
 * path nor whose root directory it begins at matters from here on. Symbolic links on the way mean
 * what they mean to the supervisor. Returns the fd or -errno.
 */
static int open_path(const struct look *look)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT };
	char root[32];
	int folder, fd, error;

	snprintf(root, sizeof root, "/proc/%d/root", (int)look->page->supervisor);
	folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, folder, look->brood.control, &how, sizeof how);
	error = errno;
	close(folder);
	return fd < 0 ? -error : fd;
}

/* Returns a connected socket, or -errno. */
static int connect_to(const struct look *look)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = open_path(look), fd, error;

	if (file < 0)
		return file;
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", file);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
		connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
		close(file);
		return fd;
	}
	error = errno;
	close(file);
	if (fd >= 0)
		close(fd);
	return -error;
}

/* ---- one request ---- */

/*
 * The supervisor may answer before it reads, and close: then send() fails, and the reply lies there
 * all the same, behind one ECONNRESET.
 */
static int exchange(int fd, const struct control_request *request, struct control_reply *reply)
{
	const struct timeval patience = { .tv_sec = ANSWER_S + request->wait_ms / 1000 };
	char bytes[sizeof *reply + 1];
	ssize_t n;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
		return -errno;
	send(fd, request, sizeof *request, MSG_NOSIGNAL);
	do
		n = recv(fd, bytes, sizeof bytes, 0);
	while (n < 0 && (errno == ECONNRESET || errno == EINTR));
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	return control_request_check_reply(bytes, (size_t)n, reply);
}

static int ask_once(
	const struct look *look, const struct control_request *request, struct control_reply *reply)
{
	int fd = connect_to(look), r;

	if (fd < 0)
		return fd;
	r = exchange(fd, request, reply);
	close(fd);
	/* the brood has ended meanwhile, or its answer makes no sense: no socket's error */
	if (r == -ECONNRESET || r == -EPROTO) {
		reply->result = r;
		snprintf(reply->text, sizeof reply->text, "%s",
			r == -EPROTO ? "the answer makes no sense: take the tools of the library "
				       "that the program has"
				     : "the brood has ended before it answered");
		return 0;
	}
	return r;
}

static int ask(
	const struct look *look, const struct control_request *request, struct control_reply *reply)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	int r = ask_once(look, request, reply);

	for (int i = 0; i < BUSY_TRIES && r == 0 && reply->result == -EBUSY; i++) {
		nanosleep(&pause, NULL);
		r = ask_once(look, request, reply);
	}
	return r;
}

/* ---- what the user sees ---- */

static enum choose_exit exit_of(const struct control_reply *reply)
{
	switch (-reply->result) {
	case 0: return CHOOSE_FINE;
	case ENOENT: return CHOOSE_NONE;
	case EPERM: return CHOOSE_DENIED;
	case EPROTO: return CHOOSE_TROUBLE;
	default: return CHOOSE_NOT;
	}
}

static void put_json(const struct control_request *request, const struct control_reply *reply)
{
	struct json json = { .file = stdout };

	json_begin(&json, NULL, '{');
	json_text(&json, "schema", "brood-ctl/1");
	json_text(&json, "command", control_request_word(request->command));
	json_number(&json, "result", reply->result);
	json_text(&json, "text", reply->text);
	if (reply->id)
		json_count(&json, "reload", reply->id);
	json_end(&json, '}');
	putchar('\n');
}

static enum choose_exit tell(const struct request *r, const struct control_request *request,
	const struct control_reply *reply)
{
	char shown[WORDS_SHOWN_MAX];
	enum choose_exit code = exit_of(reply);

	words_shown(shown, reply->text, sizeof reply->text);
	if (r->json)
		put_json(request, reply);
	else if (code == CHOOSE_FINE)
		puts(shown);
	return code == CHOOSE_FINE || r->json ? code : ctl_fail(code, "%s", shown);
}

static enum choose_exit ask_and_tell(
	const struct request *r, const struct look *look, struct control_request *request)
{
	struct control_reply reply = { 0 };
	char why[CHOOSE_WHY_MAX];
	enum choose_exit code;
	int error;

	if (!look->brood.control[0])
		return ctl_fail(CHOOSE_NO_SOCKET,
			"this brood has no control socket: its program sets no control_path at "
			"brood_start(3)");
	request->magic = CONTROL_MAGIC;
	request->version = CONTROL_VERSION;
	request->size = sizeof *request;
	error = ask(look, request, &reply);
	if (error == 0)
		return tell(r, request, &reply);
	code = no_socket(look, -error, why);
	return ctl_fail(code, "%s", why);
}

/* ---- words of the command line ---- */

/* False: it is no whole number up to `most`. */
static bool number(const char *word, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(word, &end, 10);
	return *word >= '0' && *word <= '9' && !*end && errno == 0 && *ret <= most;
}

/* Puts the name of the pool, which is named by name or number, into the request. */
static enum choose_exit put_pool(
	const struct look *look, const char *word, struct control_request *request)
{
	int pool = look_pool_number(look, word);
	char why[CHOOSE_WHY_MAX];

	if (pool < 0) {
		ctl_no_pool(look, word, why);
		return ctl_fail(CHOOSE_NONE, "%s", why);
	}
	snprintf(request->pool, sizeof request->pool, "%s", look->pool[pool].setup.name);
	return CHOOSE_FINE;
}

/* The words behind the command become fields of the request. */
static enum choose_exit parse(
	const struct request *r, const struct look *look, struct control_request *request)
{
	uint64_t min = 0, max = 0;

	switch (request->command) {
	case CONTROL_RELOAD:
		request->wait_ms = r->wait_s > 0 ? (uint32_t)(r->wait_s * 1000) : 0;
		return r->count > 0 ? put_pool(look, r->words[0], request) : CHOOSE_FINE;
	case CONTROL_RESIZE:
		if (r->count < 2 || !number(r->words[1], UINT32_MAX, &min) ||
			!number(r->words[r->count - 1], UINT32_MAX, &max) || max < 1 || min > max)
			return ctl_wrong("\"resize\" wants POOL MIN [MAX]: numbers of workers, MAX "
					 "at least 1 and not below MIN");
		request->min = (uint32_t)min;
		request->max = (uint32_t)max;
		return put_pool(look, r->words[0], request);
	case CONTROL_RETIRE:
	case CONTROL_KILL:
		if (r->count < 1 || !number(r->words[0], UINT32_MAX, &min))
			return ctl_wrong("\"%s\" wants SLOT, a number that brood-ctl workers shows",
				control_request_word(request->command));
		request->slot = (uint32_t)min;
		return CHOOSE_FINE;
	case CONTROL_CANCEL:
		if (r->count < 1 || !number(r->words[0], UINT64_MAX, &request->job) ||
			request->job == 0)
			return ctl_wrong(
				"\"cancel\" wants JOB, an id that brood-ctl workers shows");
		return CHOOSE_FINE;
	default: return CHOOSE_FINE;
	}
}

static enum choose_exit run(const struct request *r, enum control_command command)
{
	struct control_request request = { .command = command };
	struct status_page page;
	struct look look;
	int pool;
	enum choose_exit code;

	if (r->pool)
		return ctl_wrong("\"%s\" has no --pool: name the pool behind the command, where it "
				 "is about one",
			control_request_word(command));
	if (r->wait_s > UINT32_MAX / 1000)
		return ctl_wrong("--wait is too long");
	code = ctl_look(r, &page, &look, &pool);
	if (code != CHOOSE_FINE)
		return code;
	code = parse(r, &look, &request);
	if (code == CHOOSE_FINE)
		code = ask_and_tell(r, &look, &request);
	ctl_done(&page, &look);
	return code;
}

enum choose_exit ctl_reload(const struct request *r) { return run(r, CONTROL_RELOAD); }
enum choose_exit ctl_resize(const struct request *r) { return run(r, CONTROL_RESIZE); }
enum choose_exit ctl_retire(const struct request *r) { return run(r, CONTROL_RETIRE); }
enum choose_exit ctl_kill(const struct request *r) { return run(r, CONTROL_KILL); }
enum choose_exit ctl_cancel(const struct request *r) { return run(r, CONTROL_CANCEL); }
enum choose_exit ctl_drain(const struct request *r) { return run(r, CONTROL_DRAIN); }
