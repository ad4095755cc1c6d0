/* SPDX-License-Identifier: MIT */
/*
 * peer_script.c - pools of scripting languages. A script reads a number of jobs, does them with so
 * many out as its second argument says, checks each answer, and says "ok".
 */
#include "peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define READY_S 60

static const char python[] =
	"import sys, concurrent.futures as f\n"
	"workers, out = int(sys.argv[1]), int(sys.argv[2])\n"
	"def echo(data): return data\n"
	"if __name__ == '__main__':\n"
	"    with f.ProcessPoolExecutor(workers) as pool:\n"
	"        def run(jobs):\n"
	"            given, open = 0, {}\n"
	"            while given < jobs or open:\n"
	"                while given < jobs and len(open) < out:\n"
	"                    data = b'%016d' % given\n"
	"                    open[pool.submit(echo, data)] = data\n"
	"                    given += 1\n"
	"                if out == 1:\n"
	"                    done = list(open)\n"
	"                else:\n"
	"                    done = f.wait(open, return_when=f.FIRST_COMPLETED).done\n"
	"                for future in done:\n"
	"                    if future.result() != open.pop(future): sys.exit(1)\n"
	"        run(workers * 4)\n"
	"        print('ready', flush=True)\n"
	"        for line in sys.stdin:\n"
	"            run(int(line))\n"
	"            print('ok', flush=True)\n";

static const char node[] =
	"const { spawn } = require('child_process');\n"
	"const workers = +process.argv[1], out = +process.argv[2];\n"
	"const worker = 'process.on(\"message\", m => process.send(m));' +\n"
	"  'process.on(\"disconnect\", () => process.exit(0));';\n"
	"const pool = [], idle = [], waiting = [], sent = new Map();\n"
	"let given = 0, finished = 0, jobs = 0;\n"
	"function put(child) {\n"
	"  const number = waiting.shift();\n"
	"  const data = String(number).padStart(16, '0');\n"
	"  sent.set(child, data);\n"
	"  child.send(data);\n"
	"}\n"
	"function fill() {\n"
	"  while (given < jobs && given - finished < out) waiting.push(given++);\n"
	"  while (idle.length && waiting.length) put(idle.pop());\n"
	"}\n"
	"function answer(child, data) {\n"
	"  if (data !== sent.get(child)) process.exit(1);\n"
	"  finished++;\n"
	"  idle.push(child);\n"
	"  if (finished === jobs) process.stdout.write('ok\\n');\n"
	"  fill();\n"
	"}\n"
	"for (let i = 0; i < workers; i++) {\n"
	"  const child = spawn(process.execPath, ['-e', worker],\n"
	"    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });\n"
	"  child.on('message', data => answer(child, data));\n"
	"  pool.push(child); idle.push(child);\n"
	"}\n"
	"let text = '';\n"
	"process.stdin.on('data', part => {\n"
	"  text += part;\n"
	"  for (let end; (end = text.indexOf('\\n')) >= 0; text = text.slice(end + 1)) {\n"
	"    given = finished = 0; jobs = +text.slice(0, end); fill();\n"
	"  }\n"
	"});\n"
	"process.stdin.on('end', () => process.exit(0));\n"
	"process.stdout.write('ready\\n');\n";

static struct peer_server server;
static const char *peer;

static void expect(const char *wanted)
{
	char line[16] = "";

	for (size_t have = 0; have < sizeof line - 1; have++) {
		ssize_t n = recv(server.fd, line + have, 1, 0);

		if (n != 1)
			station_fail("%s: it %s", peer,
				n < 0 && errno == EAGAIN ? "gave no answer in time" : "ended");
		if (line[have] == '\n')
			break;
	}
	line[strcspn(line, "\n")] = 0;
	if (strcmp(line, wanted))
		station_fail("%s: \"%s\" where \"%s\" was due", peer, line, wanted);
}

static void script_open(
	const struct params *p, const char *name, const char *option, const char *script)
{
	const struct timeval bound = { .tv_sec = READY_S };
	char path[512], workers[16], out[16];
	char *argv[] = { path, (char *)(uintptr_t)option, (char *)(uintptr_t)script, workers, out,
		NULL };

	peer = name;
	if (!peer_server_find(name, path, sizeof path))
		station_skip("not installed");
	snprintf(workers, sizeof workers, "%u", p->workers);
	snprintf(out, sizeof out, "%u", p->out);
	peer_server_start(&server, argv);
	station_need(!setsockopt(server.fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound),
		"SO_RCVTIMEO");
	expect("ready");
}

static void python_open(const struct params *p) { script_open(p, "python3", "-c", python); }
static void node_open(const struct params *p) { script_open(p, "node", "-e", node); }

static void script_block(const struct params *p, uint32_t jobs, double *values)
{
	uint64_t began = now_ns();
	char text[16];
	int length = snprintf(text, sizeof text, "%u\n", jobs);

	(void)p;
	if (send(server.fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		station_fail("%s: it ended", peer);
	expect("ok");
	values[0] = us_each(now_ns() - began, jobs);
}

static void script_close(void) { peer_server_end(&server); }

const struct kind peer_python = { python_open, script_block, script_close };
const struct kind peer_node = { node_open, script_block, script_close };
