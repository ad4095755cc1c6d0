/* SPDX-License-Identifier: MIT */
/*
 * control_path.c - see control_path.h. An absolute path is taken as it is. A plain file name is one
 * in the folder that systemd made for the unit, and named in RUNTIME_DIRECTORY (RuntimeDirectory=).
 * Nothing else is allowed: where a relative path leads, only the working directory of that moment
 * would say.
 */
#include "control_path.h"

#include "../engine/engine.h"

#include <stdlib.h>

#define FIELD "brood_start: options.control_path"

/* The first one of the folders, which stand with ":" between them. "": there is none. */
static size_t runtime_folder(const char **ret)
{
	const char *folders = secure_getenv("RUNTIME_DIRECTORY");

	*ret = folders ? folders : "";
	return strcspn(*ret, ":");
}

static int too_long(size_t length)
{
	engine_error(FIELD " makes a path of %zu bytes: a socket's has at most %d", length,
		LISTENING_PATH_MAX - 1);
	return -ENAMETOOLONG;
}

static int in_runtime_folder(const char *name, char path[LISTENING_PATH_MAX])
{
	const char *folder;
	size_t length = runtime_folder(&folder), all = length + 1 + strlen(name);

	if (length == 0) {
		engine_error(FIELD " is \"%s\", a name in the folder of RUNTIME_DIRECTORY, which "
				   "is not set: write RuntimeDirectory= into the systemd unit, or "
				   "give an absolute path",
			name);
		return -EINVAL;
	}
	if (folder[0] != '/') {
		engine_error("brood_start: RUNTIME_DIRECTORY is \"%.*s\", which is no absolute "
			     "path: unset it, or give an absolute options.control_path",
			(int)MIN(length, 100u), folder);
		return -EINVAL;
	}
	if (all >= LISTENING_PATH_MAX)
		return too_long(all);
	memcpy(path, folder, length);
	path[length] = '/';
	memcpy(path + length + 1, name, strlen(name) + 1);
	return 0;
}

static bool is_plain_name(const char *text)
{
	return *text && !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static int resolve(const char *text, char path[LISTENING_PATH_MAX])
{
	size_t length = strlen(text);

	if (is_plain_name(text))
		return in_runtime_folder(text, path);
	if (text[0] != '/' || text[length - 1] == '/') {
		engine_error(FIELD " is \"%.100s\": it wants an absolute path of a file, or a file "
				   "name in the folder of RUNTIME_DIRECTORY",
			text);
		return -EINVAL;
	}
	if (length >= LISTENING_PATH_MAX)
		return too_long(length);
	memcpy(path, text, length + 1);
	return 0;
}

int control_path_open(const char *control_path, struct listening *ret)
{
	char path[LISTENING_PATH_MAX];
	const char *what, *why;
	int r;

	*ret = (struct listening){ .fd = -1 };
	if (!control_path)
		return 0;
	r = resolve(control_path, path);
	if (r < 0)
		return r;
	r = listening_open(path, ret, &what);
	if (r < 0) {
		why = strerrordesc_np(-r);
		engine_error("brood_start: the control socket %s: %s (%s)", path, what,
			why ? why : "unknown error");
	}
	return r;
}
