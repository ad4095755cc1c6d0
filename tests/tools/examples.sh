#!/bin/bash
# SPDX-License-Identifier: MIT
# examples.sh BUILD_DIR ECHO_CLIENT SOURCE_ROOT: the example programs do what their heads and the
# README say.
. "$(dirname "$0")/lib.sh"
build=$(realpath "$1") clients=$(realpath "$2") source=$(realpath "$3")
cd "$folder" || exit 99
ulimit -c 0

readme_has() {          # the README shows the whole file
	awk -v file="$1" 'BEGIN { while ((getline line < file) > 0) want[n++] = line }
		{ at = ($0 == want[at]) ? at + 1 : ($0 == want[0]) }
		at == n { found = 1; exit }
		END { exit !found }' "$source/README.md"
}

check_hello() {
	[ "$(timeout 30 "$build/hello")" = "HELLO: done" ]
	ok $? "hello"
	readme_has "$source/tools/examples/hello.c"
	ok $? "hello.c is the README's"
}

check_epoll() {
	[ "$(timeout 60 "$build/epoll" 100 10 2>err)" = "$(printf '90 done\n10 crashed')" ]
	ok $? "epoll: 100 jobs, of which 10 crash"
	[ "$(timeout 60 "$build/epoll" 50 50 2>err)" = "$(printf '45 done\n5 crashed')" ]
	ok $? "epoll: all at a time"
	timeout 20 "$build/epoll" x 2>/dev/null
	[ $? -eq 2 ] && timeout 20 "$build/epoll" --help | grep -q '^Usage'
	ok $? "epoll: usage and help"
}

check_session() {
	timeout 60 "$build/session" >out 2>err
	ok $? "session: exit code"
	diff - out <<-END
		first: sum 20, largest 8
		second: sum 4, largest 3
		first: sum 22, largest 8
		  add: crashed
		second: the session is lost
		second, again: sum 4, largest 3
	END
	ok $? "session: what it says"
}

ask_udp() {             # ask_udp WORD: prints the answer
	local answer
	exec 3<>"/dev/udp/127.0.0.1/$port" || return 1
	printf '%s' "$1" >&3
	answer=$(timeout 20 dd bs=2048 count=1 <&3 2>/dev/null)
	printf '%s' "$answer"
	exec 3>&-
}

check_submit() {
	: >server.out
	"$build/submit" 0 >server.out 2>server.err &
	server=$!
	local i
	for ((i = 0; i < 400; i++)); do
		grep -q '^port' server.out && break
		kill -0 $server 2>/dev/null || break
		sleep 0.05
	done
	port=$(sed -n 's/^port //p' server.out)
	[ "$(ask_udp stressed)" = desserts ] && [ "$(ask_udp x)" = x ]
	ok $? "submit: answers"
	ask_udp crash | grep -q 'reverse: crashed, SIGABRT'
	ok $? "submit: a crash costs one answer"
	[ "$(ask_udp after)" = retfa ]
	ok $? "submit: and no other"
	for ((i = 0; i < 50; i++)); do
		(ask_udp "$i-cba") >"answer.$i" &
	done
	for ((i = 0; i < 50; i++)); do
		wait -n
	done
	for ((i = 0; i < 50; i++)); do
		[ "$(cat "answer.$i")" = "abc-$(rev <<<"$i")" ] || break
	done
	[ $i -eq 50 ]
	ok $? "submit: 50 at a time, each gets its own"
	stop_server TERM submit
	[ "$(tail -n 1 server.out)" = "54 answers, 0 dropped" ]
	ok $? "submit: $(tail -n 1 server.out)"
	timeout 20 "$build/submit" 2>/dev/null
	[ $? -eq 2 ]
	ok $? "submit: usage"
}

check_throw() {
	if [ ! -x "$build/throw" ]; then
		ok 0 "throw # SKIP no C++ compiler"
		return
	fi
	timeout 60 "$build/throw" >out 2>err
	ok $? "throw: exit code"
	grep -q '^84 / 2: "42" (.*: done' out &&
		grep -q '^84 / 0: "division by zero" (.*: failed' out &&
		grep -q '^careless: "" (.*: crashed, SIGABRT' out &&
		grep -q '^84 / 2, again: "42" (.*: done' out
	ok $? "throw: what it says"
}

