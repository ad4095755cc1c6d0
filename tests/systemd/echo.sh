#!/bin/bash
# SPDX-License-Identifier: MIT
# echo.sh ECHO_SERVER NOTIFY_HIDDEN - tests the example unit under a real systemd: as it is shipped,
# and with other settings that a unit may have. Without --inside the script boots a systemd (see
# boot; only root can). With --inside it is the check that runs there.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tools/lib.sh"

outside() {
	local units=$folder name
	[ "$(id -u)" -eq 0 ] || skip_all "only root can boot a systemd in namespaces"
	[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
	unshare --mount --pid --fork --cgroup --net true 2>/dev/null ||
		skip_all "no namespaces here"
	# The shipped unit, with one more line for the journal: once a unit has stopped well,
	# systemd forgets how.
	result='RESULT $$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS'
	sed "s/^ExecStart=.*/&\\nExecStopPost=\\/bin\\/sh -c \"echo $result\"/" \
		"$here/../../tools/systemd/brood-echo.service" >"$units/brood-echo.service" ||
		exit 99
	variant() { sed "$2" "$units/brood-echo.service" >"$units/$1.service"; }
	variant control-group 's/^KillMode=.*/KillMode=control-group/'
	# A watchdog that must be fed often, and clients that may crash their worker.
	variant watchdog 's/^WatchdogSec=.*/WatchdogSec=1/; /^ExecStart=/s/$/ --fault/'
	# systemd kills no process of this unit, so every process that is gone has ended without
	# systemd.
	variant orphans 's/^KillMode=.*/KillMode=process/; s/^Restart=.*/Restart=no/'
	variant hidden \
	's,^WatchdogSec=.*,WatchdogSec=20,; s,^ExecStart=.*,ExecStart=/usr/bin/notify-hidden,'
	"$here/boot" 100 "$units"/*.service "$1" "$2" -- "$here/echo.sh" --inside \
		2>"$folder/boot.err" >"$folder/boot.out"
	name=$?
	cat "$folder/boot.out"
	if [ $name -eq 125 ]; then
		skip_all "$(tail -n 1 "$folder/boot.err")"
	fi
	[ ! -s "$folder/boot.err" ] || say "$(cat "$folder/boot.err")"
	exit $name
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

is() { [ "$(show "$1" "$2")" = "$3" ]; }
is_ready() { is "$1" ActiveState active &&
	case $(show "$1" StatusText) in *worker*) ;; *) false ;; esac; }
said() { journalctl -q --no-pager -o cat -u "$1"; }
group_is_empty() { [ -n "$1" ] && [ -z "$(cat "/sys/fs/cgroup$1/cgroup.procs" 2>/dev/null)" ]; }

start() {
	systemctl start "$1"
	ok $? "$1: READY=1 arrives"
	within 10 is_ready "$1"
	ok $? "$1: the status tells of the pool: $(show "$1" StatusText)"
	[ "$(talk "hello $1")" = "hello $1" ]
	ok $? "$1: echoes"
}

# Stops the unit while a client is there. No unit may fail, no process may stay, and no line may
# tell of crashed workers.
stop_cleanly() {
	local group words began=$SECONDS
	group=$(show "$1" ControlGroup)
	exec 4<>/dev/tcp/127.0.0.1/7007
	systemctl stop "$1"
	ok $? "$1: systemctl stop"
	exec 4>&-
	[ $((SECONDS - began)) -lt 30 ]
	ok $? "$1: in good time"
	within 5 ended_well "$1"
	ok $? "$1: exit code 0: $(said "$1" | grep RESULT)"
	group_is_empty "$group"
	ok $? "$1: nothing is left"
	words=$(said "$1" | grep -iE 'crash|died|killed|signal|SIG|failed')
	[ -z "$words" ]
	ok $? "$1: without a word of crashed workers$words"
}

ended_well() { said "$1" | grep -qx 'RESULT success exited 0'; }
fed_since() { [ "$(show watchdog WatchdogTimestampMonotonic)" -gt "$1" ]; }

check_watchdog() {
	local i before
	for i in 1 2 3 4; do
		before=$(show watchdog WatchdogTimestampMonotonic)
		within 5 fed_since "$before" || break
	done
	[ "$i" -eq 4 ] && is watchdog NRestarts 0
	ok $? "watchdog: is fed"
	talk crash >/dev/null
	talk exit >/dev/null
	[ "$(talk again)" = again ] && is watchdog ActiveState active
	ok $? "watchdog: a crashed worker costs one client"
	systemctl stop watchdog && within 5 ended_well watchdog
	ok $? "watchdog: stops"
}

check_orphans() {
	local group main nothing there
	group=$(show orphans ControlGroup)
	main=$(show orphans MainPID)
	[ "$main" -gt 1 ] && kill -KILL "$main"
	ok $? "orphans: kill -9 of the main process"
	within 2 group_is_empty "$group"
	nothing=$?
	there=$(for p in $(cat "/sys/fs/cgroup$group/cgroup.procs" 2>/dev/null); do
		tr '\0' ' ' <"/proc/$p/cmdline"
	done)
	ok $nothing "orphans: kill -9 of the main process leaves nothing: $there"
	within 5 is orphans Result signal
	ok $? "orphans: systemd saw it"
}

worker_pids() {
	local p
	for p in $(cat "/sys/fs/cgroup$(show brood-echo ControlGroup)/cgroup.procs"); do
		! tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline" | grep -q ': worker' || echo "$p"
	done
}

all_are_new() { [ -z "$(comm -12 <(worker_pids | sort) <(echo "$1" | sort))" ]; }

check_reload() {
	local before
	before=$(worker_pids)
	systemctl reload brood-echo
	ok $? "brood-echo: systemctl reload"
	within 20 all_are_new "$before" && [ -n "$before" ]
	ok $? "brood-echo: all workers are new"
	within 20 is brood-echo ActiveState active
	ok $? "brood-echo: READY=1 after the reload"
	[ "$(talk again)" = again ]
	ok $? "brood-echo: echoes after the reload"
}

hidden_is_known() { case $(show hidden StatusText) in hidden* | visible*) ;; *) false ;; esac; }

inside() {
	words=$(systemd-analyze verify --man=no /etc/systemd/system/brood-echo.service 2>&1)
	[ -z "$words" ]
	ok $? "the unit is well written$words"
	start brood-echo
	check_reload
	stop_cleanly brood-echo
	start control-group
	stop_cleanly control-group
	start watchdog
	check_watchdog
	start orphans
	check_orphans
	systemctl start hidden && within 10 hidden_is_known
	case $(show hidden StatusText) in hidden*) ;; *) false ;; esac
	ok $? "NOTIFY_SOCKET: $(show hidden StatusText)"
	systemctl stop hidden && within 5 ended_well hidden
	ok $? "hidden: stops"
	[ "$failures" -eq 0 ] || say "$(journalctl -q --no-pager -o short-monotonic | tail -n 60)"
	done_testing
}

if [ "$1" = --inside ]; then inside; else outside "$@"; fi
