# SPDX-License-Identifier: MIT
# structs.awk ROOTS STRIPPED - of what strip.awk printed: structs of more than 30 members, and
# structs whose members stand under different locks.
#
# The parts of a struct begin with a comment `guarded by: X`, where X is a lock, or `nothing` and
# why (set once, atomic, one thread's). A struct that has such a comment has one before its first
# member. All locks that a struct names are one.
#
# ROOTS: a name and a reason a line: the root structs of a process, which may have more members.

function finding(rule, at, text,    folder) {
	folder = at
	sub(/\/[^\/]*$/, "", folder)
	print rule "\t" folder "\t1\t" at ": " text
}

# members in a list of declarators: commas outside of brackets
function declarators(text,    i, c, deep, n) {
	n = 1
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c ~ /[([{]/)
			deep++
		else if (c ~ /[])}]/)
			deep--
		else if (c == "," && !deep)
			n++
	}
	return n
}

function lock_named(name, new_wording) {
	if (new_wording && name ~ /^nothing/) {
		if (!members)
			headed = 1
		return
	}
	if (!(name in locks)) {
		locks[name] = 1
		locks_count++
		locks_text = locks_text (locks_text ? ", " : "") name
	}
	if (!members)
		headed = 1
}

function close_struct() {
	if (members > 30 && !(name in root))
		finding("struct-members", began,
			"struct " name " has " members " members (at most 30)")
	if (locks_count > 1)
		finding("struct-locks", began, "struct " name " stands under " locks_text)
	else if (locks_count == 1 && !headed)
		finding("struct-locks", began, "struct " name " stands under " locks_text \
			", and some members do not say under what")
}

FILENAME == ARGV[1] {
	if ($0 !~ /^#/ && $1 != "")
		root[$1] = 1
	next
}
{
	match($0, /^[^:]*:[0-9]*:/)
	at = substr($0, 1, RLENGTH - 1)
	line = substr($0, RLENGTH + 1)
	if (!deep && match(line, /^(typedef )?(static )?(const )?(struct|union) [a-z_0-9]* *\{/)) {
		name = substr(line, RSTART, RLENGTH)
		sub(/ *\{$/, "", name)
		sub(/.* /, "", name)
		began = at
		members = locks_count = headed = 0
		locks_text = pending = ""
		split("", locks)
		line = substr(line, RLENGTH + 1)
		deep = 1
	}
	if (!deep)
		next
	while (line != "") {
		if (!match(line, /@lock\([^)]*\)|@under\([^)]*\)|[{};]/)) {
			pending = pending line " "
			break
		}
		pending = pending substr(line, 1, RSTART - 1)
		token = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (token ~ /^@/) {
			inner = token
			sub(/^@[a-z]*\(/, "", inner)
			sub(/\)$/, "", inner)
			lock_named(inner, token ~ /^@lock/)
		} else if (token == "{") {
			deep++
			# of an enum in a struct the constants are no members
			was_enum[deep] = pending ~ /enum/
			pending = ""
		} else if (token == "}") {
			deep--
			pending = "@closed "
			if (!deep) {
				close_struct()
				break
			}
		} else {
			gsub(/[ \t]+/, " ", pending)
			# what closes a struct inside of this one has been counted by its members
			if (pending !~ /^@closed/ && pending !~ /^ *$/)
				members += declarators(pending)
			pending = ""
		}
	}
}
