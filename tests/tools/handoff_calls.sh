#!/bin/bash
# SPDX-License-Identifier: MIT
# handoff_calls.sh BROOD_LOAD: how many system calls a job by handoff takes, in engine, supervisor
# and worker together. Two runs are counted, one with a thousand jobs more: the difference is what
# these jobs took. (What brood-load itself does at times is a small part of a call for each job.)
. "$(dirname "$0")/lib.sh"
program=$(realpath "$1")
cd "$folder" || exit 99
command -v strace >/dev/null || skip_all "no strace"
strace -f -c -o none true 2>err || skip_all "strace may not trace: $(head -c 200 err)"

# calls N OPTION...: how many system calls a run with N jobs takes
calls() {
	local n=$1
	shift
	timeout 120 strace -f -c -o table "$program" -q -n "$n" -w 1 -c 1 --dispatch handoff "$@" \
		>out 2>err || return
	awk '$NF == "total" { print $4 ~ /^[0-9]+$/ ? $4 : $3 }' table
}

# most LIMIT NAME OPTION...
most() {
	local limit=$1 name=$2 few=0 many=0
	shift 2
	few=$(calls 200 "$@") && many=$(calls 1200 "$@")
	ok $? "$name: runs are counted $(cat err)"
	awk -v few="$few" -v many="$many" -v limit="$limit" \
		'BEGIN { exit !(few > 0 && many > few && (many - few) / 1000 <= limit) }'
	ok $? "$name: $few calls for 200 jobs, $many for 1200, at most $limit a job more"
	say "$name: $(awk -v f="$few" -v m="$many" 'BEGIN { print (m - f) / 1000 }') a job"
}

most 12.5 "a call" --call call --mix echo=1
most 12.5 "a call without bytes" --call call --mix nop=1
done_testing
