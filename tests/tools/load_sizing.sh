#!/bin/bash
# SPDX-License-Identifier: MIT
# load_sizing.sh BROOD_LOAD SOURCE_ROOT: each command of brood-sizing(7) and each example of
# --help does what is said, in runs that are made short. Figures are not judged.
. "$(dirname "$0")/lib.sh"
program=$(own "$1") root=$(realpath "$2")
cd "$folder" || exit 99
mkdir bin && ln -s "$program" bin/brood-load && PATH=$folder/bin:$PATH

# The commands of a page, each in one line.
commands() {
	awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 }
		on && (/^(brood-load|cc) / || more) {
			more = sub(/ *\\e$/, "")
			printf "%s%s", $0, more ? " " : "\n"
		}' "$1" | sed 's/  */ /g'
}
short() {
	sed -E 's/ -d [0-9]+/ -d 0.4/g; s/every [0-9]+s/every 100ms/g
		/ -d /!s/brood-load (--rate|--find-max)/brood-load -d 0.4 \1/g'
}

page=$root/tools/man/brood-sizing.7
awk '/^#include <brood.h>/ { on = 1 } /^\.Ed/ { on = 0 } on' "$page" >resize.c
commands "$page" >all
[ "$(wc -l <all)" -ge 9 ] && grep -q 'compare calm.json storm.json' all
ok $? "brood-sizing(7) has its commands: $(wc -l <all)"
while read -r line; do
	case $line in cc*) command -v cc >/dev/null || continue
		line="$line -I $root/include" ;; esac
	case $line in *resize.so:*) [ -e resize.so ] || continue ;; esac
	timeout 200 bash -c "$(short <<<"$line")" >out 2>err </dev/null
	code=$?
	# 3: on a busy machine a condition may not hold; that is what it says
	[ $code -eq 0 ] || { [ $code -eq 3 ] && grep -qE 'fail-if|find-max' <<<"$line"; }
	ok $? "$line: $code $(head -c 300 err)"
done <all
[ -s calm.html ] && [ -s storm.html ] && [ -s both.html ]
ok $? "the pages are there"
timeout 20 brood-load --help | sed -n 's/^  \(brood-load .*\)/\1/p' >all
[ "$(wc -l <all)" -ge 5 ]
ok $? "--help has examples"
while read -r line; do
	timeout 200 bash -c "$(short <<<"$line")" >out 2>err </dev/null
	code=$?
	[ $code -eq 0 ] || { [ $code -eq 3 ] && grep -q find-max <<<"$line"; }
	ok $? "$line: $code $(head -c 300 err)"
done <all
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
