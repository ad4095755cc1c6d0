#!/bin/bash
# SPDX-License-Identifier: MIT
# delegate.sh ECHO_SERVER - cgroups under a real systemd: units with Delegate=, of root and of
# another user; one without; one whose main process is killed. Without --inside the script boots a
# systemd (see boot; only root can). With --inside it is the check that runs there.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tools/lib.sh"

unit() {                # unit NAME LINE...
	local name=$1
	shift
	{
		printf '[Service]\nType=notify\nNotifyAccess=main\nKillMode=mixed\n'
		printf 'ExecStart=/usr/bin/echo-server --tcp 7007 -w 4\n'
		printf '%s\n' "$@"
	} >"$folder/$name.service"
}

outside() {
	local code
	[ "$(id -u)" -eq 0 ] || skip_all "only root can boot a systemd in namespaces"
	[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
	unshare --mount --pid --fork --cgroup --net true 2>/dev/null ||
		skip_all "no namespaces here"
	unit delegated Delegate=yes
	unit users Delegate=yes User=nobody
	unit plain
	unit orphans Delegate=yes KillMode=process Restart=no
	"$here/boot" 100 "$folder"/*.service "$1" -- "$here/delegate.sh" --inside \
		2>"$folder/boot.err" >"$folder/boot.out"
	code=$?
	cat "$folder/boot.out"
	[ $code -ne 125 ] || skip_all "$(tail -n 1 "$folder/boot.err")"
	[ ! -s "$folder/boot.err" ] || say "$(cat "$folder/boot.err")"
	exit $code
}

show() { systemctl show "$1" -p "$2" --value; }

within() {              # true as soon as the command is true
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

talk() {                # prints the server's answer
	local answer
	exec 3<>/dev/tcp/127.0.0.1/7007 || return 1
	printf '%s\n' "$1" >&3
	IFS= read -r -t 10 answer <&3
	exec 3>&-
	printf '%s' "$answer"
}

folder_of() { echo "/sys/fs/cgroup$(show "$1" ControlGroup)"; }
how_many() { wc -l <"$1/cgroup.procs"; }
is_empty() { [ ! -e "$1" ] || [ "$(how_many "$1")" -eq 0 ]; }
has_4() { [ "$(how_many "$1/brood-pool-main")" -eq 4 ]; }

start() {
	systemctl start "$1"
	ok $? "$1: READY=1 arrives"
	[ "$(talk "hello $1")" = "hello $1" ]
	ok $? "$1: echoes"
}

stop() {
	local group
	group=$(folder_of "$1")
	systemctl stop "$1"
	ok $? "$1: stops"
	within 5 [ ! -e "$group" ]
	ok $? "$1: leaves no cgroup"
}

below() {               # the unit's processes are below its cgroup
	local group main
	group=$(folder_of "$1")
	main=$(show "$1" MainPID)
	[ "$(how_many "$group")" -eq 0 ]
	ok $? "$1: no process is in the unit's own cgroup"
	grep -qx "$main" "$group/brood-supervisor/cgroup.procs"
	ok $? "$1: the main process is in brood-supervisor"
	within 10 has_4 "$group"
	ok $? "$1: four workers are in brood-pool-main"
}

check_orphans() {
	local group main
	group=$(folder_of orphans)
	main=$(show orphans MainPID)
	[ "$main" -gt 1 ] && kill -KILL "$main"
	ok $? "orphans: kill -9 of the main process"
	within 5 is_empty "$group/brood-pool-main"
	ok $? "orphans: no process is left in the pool's cgroup"
	within 5 is_empty "$group/brood-supervisor"
	ok $? "orphans: nor in the supervisor's"
	systemctl reset-failed orphans
	start orphans
	below orphans
	stop orphans
}

inside() {
	local name
	for name in delegated users; do
		start $name
		below $name
		stop $name
	done
	start plain
	[ "$(how_many "$(folder_of plain)")" -ge 7 ] &&
		[ ! -e "$(folder_of plain)/brood-pool-main" ]
	ok $? "plain: all processes are in the unit's own cgroup"
	stop plain
	start orphans
	check_orphans
	[ "$failures" -eq 0 ] || say "$(journalctl -q --no-pager -o short-monotonic | tail -n 40)"
	done_testing
}

if [ "$1" = --inside ]; then inside; else outside "$@"; fi