# the programs of brood-patterns(7)
check_map() {
	local i
	for ((i = 0; i < 300; i++)); do
		seq "$i" >"words.$i"
	done
	timeout 60 "$build/example-map" words.{0..299} none >out 2>err
	[ $? -eq 1 ] && [ "$(wc -l <out)" -eq 301 ] &&
		[ "$(tail -n 1 out)" = "       0        0 none: failed" ] &&
		head -n 300 out | awk '$1 != NR - 1 || $2 != NR - 1 || $4 != "done" ||
			$3 != "words." NR - 1 ":" { exit 1 }'
	ok $? "map: 300 counts, in order, and one failure"
	[ "$(tr '\r' '\n' <err | tail -n 1)" = "301 of 301 files" ]
	ok $? "map: its progress line ends with all files"
	timeout 60 "$build/example-map" words.{0..9} >out 2>err &&
		[ "$(grep -c ': done$' out)" -eq 10 ]
	ok $? "map: all is well"
}

check_drain() {         # check_drain MS REST: REST: the last line behind "accepted"
	local pid rc
	: >out
	"$build/example-drain" "$1" >out 2>err &
	pid=$!
	timeout 30 sh -c 'until grep -q accepting out; do sleep 0.01; done'
	sleep 0.3               # time to accept some jobs; the number does not matter
	kill "$pid"
	timeout 30 tail --pid="$pid" -f /dev/null
	wait "$pid"
	rc=$?
	[ $rc -eq 0 ] && tail -n 1 out | grep -Eq "$2"
	ok $? "drain: jobs of $1 ms: $(tail -n 1 out)"
}

check_restart() {
	local pid answers='' i answer
	: >server.out
	"$build/example-restart" >server.out 2>server.err &
	pid=$!
	timeout 30 sh -c 'until grep -q port server.out; do sleep 0.01; done'
	port=$(sed -n 's/^port //p' server.out)
	[ "$(client '')" = 1 ]
	ok $? "restart: the first start answers"
	for ((i = 0; i < 60; i++)); do
		[ $i -eq 20 ] || [ $i -eq 40 ] && kill -HUP "$pid"
		answer=$(client '')
		case $answer in [123]) ;; *) answers="$answers $i:$answer" ;; esac
		[ $i -ge 40 ] && [ "$answer" != 3 ] && sleep 0.1
	done
	[ -z "$answers" ]
	ok $? "restart: no client is refused while the program starts anew$answers"
	[ "$answer" = 3 ]
	ok $? "restart: the last start serves: $answer"
	kill "$pid"
	timeout 30 tail --pid="$pid" -f /dev/null
	wait "$pid"
	ok $? "restart: ends"
}

check_reload() {
	local pid i answer
	: >server.out
	printf one >greeting
	"$build/example-reload" greeting >server.out 2>server.err &
	pid=$!
	timeout 30 sh -c 'until grep -q . server.out; do sleep 0.01; done'
	port=$(cat server.out)
	timeout 30 sh -c 'until grep -q reload-done server.err; do sleep 0.01; done'
	[ "$(client '')" = one ]
	ok $? "reload: workers have what stands in the file"
	printf two >greeting
	kill -HUP "$pid"
	for ((i = 0; i < 200; i++)); do
		answer=$(client '')
		case $answer in one) ;; *) break ;; esac
	done
	[ "$answer" = two ]
	ok $? "reload: new clients get the new text, none gets nothing: $answer"
	timeout 30 sh -c 'until [ "$(grep -c reload-done server.err)" = 2 ]; do sleep 0.01; done'
	: >greeting
	kill -HUP "$pid"
	timeout 30 sh -c 'until grep -q reload-failed server.err; do sleep 0.01; done'
	[ "$(client '')" = two ]
	ok $? "reload: where the new data is no good the former workers go on"
	kill "$pid"
	timeout 30 tail --pid="$pid" -f /dev/null
	wait "$pid"
	ok $? "reload: ends"
}

check_sandbox() {
	timeout 60 "$build/example-sandbox" >out 2>err
	ok $? "sandbox: jobs work in it, and open no file: $(grep 'not ok' out)"
	timeout 60 "$build/example-sandbox" --kill >out 2>err
	ok $? "sandbox: the library needs no call that is not in the list: $(grep 'not ok' out)"
}

