#!/bin/bash
# SPDX-License-Identifier: MIT
# load_kinds.sh BROOD_LOAD JSON_READ USER_LIB: jobs with run times, sizes, keys, tags and
# priorities; jobs of a user's library; and one seed means one list of jobs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/load.sh"
program=$(own "$1") reader=$(realpath "$2") library=$(realpath "$3")
cd "$folder" || exit 99

least() {       # least PATH N
	awk -v value="$("$reader" json "$1" 2>&1)" -v n="$2" 'BEGIN { exit !(value + 0 >= n) }'
	ok $? "$1 is at least $2: $("$reader" json "$1" 2>&1)"
}
# listed NAME OPTION...: writes the sorted log of a run into ./NAME
listed() {
	local name=$1
	shift
	timeout 100 "$program" -q --log log "$@" 2>err
	ok $? "a log of $* $(cat err)"
	sort log >"$name"
}

timed=spin=50us:9,2ms:1,sleep=1ms,alloc=1MB,64K:2,syscalls=10,echo=5
for how in call open submit; do
	run "run times, $how" -n 600 -w 2 -c 8 --call $how --mix $timed --seed 3
	is jobs.done 600
	is invariants.one_verdict_per_job true
	is invariants.replies_intact true
	is config.work spin=50us:9,2ms:1,sleep=1ms:1,alloc=1MB:1,64KB:2,syscalls=10:1,echo=5
	is config.mix.spin 10
	least latency_us.sleep.p50 1000
	least latency_us.spin.p50 50
	least latency_us.spin.p99 2000
done
run "kills among jobs that sleep" -d 1 -w 4 -c 8 --kill-rate 40 --mix sleep=5ms,echo=3
is invariants.one_verdict_per_job true
least workers.killed 5
run "longer than its deadline" -n 4 -w 2 -c 2 --mix sleep=60s --deadline 100
is jobs.timed_out 4
run "for ever" -n 4 -w 2 -c 2 --mix spin=1
is jobs.timed_out 4
is config.deadline_ms 1000
run "a time is no reason for a short deadline" -n 10 -w 2 -c 2 --mix spin=1us
is config.deadline_ms 60000

for how in call open submit; do
	run "sizes, keys, tags, priorities, $how" -n 600 -w 3 -c 12 --call $how --seed 4 \
		-s 0:1,64:90,70K:9 --keys 5 --tags --priority normal=3,background=1 \
		--mix echo=9,crash=0.1,exit=0.1
	is config.sizes 0,64:90,71680:9
	is config.keys 5
	is config.tags true
	is config.priority normal=3,background=1
	is jobs.submitted 600
	is invariants.replies_intact true
	is invariants.counters_agree true
done

# One seed, one list: whatever the threads do, and however the jobs are given.
all=(-n 900 -w 3 --seed 11 -s 0:1,64:9,4K --keys 7 --priority normal=2,background=1)
all+=(--mix spin=20us:9,200us:1,sleep=100us,echo=9,nop=1,fail=1,crash=0.1)
listed first "${all[@]}" -c 8
[ "$(wc -l <first)" -eq 900 ] && [ "$(cut -d ' ' -f 2 first | sort -n | uniq | wc -l)" -eq 900 ]
ok $? "a line for each job: $(wc -l <first)"
[ "$(grep -Evc '^job [0-9]+ [a-z]+(=[0-9]+us)? size=[0-9]+ key=[1-7]( background)?$' first)" -eq 0 ]
ok $? "lines: $(grep -Ev '^job [0-9]+ [a-z]+(=[0-9]+us)? size=' first | head -n 1)"
for kind in spin=20us spin=200us sleep=100us echo nop fail; do
	grep -q " $kind size=" first
	ok $? "the log has $kind"
done
listed again "${all[@]}" -c 8
cmp first again >out 2>&1
ok $? "one seed, one list $(cat out)"
for options in '-c 5 -w 2' '-c 8 --rate 3000' '-c 8 -t 2 --call submit --rate 3000 --poisson' \
	'-c 9 -t 3 --call open' '-c 50 -t 4 --call submit' '-c 1'; do
	listed again "${all[@]}" $options
	cmp first again >out 2>&1
	ok $? "one seed, one list, with $options $(cat out)"
