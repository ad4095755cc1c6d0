#!/bin/bash
# SPDX-License-Identifier: MIT
# load_planted.sh JSON_READ PLANTED...: each PLANTED is a build with one bug (tools/load/plant.h).
# brood-load must find the bug, exit with 1, and name the invariant. This proves that brood-load can
# fail.
. "$(dirname "$0")/lib.sh"
reader=$(realpath "$1")
shift
mapfile -t programs < <(realpath "$@")
set -- "${programs[@]}"
cd "$folder" || exit 99

# broken PROGRAM INVARIANT WORDS OPTION...: exit 1; that invariant alone broke; standard error says
# so in such words. besides: another invariant that may break
besides=
broken() {
	local program=$1 invariant=$2 words=$3 values value i all=0
	local names=(one_verdict_per_job replies_intact pool_full nothing_left counters_agree
		chaos_expected)
	shift 3
	timeout 100 "$program" -q --json json "$@" >out 2>err
	local code=$?
	values=$("$reader" json "${names[@]/#/invariants.}" 2>&1)
	i=0
	for value in $values; do
		case ${names[i]},$value in
		"$invariant",false | *,true | counters_agree,null | chaos_expected,null) ;;
		"$besides",false) ;;
		*) all=1 ;;
		esac
		[ "${names[i]}" = "$invariant" ] && [ "$value" != false ] && all=1
		i=$((i + 1))
	done
	[ $code -eq 1 ] && [ $all -eq 0 ] && [ $i -eq 6 ] &&
		grep -q "^brood-load: $invariant: .*$words" err
	ok $? "$(basename "$program") $*: exit code $code, $(head -n 1 err)"
	[ "$("$reader" json broken)" -gt 0 ]
	ok $? "the JSON says what broke"
}
above() {
	[ "$("$reader" json "$1")" -gt 0 ]
	ok $? "$1 is above 0"
}

lost=${1:?} twice=${2:?} swapped=${3:?} flipped=${4:?} fd=${5:?} zombie=${6:?}
grandchild=${7:?} slot=${8:?} incomplete=${9:?}
late=${10:?} pool=${11:?} reload=${12:?} histogram=${13:?}
by() {          # by HOW: the bugs that a run sees whichever way its jobs are given
	local how=$1
	local many=(-n 2500 -w 4 -c 16 -s 64 --call "$how" --deadline 1000)
	broken "$lost" one_verdict_per_job 'had no verdict' "${many[@]}" --mix nop=1
	above jobs.unaccounted
	broken "$twice" one_verdict_per_job twice "${many[@]}" --mix nop=1
	above jobs.unaccounted
	broken "$incomplete" one_verdict_per_job 'its worker is missing' "${many[@]}" --mix nop=1
	broken "$late" one_verdict_per_job 'long after the end' -d 9 -w 4 -c 16 --call "$how"
	# the verdict of the library does not count the job as refused
	besides=counters_agree
	broken "$reload" chaos_expected 'reload: expected: .* 1 jobs refused' -d 3 -w 4 -c 16 \
		--call "$how" --chaos 'reload every 200ms'
	besides=
	broken "$histogram" counters_agree 'brood_histogram() has' -n 1000 -w 4 -c 16 \
		--call "$how" --mix nop=1,sleep=20ms:1,33ms:1,55ms:1
	broken "$swapped" replies_intact 'not what was sent' "${many[@]}"
	broken "$flipped" replies_intact 'not what was sent' "${many[@]}"
}
leftovers() {
	local few=(-n 200 -w 2 -c 4)
	broken "$fd" nothing_left 'fds more' "${few[@]}"
	above left.fds
	broken "$zombie" nothing_left zombies "${few[@]}"
	above left.zombies
	broken "$grandchild" nothing_left processes "${few[@]}"
	above left.processes
}
slots() {
	broken "$slot" pool_full 'ready worker' -d 2 -w 4 -c 8 --kill-rate 10
	broken "$slot" pool_full 'ready worker' -d 2 -w 4 -c 8 --kill-rate 10 --call submit
}
pools() {
	for how in call open; do
		broken "$pool" one_verdict_per_job 'it ran in another pool' -n 4000 -w 4 --pools 2 \
			-c 8 -t 2 --call $how
	done
}
# These runs mostly wait for what does not come.
for how in call open submit; do
	beside by "$how"
done
beside leftovers
beside slots
beside pools
together
for program; do
	[ "$(left "$program")" -eq 0 ]
	ok $? "nothing is left of $(basename "$program")"
done
done_testing