check_daemon() {
	local pid
	timeout 30 "$build/example-daemon" "$folder/pid" </dev/null >out 2>err
	ok $? "daemon: the command ends when the pool is ready"
	pid=$(cat "$folder/pid")
	kill -0 "$pid"
	ok $? "daemon: the pid is the service's"
	timeout 30 "$build/example-daemon" "$folder/pid" </dev/null >out 2>err
	[ $? -eq 1 ]
	ok $? "daemon: a second one finds the lock taken"
	kill "$pid"
	timeout 30 tail --pid="$pid" -f /dev/null
	! kill -0 "$pid" 2>/dev/null
	ok $? "daemon: ends"
	timeout 60 "$build/example-daemon" "$folder/pid2" 3 </dev/null >out 2>err
	[ $? -eq 1 ]
	ok $? "daemon: a pool that cannot be started is told"
}

start_server() {        # start_server OPTIONS...: sets server and port
	# here, not in the background: the port of the last server must be gone
	: >server.out
	"$build/echo-server" "$@" >server.out 2>server.err &
	server=$!
	local i
	for ((i = 0; i < 400; i++)); do
		grep -q '^listening' server.out && break
		kill -0 $server 2>/dev/null || break
		sleep 0.05
	done
	port=$(sed -n 's/^listening on port //p' server.out)
}

stop_server() {         # stop_server SIGNAL NAME
	kill -"$1" $server
	timeout 60 tail --pid=$server -f /dev/null
	wait $server
	ok $? "$2: $1 is a clean stop"
}

client() {              # client WORDS: prints the answer
	local answer
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf '%s\n' "$1" >&3
	IFS= read -r -t 20 answer <&3
	printf '%s' "$answer"
	exec 3>&-
}

check_echo_tcp() {
	start_server --tcp 0 -w 3 --fault
	[ "$(client hello)" = hello ]
	ok $? "echo-server: one client"
	timeout 60 "$clients" "$port" 60 5000
	ok $? "echo-server: 60 clients at a time, 3 workers"
	[ "$(client crash)" = "" ] && [ "$(client exit)" = "" ] && [ "$(client after)" = after ]
	ok $? "echo-server: a crash costs one client"
	grep -q 'crashed, SIGSEGV' server.err && grep -q 'exited' server.err
	ok $? "echo-server: and is told"
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	stop_server TERM "echo-server, with a client that stays"
	exec 4>&-
	grep -q '^64 clients\|^65 clients' server.out
	ok $? "echo-server: $(tail -n 1 server.out)"
	[ "$(grep -vcE 'crash|exited|died|SIG|worker' server.err)" -eq 0 ]
	ok $? "echo-server: nothing else on stderr: $(head -n 5 server.err)"
}

check_echo_big() {
	start_server --tcp 0 -w 2
	timeout 60 "$clients" "$port" 2 20000000
	ok $? "echo-server: 20 MB there and back, twice at a time"
	stop_server INT "echo-server"
	[ ! -s server.err ]
	ok $? "echo-server: says nothing on stderr: $(head -n 3 server.err)"
}

check_echo_unix() {
	start_server --unix "$folder/socket" -w 2
	timeout 60 "$clients" "$folder/socket" 100 3000
	ok $? "echo-server: 100 clients on a Unix socket"
	[ -S "$folder/socket" ]
	ok $? "echo-server: the socket is there"
	stop_server TERM "echo-server, on a Unix socket"
	[ ! -e "$folder/socket" ]
	ok $? "echo-server: and gone"
	timeout 20 "$build/echo-server" --tcp 99999 2>/dev/null
	[ $? -eq 2 ]
	ok $? "echo-server: usage"
}

check_hello
check_epoll
check_session
check_submit
check_throw
check_map
check_drain 20 '^([0-9]+) accepted, \1 done, 0 cancelled, 0 without'
check_drain 5000 '^16 accepted, 0 done, 16 cancelled, 0 without'
check_restart
check_reload
check_sandbox
check_daemon
check_echo_tcp
check_echo_big
check_echo_unix
[ "$(left "$build/")" -eq 0 ]
ok $? "nothing is left"
done_testing
