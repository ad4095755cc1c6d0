#!/bin/bash
# SPDX-License-Identifier: MIT
# journal.sh JOURNAL_SERVICE - tests what a service's journal has, under a real systemd: each event
# once, with its fields; and where the journal's socket is hidden, lines with the right priority.
# Without --inside the script boots a systemd (see boot; only root can). With --inside it is the
# check that runs there.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tools/lib.sh"

outside() {
	local name
	[ "$(id -u)" -eq 0 ] || skip_all "only root can boot a systemd in namespaces"
	[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
	unshare --mount --pid --fork --cgroup --net true 2>/dev/null ||
		skip_all "no namespaces here"
	cat >"$folder/native.service" <<-EOF
		[Service]
		Type=notify
		ExecStart=/usr/bin/journal-service
	EOF
	# The service cannot reach the journal's own socket, so its lines go over stderr.
	sed '/^Type=/aInaccessiblePaths=/run/systemd/journal/socket' "$folder/native.service" \
		>"$folder/stream.service"
	"$here/boot" 80 "$folder"/*.service "$1" -- "$here/journal.sh" --inside \
		2>"$folder/boot.err" >"$folder/boot.out"
	name=$?
	cat "$folder/boot.out"
	if [ $name -eq 125 ]; then
		skip_all "$(tail -n 1 "$folder/boot.err")"
	fi
	[ ! -s "$folder/boot.err" ] || say "$(cat "$folder/boot.err")"
	exit $name
}

within() {              # true as soon as the command is true
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

entries() { journalctl -q --no-pager -o json "$@"; }
count() { entries "$@" | grep -c .; }
has() { [ "$(count "$@")" -ge 1 ]; }
poke() { systemctl kill -s "$1" --kill-who=main native; }

once() {                # once NAME FIELD=VALUE...: one entry has all these fields
	local name=$1 seen
	shift
	within 10 has "$@"
	seen=$(count "$@")
	[ "$seen" -eq 1 ]
	ok $? "$name: one entry ($seen)"
}

check_native() {
	local main pid
	systemctl start native
	ok $? "the service starts"
	main=$(systemctl show native -p MainPID --value)
	poke USR1
	once "a job's line" -u native BROOD_EVENT=job-log PRIORITY=4 BROOD_FUNCTION=says \
		"BROOD_TAG=GET /a" BROOD_WORKER=0 SYSLOG_IDENTIFIER=journal-service _PID="$main"
	entries -u native BROOD_EVENT=job-log | grep -q '"BROOD_JOB":"[1-9]'
	ok $? "a job's line: the job's id"
	entries -u native BROOD_EVENT=job-log |
		grep -qE '"MESSAGE":"worker 0, job [0-9]+ says: \[GET /a\] said by a job"'
	ok $? "a job's line: worker, job and function are in the text"
	poke USR2
	once "a crash" -u native BROOD_EVENT=worker-died PRIORITY=4 BROOD_FUNCTION=crashes \
		"BROOD_TAG=GET /a" BROOD_WORKER=0 CODE_FILE=src/supervisor/death_log.c \
		CODE_FUNC=death_log_say BROOD_POOL=main
	entries -u native BROOD_EVENT=worker-died | grep -qE \
		'ended by SIGABRT in crashes \[GET /a\], job [0-9]+, (by handoff|on lease)'
	ok $? "a crash: the text has function, tag, job and path"

	touch /run/broken
	# the worker that is there ends in a job, and no other gets ready
	poke USR2
	once "degraded" -u native BROOD_EVENT=degraded PRIORITY=3 \
		MESSAGE_ID=099e62c3cda7494baa4f03dd20565988
	rm /run/broken
	once "recovered" -u native BROOD_EVENT=recovered PRIORITY=5 \
		MESSAGE_ID=bb37e12c86524033b78cd9061a7e1f84
	[ "$(count -u native -p err)" -eq 1 ]
	ok $? "one error in all: $(entries -u native -p err | tr '\n' ' ' | cut -c 1-300)"

	pid=$(pgrep -P "$main" -f 'journal-service' | head -n 1)
	for pid in $(pgrep -P "$main"); do
		case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *engine*) break ;; esac
	done
	kill -SEGV "$pid"
	once "the engine's death" -u native BROOD_EVENT=engine-died \
		MESSAGE_ID=37535a00c26d4e3baa5eb67b13d72fde BROOD_PID="$pid"
}

check_stream() {
	systemctl start stream
	ok $? "the service starts without the journal's socket"
	systemctl kill -s USR2 --kill-who=main stream
	within 10 has -u stream PRIORITY=4
	ok $? "the line of a crash has its priority"
	[ "$(entries -u stream PRIORITY=4 | grep -c '"MESSAGE":"worker 0 (pid')" -eq 1 ]
	ok $? "the text is the line alone: $(entries -u stream PRIORITY=4 | cut -c 1-300)"
	systemctl stop stream
}

inside() {
	check_native
	check_stream
	[ "$failures" -eq 0 ] || say "$(journalctl -q --no-pager -o short-monotonic | tail -n 40)"
	done_testing
}

if [ "$1" = --inside ]; then inside; else outside "$@"; fi