done
listed other "${all[@]}" -c 8 --seed 12
! cmp -s first other
ok $? "another seed, another list"
# The victims are slots, and the same ones in the same order. The jobs take half a second at least,
# so there are 25 kills or more; how many more, depends on the machine.
kills=(-n 400 -w 4 -c 4 --seed 11 --mix sleep=5ms --kill-rate 50 -s 64)
for i in 1 2; do
	listed "killed$i" "${kills[@]}"
	grep '^job' "killed$i" >"jobs$i"
	sort -k 2,2n <(grep '^victim' "killed$i") | head -n 20 >"victims$i"
	[ "$(wc -l <"jobs$i")" -eq 400 ] && [ "$(wc -l <"victims$i")" -eq 20 ] &&
		[ "$(grep -Evc '^victim [0-9]+ kill slot=[0-9]+$' "victims$i")" -eq 0 ]
	ok $? "400 jobs, 20 victims: $(tail -n 1 "victims$i")"
done
cmp jobs1 jobs2 && cmp victims1 victims2
ok $? "one seed, one list of jobs and victims"
[ "$(cut -d ' ' -f 4 victims1 | sort -u | wc -l)" -gt 1 ]
ok $? "several slots: $(cut -d ' ' -f 4 victims1 | sort -u | tr '\n' ' ')"
listed killed3 "${kills[@]}" --seed 12
sort -k 2,2n <(grep '^victim' killed3) | head -n 20 | cmp -s - victims1
[ $? -eq 1 ]
ok $? "another seed, other victims"
# A log is whole even when the engine is killed: no line is cut, and no job twice.
listed killed -d 30 -w 3 -c 9 --mix sleep=100us --kill-supervisor-at 0.3
[ -s killed ] && [ "$(grep -Evc '^job [0-9]+ sleep=100us size=0$|^victim' killed)" -eq 0 ] &&
	[ "$(grep '^job' killed | cut -d ' ' -f 2 | sort | uniq -d | wc -l)" -eq 0 ]
ok $? "the log of a run that was killed: $(wc -l <killed) lines"
wrong 'No such' -n 1 --log missing/file
wrong "No space" -n 100 -w 1 -c 1 -q --log /dev/full

for how in call open submit; do
	run "a user's job, $how" -n 200 -w 2 -c 4 --call $how --user-job "$library:user_reverse" \
		-s 0,10:5,5000
	is jobs.done 200
	is invariants.one_verdict_per_job true
	is config.mix.user 1
	is config.user_job "$library:user_reverse"
done
cp "$library" here.so
run "a user's job that fails, of a library here" -n 20 -w 2 -c 2 --user-job here.so:user_fails
is jobs.failed 20
run "a user's job that crashes, beside echoes" -n 200 -w 2 -c 4 \
	--user-job here.so:user_crashes --mix echo=19,user=1
least jobs.crashed 1
wrong 'No such file' --user-job missing.so:f
wrong 'has no function "missing"' --user-job here.so:missing
wrong 'is no function' --user-job here.so:user_variable
wrong 'jobs.so:resize' --user-job here.so
wrong 'jobs.so:resize' --user-job here.so:
echo no library >text.so
wrong 'text.so' --user-job ./text.so:f
wrong 'user=W' --user-job here.so:user_fails --mix echo=1
wrong 'wants --user-job' --mix user=1

# The syntax: the unit tests have the rest.
wrong 'sleep=1ms' --mix sleep=1
wrong 'spins for ever' --mix spin=5:2
wrong 'echo=99.9' --mix echo=1,2
wrong '64:90,4K:10' -s 64:x
wrong 'above 0' -s 64:0
wrong normal=9 --priority high=1
wrong keys --keys 0
wrong '32 MiB' --mix leak=1,alloc=100MB
wrong 'without a pool' --compare --mix spin=1
wrong 'takes no --compare' --compare --log x
wrong 'a fork() has none' --compare --tags
timeout 100 "$program" -q --compare -n 100 -w 2 -c 2 \
	--mix spin=50us,sleep=100us,alloc=64K,syscalls=9
ok $? "--compare with run times"
timeout 60 "$program" -n 40 -w 2 -c 2 -s 64:9,4K --mix sleep=1us,2us:3,echo=1 >out 2>err &&
	grep -q '^size 64:9,4096, .*mix sleep=1us:1,2us:3,echo=1$' out
ok $? "the table says what was asked for: $(grep '^size' out)"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
