#!/bin/bash
# SPDX-License-Identifier: MIT
# completion.sh FOLDER PROGRAM...: the completion files in FOLDER have the options that --help of
# each program lists, no more and no less, and bash completes with them.
. "$(dirname "$0")/lib.sh"
files=$(realpath "$1")
shift

options() {
	grep -oE -- '(^|[][ ,(|{}'\''])--?[A-Za-z][A-Za-z-]*' | sed "s/^[][ ,(|{}']*//" | sort -u
}

# completed WORD...: what bash offers for the last word
completed() {
	local program=$1
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	"_${program//-/_}"
	printf '%s\n' "${COMPREPLY[@]}" | sort
}

for program; do
	name=$(basename "$program")
	timeout 20 "$program" --help | sed '/^Exit code/,$d' | options >"$folder/help"
	[ -s "$folder/help" ]
	ok $? "$name: --help lists options"
	. "$files/$name.bash"
	completed "$name" - | sort -u >"$folder/bash"
	diff "$folder/help" "$folder/bash" >"$folder/diff"
	ok $? "$name: bash offers the options of --help $(cat "$folder/diff")"
	sed '1,/^_arguments/d' "$files/_$name" | sed 's/\[[^]]*\]//g' | options >"$folder/zsh"
	diff "$folder/help" "$folder/zsh" >"$folder/diff"
	ok $? "$name: zsh offers the options of --help $(cat "$folder/diff")"
	if command -v zsh >/dev/null; then
		zsh -n "$files/_$name"
		ok $? "$name: zsh reads it"
	fi
done
for command in $(timeout 20 "$1" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort -u); do
	completed brood-ctl "$command" | grep -qx "$command"
	ok $? "brood-ctl: the command $command"
done
[ "$(completed brood-ctl wait '')" = ready ] && [ "$(completed brood-load --call o)" = open ] &&
	[ "$(completed brood-top --sort sl)" = slot ] &&
	[ "$(completed brood-load --mix nop=1,ec)" = nop=1,echo= ] &&
	[ "$(completed brood-load com)" = compare ] &&
	[ "$(completed brood-load compare a.json --r)" = --report ]
ok $? "values of options"
done_testing
