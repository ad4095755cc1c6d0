#!/bin/bash
# SPDX-License-Identifier: MIT
# status.sh MANAGER_SAYS - what a real systemd makes of the messages: STATUS=, RELOADING=1, a start
# that fails with its reason and number, a service for one connection. Without --inside the script
# boots a systemd (see boot; only root can). With --inside it is the check that runs there.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tools/lib.sh"

unit() {                # unit NAME MODE [LINE]...
	local name=$1 mode=$2
	shift 2
	{
		printf '[Service]\nType=notify\nNotifyAccess=main\nKillMode=mixed\n'
		printf 'ExecStart=/usr/bin/manager-says %s\n' "$mode"
		printf '%s\n' "$@"
	} >"$folder/$name.service"
}

outside() {
	local code
	[ "$(id -u)" -eq 0 ] || skip_all "only root can boot a systemd in namespaces"
	[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
	unshare --mount --pid --fork --cgroup --net true 2>/dev/null ||
		skip_all "no namespaces here"
	unit says serve
	unit fails fail
	unit hello@ accept StandardInput=socket StandardOutput=journal
	printf '[Socket]\nListenStream=127.0.0.1:7008\nAccept=yes\n' >"$folder/hello.socket"
	"$here/boot" 100 "$folder"/*.service "$folder"/*.socket "$1" -- "$here/status.sh" --inside \
		2>"$folder/boot.err" >"$folder/boot.out"
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

within() {              # true as soon as the command is true
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

text_has() { case $(show "$1" StatusText) in *"$2"*) ;; *) false ;; esac; }

inside() {
	systemctl start says
	ok $? "says: READY=1 arrives"
	within 20 text_has says "2 of 2 workers ready: 0 busy, 2 idle, 0 queued; 0 jobs, 0 deaths"
	ok $? "says: $(show says StatusText)"
	systemctl kill -s HUP --kill-who=main says
	within 20 is says ActiveState reloading
	ok $? "says: is $(show says ActiveState) after RELOADING=1"
	systemctl kill -s USR1 --kill-who=main says
	within 20 is says ActiveState active
	ok $? "says: is $(show says ActiveState) after READY=1"
	within 20 text_has says "reload failed: line 3; 2 of 2 workers ready"
	ok $? "says: $(show says StatusText)"
	systemctl stop says && is says Result success
	ok $? "says: stops"

	systemctl start fails
	[ $? -ne 0 ]
	ok $? "fails: the start fails"
	is fails Result exit-code && is fails ExecMainStatus 69
	ok $? "fails: $(show fails Result), $(show fails ExecMainStatus)"
	text_has fails "the start failed: workers die at birth"
	ok $? "fails: $(show fails StatusText)"
	is fails StatusErrno 112
	ok $? "fails: StatusErrno=$(show fails StatusErrno)"

	systemctl start hello.socket
	exec 3<>/dev/tcp/127.0.0.1/7008 && IFS= read -r -t 20 answer <&3
	exec 3>&-
	[ "$answer" = hello ]
	ok $? "hello: one connection is served"
	within 20 no_instance
	[ -z "$(systemctl list-units --failed --plain --no-legend 'hello@*')" ]
	ok $? "hello: no instance has failed"
	[ "$failures" -eq 0 ] || say "$(journalctl -q --no-pager -o short-monotonic | tail -n 60)"
	done_testing
}

no_instance() {
	[ -z "$(systemctl list-units --plain --no-legend --state=active,activating,deactivating \
		'hello@*.service')" ]
}

if [ "$1" = --inside ]; then inside; else outside "$@"; fi
