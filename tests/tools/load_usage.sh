#!/bin/bash
# SPDX-License-Identifier: MIT
# load_usage.sh BROOD_LOAD: help, usage errors, and output to the place that was asked for.
. "$(dirname "$0")/lib.sh"
program=$(own "$1")
cd "$folder" || exit 99

# wrong WORD OPTION...: exit 2, nothing on standard output, and a message that has the word and says
# where help is
wrong() {
	local word=$1
	shift
	timeout 20 "$program" "$@" >out 2>err </dev/null
	[ $? -eq 2 ] && [ ! -s out ] && grep -q -e "$word" err &&
		grep -q 'Try: brood-load --help' err
	ok $? "usage: $* ($(head -n 1 err))"
}
wrong '1 to 10000' -w 0
wrong '1 to 10000' -w 10001
wrong '1 to 10000' --workers=-3
wrong '1 to 10000' -c 1x
wrong '1 to 10000' -c ''
wrong '1 to 256' -t 0
wrong '1 to 64' --pools 65
wrong 'a worker for each' -w 2 --pools 3
wrong duration -d 0
wrong duration -d nan
wrong duration -d ten
wrong jobs -n 0
wrong jobs -n 99999999999999999999
wrong 4K -s 1.5
wrong 4K -s M
wrong size -s 2000M
wrong size -s 64,
wrong size -s 64,x
wrong 'at most 16' -s 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17
wrong 'open, call or submit' --call send
wrong 'open, call or submit' --call fork
wrong 'auto, handoff or lease' --dispatch ring
wrong 'load alone' --compare --kill-rate 5
wrong 'load alone' --compare --idle 1
wrong 'own ways' --compare --call submit
wrong 'own ways' --compare --dispatch lease
wrong '"hang"' --compare --mix echo=1,hang=1
wrong '"walk"' --mix walk=1
wrong 'echo=99.9' --mix echo
wrong 'echo=99.9' --mix echo=1,
wrong 'echo=99.9' --mix echo=-1
wrong 'above 0' --mix echo=0,nop=0
wrong deadline --deadline 0
wrong kill-rate --kill-rate x
wrong kill-rate --kill-rate 0x10
wrong 1000/s --rate 0x10
wrong duration -d 0x10
wrong 'take --log or disk-full away' --log log --chaos 'disk-full at 100ms'
wrong order --kill-all-at 2,1
wrong seconds --kill-all-at 1,,2
wrong longer -d 2 --kill-all-at 3
wrong number --reload-every 0
wrong reload-every --idle 1 --reload-every 1
wrong 4:400:500 --resize 4
wrong 4:400:500 --resize 4:8
wrong 4:400:500 --resize 0:8:100
wrong 4:400:500 --resize 8:4:100
wrong 4:400:500 --resize 4:8:0
wrong 4:400:500 --resize 4:8:100x
wrong 4:400:500 --resize ' 4:8:100'
wrong 4:400:500 --resize 4:-8:100
wrong 'give -w 9' --resize 4:9:100
wrong 'one pool' --resize 4:8:100 --pools 2
wrong 'load alone' --compare --resize 4:8:100
wrong 'without load' --idle 1 --control
wrong 1000/s --rate 0
wrong 1000/s --rate 1000/h
wrong 1000/s --rate -5
wrong 'one of --rate' --rate 5 --ramp 1:2:3
wrong 'one of --rate' --rate 5 --rate 6
wrong 100:5000:10 --ramp 5:6
wrong 100:5000:10 --ramp 0:1:100000
wrong 1000,2000,4000:5 --steps 1,2
wrong 1000,2000,4000:5 --steps 1,,2:3
wrong 'wants a rate' --poisson
wrong warm-up --warm-up x
wrong 'as long as the run' -d 2 --warm-up 2
wrong 'p99>5ms' --fail-if p99
wrong 'figures p0' --fail-if 'rejected>0'
wrong unit --fail-if 'p99>5'
wrong 'needs a rate' --fail-if 'late>0'
wrong unit --find-max 'p99<5'
wrong 'chooses the rates' --find-max 'p99<5ms' --ramp 1:2:3
wrong 'not -n' --find-max 'p99<5ms' -n 5
wrong 'no --kill' --find-max 'p99<5ms' --kill-rate 5
wrong 'load alone' --compare --rate 5
wrong 'without load' --idle 1 --fail-if 'p99>1s'
wrong longer -d 2 --kill-supervisor-at 3
wrong 'without load' --idle 1 -n 5
wrong 'without load' --idle 1 --kill-rate 5
wrong 'give one of kill, kill-all' --chaos 'killl 5/s'
wrong 'is no time: give a number and us, ms, s or min' --chaos 'kill at 5'
wrong 'give acts' --chaos ''
wrong 'give -w 64' --chaos 'resize 4..64 every 1s'
wrong 'one pool' --chaos 'resize 1..2' --pools 2
wrong 'give a longer --duration' -d 2 --chaos 'fd-pressure at 5s'
wrong 'load alone' --compare --chaos 'kill 1/s'
wrong 'without load' --idle 1 --chaos 'kill 1/s'
wrong seed --seed x
wrong json --json ''
wrong 'No such' --json missing/file
wrong 'No such' --hdr missing/file
wrong 'name of a file' --hdr -
wrong 'one run' --hdr file --compare
wrong 'No such' --report missing/file
wrong 'name of a file' --report ''
wrong 'one run' --report file --compare
wrong '-w wants a value' -w
wrong 'no option -Z' -Z
wrong 'no option --walk' --walk
wrong '"extra"' extra

wrong 'two files' compare
wrong 'two files' compare a
wrong 'two files' compare a b c
wrong 'no option --walk' compare --walk a b
wrong 'wants a value' compare a b --report

timeout 20 "$program" >out 2>err </dev/null
[ $? -eq 2 ] && [ ! -s out ] && timeout 20 "$program" --help | cmp -s - err
ok $? "alone: the help on standard error, and 2"
[ "$(timeout 20 "$program" compare --help | head -c 25)" = 'Usage: brood-load compare' ]
ok $? "compare --help"
timeout 20 "$program" --help >out 2>err && grep -q '^Usage: brood-load' out &&
	grep -qi 'closed loop' out && [ ! -s err ]
ok $? "--help"
timeout 20 "$program" --version | grep -q '^brood-load [0-9]'
ok $? "--version"
timeout 60 "$program" -n 100 -c 4 -w 2 >out 2>err && grep -q 'closed loop' out &&
	grep -q '^one_verdict_per_job *held$' out && [ ! -s err ]
ok $? "a short run: the table on standard output, nothing on standard error"
timeout 60 "$program" -n 100 -c 4 -w 2 -q >out 2>err && [ ! -s out ] && [ ! -s err ]
ok $? "-q: not a word"
timeout 60 "$program" -n 100 -c 4 -w 2 --json - >out 2>err && [ "$(head -c 1 out)" = '{' ] &&
	grep -q '^one_verdict_per_job *held$' err
ok $? "--json -: JSON alone on standard output, the table on standard error"
timeout 60 "$program" -n 100 -c 4 -w 2 -q --json file >out 2>err && [ ! -s out ] && [ ! -s err ] &&
	[ "$(head -c 1 file)" = '{' ]
ok $? "--json FILE"
(ulimit -n 64; timeout 60 "$program" -n 10 -w 100 >out 2>err)
[ $? -eq 2 ] && [ ! -s out ] && grep -q 'brood-load: the pool could not be started: .*64' err
ok $? "a limit on files that is too low: $(head -n 1 err)"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
