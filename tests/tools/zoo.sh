# SPDX-License-Identifier: MIT
# zoo.sh: talks with tests/tools/zoo.c. bash sources this file behind lib.sh. $zoo: the program.

# open_zoo WORKERS [TITLE]: starts one; $keeper is its supervisor
open_zoo() {
	rm -f "$folder/zoo.in" "$folder/zoo.out"
	mkfifo "$folder/zoo.in" "$folder/zoo.out" || exit 99
	"$zoo" "$@" <"$folder/zoo.in" >"$folder/zoo.out" 2>"$folder/zoo.err" &
	zoo_job=$!
	exec {zoo_in}>"$folder/zoo.in" {zoo_out}<"$folder/zoo.out"
	answer
	keeper=$(head -n 1 "$folder/answer")
}

# answer: what the zoo says to the last line goes to $folder/answer
answer() {
	local line
	: >"$folder/answer"
	while IFS= read -r -t 60 line <&"$zoo_out"; do
		[ "$line" != . ] || return 0
		printf '%s\n' "$line" >>"$folder/answer"
	done
	say "the zoo does not answer: $(cat "$folder/zoo.err")"
	return 1
}

ask() {         # ask WORD...: one command, and its answer
	printf '%s\n' "$*" >&"$zoo_in"
	answer
}

close_zoo() {   # ends it
	printf 'stop\n' >&"$zoo_in"
	exec {zoo_in}>&- {zoo_out}<&-
	wait "$zoo_job"
}

# until_true COMMAND...: at most 20 s
until_true() {
	local tries=400
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.05
	done
}
