#!/bin/bash
# SPDX-License-Identifier: MIT
# load_peers.sh BROOD_LOAD JSON_READ FASTCGI_RESPONDER: brood-load --peer: the same load on a fork()
# for each job, on a program for each job, on plain workers, and on a FastCGI server.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/load.sh"
program=$(own "$1") reader=$(realpath "$2") responder=$(realpath "$3")
cd "$folder" || exit 99
export TMPDIR=$folder

held() {
	is invariants.one_verdict_per_job true
	is invariants.replies_intact true
	is invariants.nothing_left true
	is invariants.pool_full null
	is invariants.counters_agree null
	is jobs.unaccounted 0
	is left.fds 0
}
# broken INVARIANT WORDS OPTION...: exit code 1, and that invariant is named
broken() {
	local invariant=$1 words=$2
	shift 2
	timeout 100 "$program" -q --json json "$@" >out 2>err
	local code=$?
	[ $code -eq 1 ] && grep -q "^brood-load: $invariant: .*$words" err &&
		[ "$("$reader" json "invariants.$invariant")" = false ]
	ok $? "$*: exit code $code $(head -n 1 err)"
}
# serve MODE: a responder at ./socket
serve() {
	rm -f socket
	exec {server_out}< <(exec "$responder" socket "$1")
	server=$!
	read -r -t 20 -u $server_out line && [ "$line" = ready ]
	ok $? "a responder: $1"
}
served() {
	kill $server
	exec {server_out}<&-
	wait $server 2>/dev/null
}

plain=echo=5,nop=1,sleep=100us:2,200us:1,spin=50us
same=(-n 300 -c 6 -w 3 --seed 9 -s 0:1,64:8,60K:2)
timeout 60 "$program" -q "${same[@]}" --mix $plain --log log 2>err
ok $? "the pool: $(cat err)"
sort log >pool.log
for peer in fork posix_spawn control; do
	run "$peer" "${same[@]}" --peer $peer --mix $plain --log log
	held
	is jobs.done 300
	is config.peer $peer
	is config.call $peer
	is latency_us.echo p50,p90,p99,p99_9,max
	sort log | cmp - pool.log >out 2>&1
	ok $? "$peer has the jobs of the pool $(cat out)"
	run "$peer, one at a time" --peer $peer -n 20 -c 1 -w 1
	is jobs.done 20
	run "$peer, at a rate" --peer $peer -n 100 -c 4 -w 2 --rate 500 --seed 3 --log log
	is jobs.done 100
	is config.loop open
	[ "$(grep -c '^job [0-9]* echo size=64$' log)" -eq 100 ]
	ok $? "a line for each job: $(wc -l <log)"
	run "$peer, for some time" --peer $peer -d 0.3 -c 8 -t 2 -w 2 --mix nop=9,fail=1
	is invariants.one_verdict_per_job true
done
for peer in fork posix_spawn; do
	run "$peer: jobs that end badly" --peer $peer -n 200 -c 6 \
		--mix echo=5,crash=1,exit=1,fail=1,alloc=64K,syscalls=10
	held
	for outcome in crashed exited failed; do
		[ "$("$reader" json jobs.$outcome)" -gt 0 ]
		ok $? "$outcome: $("$reader" json jobs.$outcome)"
	done
	run "$peer: large" --peer $peer -n 20 -c 4 -s 1M,3M
	held
done
run "more workers than jobs" --peer control -n 5 -c 2 -w 20
held
timeout 60 "$program" --peer control -n 50 -w 2 -c 2 >out 2>err &&
	grep -q '^--peer control: no pool of this library; 2 workers$' out
ok $? "the table: $(grep peer out)"

serve right
run fpm "${same[@]}" --peer fpm:socket --mix nop=1,echo=5,sleep=1us,spin=1us
held
is jobs.done 300
is config.peer fpm
run "fpm: large" --peer fpm:socket -n 20 -c 3 -s 1,65528,70K,900K
held
[ -z "$(ls "$folder" | grep brood-load)" ]
ok $? "the script is gone: $(ls "$folder" | tr '\n' ' ')"
served
wrong 'does the server run' --peer fpm:socket -n 5
serve flip
broken replies_intact 'not what was sent' --peer fpm:socket -n 200 -c 2
served
serve cut
broken one_verdict_per_job 'wrong for their jobs' --peer fpm:socket -n 200 -c 2
served
serve full
run "fpm: refusals" --peer fpm:socket -n 200 -c 2
is jobs.refused 2
is jobs.done 198
served
serve 404
wrong 'status 404' --peer fpm:socket -n 5
served
serve http
wrong 'does not speak FastCGI' --peer fpm:socket -n 5
served
wrong 'does the server run' --peer fpm:missing -n 5
[ -z "$(ls "$folder" | grep brood-load)" ]
ok $? "no script is left"

wrong 'fork, posix_spawn, control or fpm:SOCKET' --peer thread
wrong 'php-fpm.sock' --peer fpm
wrong 'php-fpm.sock' --peer fpm:
wrong 'no socket' --peer fork:x
wrong 'at most 107' --peer "fpm:$(printf '%0108d' 0)"
wrong 'takes no --call' --peer fork --call open
wrong 'takes no --dispatch' --peer fork --dispatch lease
wrong 'takes no --compare' --peer fork --compare
wrong 'takes no --pools' --peer control --pools 2
wrong 'no kills' --peer control --kill-rate 1
wrong 'takes no --chaos' --peer control --chaos 'kill 5/s'
wrong 'takes no --reload-every' --peer control --reload-every 1
wrong 'takes no --resize' --peer control --resize 1:2:100
wrong 'takes no --idle' --peer control --idle 1
wrong 'takes no --keys' --peer control --keys 2
wrong 'takes no --tags' --peer control --tags
wrong 'takes no --priority' --peer control --priority normal=1,background=1
wrong 'takes no --deadline' --peer control --deadline 100
wrong 'tells nobody' --peer control --mix crash=1
wrong 'clean up after it' --peer fork --mix spin=1
wrong 'clean up after it' --peer posix_spawn --mix fork=1
wrong 'does no more' --peer fpm:socket --mix alloc=1K
wrong 'up to 63K' --peer control -s 64K
wrong 'up to 4096K' --peer fpm:socket -s 5M
[ "$(left "$program")" -eq 0 ] && [ "$(left "$responder")" -eq 0 ]
ok $? "nothing is left"
done_testing
