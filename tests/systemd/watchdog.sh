#!/bin/bash
# SPDX-License-Identifier: MIT
# watchdog.sh STUCK [ROUNDS] - tests the watchdog under a real systemd: engines that get stuck, each
# ROUNDS times (1), and engines that are well. Without --inside the script boots a systemd (see
# boot; only root can). With --inside it is the check that runs there.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tools/lib.sh"

# WatchdogSec= of the units, in microseconds
interval=2000000

unit() {                # unit WAY: prints it
	cat <<-END
		[Service]
		Type=notify
		ExecStart=/usr/bin/stuck $1
		WatchdogSec=${interval}us
		TimeoutAbortSec=10
		KillMode=mixed
		OOMPolicy=continue
		LimitCORE=0
		Restart=no
	END
}

outside() {
	local way code
	[ "$(id -u)" -eq 0 ] || skip_all "only root can boot a systemd in namespaces"
	[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
	unshare --mount --pid --fork --cgroup --net true 2>/dev/null ||
		skip_all "no namespaces here"
	for way in stopped spins never idle slow; do
		unit $way >"$folder/$way.service"
	done
	"$here/boot" $((60 + 25 * $2)) "$folder"/*.service "$1" -- "$here/watchdog.sh" --inside \
		"$2" 2>"$folder/boot.err" >"$folder/boot.out"
	code=$?
	cat "$folder/boot.out"
	if [ $code -eq 125 ]; then
		skip_all "$(tail -n 1 "$folder/boot.err")"
	fi
	[ ! -s "$folder/boot.err" ] || say "$(cat "$folder/boot.err")"
	exit $code
}

show() { systemctl show "$1" -p "$2" --value; }
is() { [ "$(show "$1" "$2")" = "$3" ]; }
# By the program's name: the journal does not always know the unit of a process that wrote and died.
said() { journalctl -q --no-pager -o cat -t stuck --since "@$since" "$@"; }

within() {              # true as soon as the command is true
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

# From getting stuck to the end of the main process, in microseconds.
took() {
	local ended
	ended=$(show "$1" ExecMainExitTimestampMonotonic)
	echo $((ended - $(cat /run/stuck 2>/dev/null || echo 0)))
}

# gets_stuck WAY: systemd sees it within the interval (and a second for the end of all processes),
# and the journal tells of each slot.
gets_stuck() {
	local us before=$failures
	since=$(date +%s.%N)
	rm -f /run/stuck
	systemctl reset-failed "$1" 2>/dev/null
	systemctl start "$1"
	ok $? "$1: starts"
	within 15 is "$1" ActiveState failed
	is "$1" Result watchdog
	ok $? "$1: Result=watchdog: $(show "$1" Result)"
	us=$(took "$1")
	[ "$us" -gt 0 ] && [ "$us" -lt $((interval + 1000000)) ]
	ok $? "$1: within the interval: $us us"
	journalctl --sync
	said _TRANSPORT=journal PRIORITY=3 |
		grep -q '^SIGABRT in the supervisor (pid [0-9]*) from process 1;'
	ok $? "$1: the supervisor has last words"
	said | grep -q '^worker [0-9]* (pid [0-9]*): job [0-9]* holds, for [0-9]* ms'
	ok $? "$1: one of them about the worker that has a job"
	said | grep -q '^worker [0-9 to]*: idle'
	ok $? "$1: and about those that have none"
	case $1 in
	stopped) said | grep -q 'is stopped by a signal: .*watchdog is not fed' ;;
	spins) said | grep -q 'does not answer: one of its threads runs without ever' ;;
	never) said | grep -q 'does not answer: work that is done waits for it' ;;
	esac
	ok $? "$1: and what is wrong was said before"
	[ "$failures" -eq "$before" ] || say "$(journalctl -q --no-pager -o short-monotonic \
		--since "@${since%.*}" | tail -n 60)"
}

# is_well WAY: fed for ten intervals.
is_well() {
	is "$1" ActiveState active && is "$1" NRestarts 0 && is "$1" Result success
	ok $? "$1: runs as before, after ten intervals"
	[ "$(show "$1" WatchdogTimestampMonotonic)" -gt $(($(now_us) - interval)) ]
	ok $? "$1: and is fed still"
	systemctl stop "$1"
	ok $? "$1: stops"
}

now_us() { awk '{ printf "%d", $1 * 1000000 }' /proc/uptime; }

inside() {
	local began=$SECONDS round
	systemctl start idle && systemctl start slow
	ok $? "idle and slow: start"
	for ((round = 1; round <= $1; round++)); do
		gets_stuck stopped
		gets_stuck spins
		gets_stuck never
	done
	while [ $((SECONDS - began)) -le $((10 * interval / 1000000)) ]; do
		sleep 0.2
	done
	is_well idle
	is_well slow
	done_testing
}

if [ "$1" = --inside ]; then inside "$2"; else outside "$1" "${2:-1}"; fi
