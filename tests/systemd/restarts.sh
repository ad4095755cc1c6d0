#!/bin/bash
# SPDX-License-Identifier: MIT
# restarts.sh ECHO_SERVER KNOCK - restarts and kills of the shipped units under load, with a real
# systemd: no client is refused, by a socket unit, and by kept fds alone. And what the units promise
# about their hardening. Without --inside the script boots a systemd (see boot; only root can).
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tools/lib.sh"
shipped=$here/../../tools/systemd
clients=4

outside() {
	local code
	[ "$(id -u)" -eq 0 ] || skip_all "only root can boot a systemd in namespaces"
	[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
	unshare --mount --pid --fork --cgroup --net true 2>/dev/null ||
		skip_all "no namespaces here"
	mkdir "$folder/units"
	cp "$shipped"/* "$folder/units/"
	# Clients that crash their worker, or leave a process behind.
	sed -i '/^ExecStart=/s/$/ --fault/' "$folder/units"/*.service
	"$here/boot" 380 "$folder/units"/* "$1" "$2" -- "$here/restarts.sh" --inside \
		2>"$folder/boot.err" >"$folder/boot.out"
	code=$?
	cat "$folder/boot.out"
	[ $code -ne 125 ] || skip_all "$(tail -n 1 "$folder/boot.err")"
	[ ! -s "$folder/boot.err" ] || say "$(cat "$folder/boot.err")"
	exit $code
}

show() { systemctl show "$1" -p "$2" --value; }
is() { [ "$(show "$1" "$2")" = "$3" ]; }
within() {              # true as soon as the command is true
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.02
	done
}

talk() {                # talk PORT WORDS: prints the server's answer
	local answer
	exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
	printf '%s\n' "$2" >&3
	IFS= read -r -t 20 answer <&3
	exec 3>&-
	printf '%s' "$answer"
}

knocking() {            # knocking PORT: clients come from now on
	touch /run/knocking
	knock $clients "$1" /run/knocking >/run/knocked &
}
knocked() {             # how many clients were WHAT
	sed -n "s/.*$1 \([0-9]*\).*/\1/p" /run/knocked
}
silence() { rm /run/knocking; wait; say "$(cat /run/knocked)"; }

restarts() {            # restarts UNIT PORT HOW
	local i
	knocking "$2"
	for ((i = 0; i < 20; i++)); do
		systemctl restart "$1" || break
		talk "$2" "life $i" >/dev/null
	done
	silence
	[ $i -eq 20 ] && [ "$(knocked refused)" = 0 ]
	ok $? "20 restarts, $3: nobody is refused: $(cat /run/knocked)"
	[ "$(knocked cut)" = 0 ] && [ "$(knocked silent)" = 0 ] && [ "$(knocked served)" -gt 20 ]
	ok $? "20 restarts, $3: all are served"
}

members() { cat "/sys/fs/cgroup$1/cgroup.procs" 2>/dev/null; }
is_another() { local main; main=$(show "$1" MainPID); [ "$main" != "$2" ] && [ "$main" -gt 1 ] &&
	is "$1" ActiveState active; }

kills() {               # kills UNIT PORT HOW
	local i main group before pid left=
	group=$(show "$1" ControlGroup)
	knocking "$2"
	for ((i = 0; i < 10; i++)); do
		main=$(show "$1" MainPID)
		before=$(members "$group")
		kill -KILL "$main" || break
		within 20 is_another "$1" "$main" || break
		for pid in $before; do
			[ ! -e "/proc/$pid" ] || left="$left $pid"
		done
	done
	silence
	[ $i -eq 10 ] && [ "$(knocked refused)" = 0 ]
	ok $? "kill -9 of the main process 10 times, $3: nobody is refused: $(cat /run/knocked)"
	[ "$(knocked silent)" = 0 ] && [ "$(knocked served)" -gt 20 ] && [ -z "$left" ]
	ok $? "kill -9 of the main process 10 times, $3: nothing is left:$left"
}

count() { members "$1" | wc -l; }
has_members() { [ "$(count "$1")" -eq "$2" ]; }

# Jobs that crash, exit, leave a process, and echo, under all the hardening.
jobs() {                # jobs UNIT PORT
	local group before
	group=$(show "$1" ControlGroup)
	[ "$(talk "$2" hello)" = hello ]
	ok $? "$1: echoes"
	before=$(count "$group")
	talk "$2" crash >/dev/null
	talk "$2" exit >/dev/null
	[ "$(talk "$2" stray)" = stray ] && within 10 has_members "$group" "$before"
	ok $? "$1: a crash and a stray leave nothing: $before, now $(count "$group")"
	[ "$(talk "$2" again)" = again ] && is "$1" NRestarts 0
	ok $? "$1: echoes on"
}

hardened() {            # hardened FILE
	local words
	words=$(systemd-analyze verify --man=no "$1" 2>&1)
	[ -z "$words" ]
	ok $? "$(basename "$1") is well written $words"
	case $1 in *.socket) return ;; esac
	words=$(systemd-analyze security --offline=true --threshold=10 --no-pager "$1" 2>&1)
	ok $? "$(basename "$1"): $(tail -n 1 <<<"$words")"
}

stored() { [ "$(show brood-echo NFileDescriptorStore)" -ge 1 ]; }

inside() {
	local unit=/etc/systemd/system
	hardened $unit/brood-echo.service
	hardened $unit/brood-echo.socket
	ln -s brood-echo@.service $unit/brood-echo@7008.service
	ln -s brood-echo@.socket $unit/brood-echo@7008.socket
	hardened $unit/brood-echo@7008.service
	hardened $unit/brood-echo@7008.socket

	systemctl start brood-echo
	ok $? "brood-echo: starts"
	stored
	ok $? "brood-echo: its socket is stored when it is ready"
	jobs brood-echo 7007
	restarts brood-echo 7007 "by kept fds alone"
	kills brood-echo 7007 "by kept fds alone"
	systemctl stop brood-echo
	! talk 7007 hello 2>/dev/null
	ok $? "brood-echo: a stop closes its socket"

	systemctl start brood-echo@7008.socket
	[ "$(talk 7008 first)" = first ]
	ok $? "brood-echo@7008: starts with its first client"
	jobs brood-echo@7008 7008
	restarts brood-echo@7008 7008 "by a socket unit"
	kills brood-echo@7008 7008 "by a socket unit"
	systemctl stop brood-echo@7008.socket brood-echo@7008

	[ "$failures" -eq 0 ] || say "$(journalctl -q --no-pager -o short-monotonic | tail -n 80)"
	done_testing
}

if [ "$1" = --inside ]; then inside; else outside "$@"; fi
