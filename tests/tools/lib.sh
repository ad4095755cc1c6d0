# SPDX-License-Identifier: MIT
# The common part of the tools' tests: a folder for each test, TAP lines, and a count of left
# processes. bash sources this file. The tests judge from outside: they run a program as any user
# would run it.
set -u
export LC_ALL=C

folder=$(mktemp -d "${TMPDIR:-/tmp}/brood-test.XXXXXX") || exit 99
tests=0 failures=0
trap 'rm -rf "$folder"' EXIT

ok() {          # ok CODE NAME: passed if CODE is 0. NAME may have several lines; TAP gets one
	set -- "$1" "$(tr '\n' ' ' <<<"$2")"
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests - $2"
	else
		echo "not ok $tests - $2"
		failures=$((failures + 1))
	fi
}

say() {         # prints a remark of one or more lines
	printf '%s\n' "$*" | sed 's/^/# /'
}

skip_all() {    # skip_all REASON
	echo "1..0 # SKIP $1"
	exit 0
}

# beside COMMAND...: runs COMMAND in the background, in a folder of its own. Its checks count once
# together has waited for all commands of this kind.
parts=0
beside() {
	parts=$((parts + 1))
	mkdir "$folder/part$parts" || exit 99
	(
		tests=0 failures=0
		cd "$folder/part$parts" || exit
		"$@"
		echo end
	) >"$folder/part$parts.tap" &
}
together() {
	local i line last
	wait
	for ((i = 1; i <= parts; i++)); do
		last=
		while IFS= read -r line; do
			last=$line
			case $line in
			"ok "*) ok 0 "${line#ok * - }" ;;
			"not ok "*) ok 1 "${line#not ok * - }" ;;
			end) ;;
			*) printf '%s\n' "$line" ;;
			esac
		done <"$folder/part$i.tap"
		[ "$last" = end ] || ok 1 "part $i ended early, after: $last"
	done
	parts=0
}

done_testing() {
	echo "1..$tests"
	[ "$failures" -eq 0 ]
	exit
}

# own PROGRAM: prints a path of PROGRAM that no other test uses, so that left() does not count the
# processes of tests that run at the same time. It is in PROGRAM's folder, where PROGRAM finds its
# library.
own() {
	local path link
	path=$(realpath "$1")
	link=$path-of-$(basename "$0" .sh)
	ln -f "$path" "$link" 2>/dev/null || cp "$path" "$link" || return
	echo "$link"
}

# left PATH: prints how many processes run a program whose path begins with PATH. Waits up to two
# seconds for them to end.
left() {
	local found tries=40
	while :; do
		found=$(pids_of "$1" | wc -l)
		[ "$found" -eq 0 ] || [ $((tries -= 1)) -eq 0 ] && break
		sleep 0.05
	done
	echo "$found"
}

pids_of() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in "$1"*) exe=${exe#/proc/}; echo \
			"${exe%/exe}" ;; esac
	done
}
