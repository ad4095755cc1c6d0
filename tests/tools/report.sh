#!/bin/bash
# SPDX-License-Identifier: MIT
# report.sh FAULTS STATIC PLUGIN [SANITIZED]: death reports name the guilty function among the first
# three frames: in a release build, shared and static, without debug information. Of a program
# without symbols they give module and offset.
. "$(dirname "$0")/lib.sh"
faults=$(realpath "$1") static=$(realpath "$2") plugin=$(realpath "$3")
LD_LIBRARY_PATH=$(dirname "$faults")/../../src; export LD_LIBRARY_PATH
command -v strip >/dev/null && command -v addr2line >/dev/null || skip_all "no binutils here"

# check NAME PROGRAM OPTION...: each line of the program is a test of this script.
check() {
	local name=$1 line status
	shift
	while read -r line; do
		case $line in
		"ok - "*) status=0 ;;
		"not ok - "*) status=1 ;;
		*) continue ;;
		esac
		ok $status "$name: ${line#*ok - }"
	done < <(timeout 200 "$@" 2>"$folder/errors"; echo "left $?")
	say "$(cat "$folder/errors")"
}

strip -g -o "$folder/faults" "$faults"
strip -g -o "$folder/plugin.so" "$plugin"
strip -g -o "$folder/static" "$static"
strip -s -o "$folder/stripped" "$faults"
check "by handoff" "$folder/faults" "$folder/plugin.so"
check "on a lease" "$folder/faults" --lease "$folder/plugin.so"
check "static" "$folder/static"
ok $((tests < 60)) "there were $tests faults"

# Without symbols: the offset in the file is the one of the guilty function.
good=0 all=0
while read -r guilty rest; do
	all=$((all + 1))
	set -- $rest
	for n in 1 2 3; do
		[ $# -ge 2 ] || break
		[ "$1" = stripped ] && found=$(addr2line -f -e "$faults" "$2" | head -1) || found=
		if [ "${found#"$guilty"}" != "$found" ]; then
			good=$((good + 1))
			break
		fi
		shift 2
	done
done < <(timeout 200 "$folder/stripped" --stripped 2>/dev/null)
ok $((all < 18 || good < all - 1)) "without symbols: $good of $all have module and offset"
done_testing
