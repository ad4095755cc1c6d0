# SPDX-License-Identifier: MIT
# pointers.awk LIST STRIPPED - of what strip.awk printed: the pointers to functions, by which a file
# may call another one that stands above it. Each has a line in LIST: the folder, the name, the
# reason. Types of brood.h are not ours to list.

BEGIN {
	declared = "^[ \t]*(static |extern )?(const )?(unsigned )?" \
		"(void|bool|int|long|char|ssize_t|pid_t|size_t|struct [a-z_]*) "
}
function seen(folder, name, at) {
	if (!((folder, name) in found)) {
		found[folder, name] = at
		order[++count] = folder SUBSEP name
	}
}
FILENAME == ARGV[1] {
	if ($0 ~ /^#/ || NF == 0)
		next
	if (NF < 3)
		print "pointers\t" FILENAME "\t1\t" FILENAME ":" FNR ": no reason"
	listed[$1, $2] = FNR
	next
}
{
	match($0, /^[^:]*:[0-9]*:/)
	at = substr($0, 1, RLENGTH - 1)
	line = substr($0, RLENGTH + 1)
	folder = at
	sub(/^src\//, "", folder)
	if (!sub(/\/[^\/]*$/, "", folder))
		folder = "."
	rest = line
	while (match(rest, /\(\*(const )?[a-z_0-9]+(\[[^]]*\])?\)\(/)) {
		name = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		gsub(/[^a-z_0-9]*\(\*(const )?|\[.*|\).*/, "", name)
		# a call by a pointer has no type before it
		if (line !~ /^[ \t]*(return )?[^(]*\(\*[a-z_]+\)\([^)]*\)\)?;$/ || line ~ declared)
			seen(folder, name, at)
	}
	rest = line
	while (match(rest, /[a-z_]+_fn[ \t]*\*(const )?[a-z_]+/)) {
		name = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		if (name ~ /^brood_|const$/)
			continue
		sub(/.*[* ]/, "", name)
		seen(folder, name, at)
	}
	if (match(line, /^typedef [^(]* \*?[a-z_]+\(/)) {
		name = substr(line, RSTART, RLENGTH - 1)
		sub(/.*[* ]/, "", name)
		seen(folder, name, at)
	}
}
END {
	for (i = 1; i <= count; i++) {
		split(order[i], part, SUBSEP)
		if (!((part[1], part[2]) in listed))
			print "pointers\tsrc" "\t1\t" found[order[i]] ": " part[1] " " part[2] \
				": a pointer to a function that " ARGV[1] " does not know"
	}
	for (key in listed) {
		split(key, part, SUBSEP)
		if (!(key in found))
			print "pointers\tsrc" "\t1\t" ARGV[1] ":" listed[key] ": " part[1] " " \
				part[2] " is no pointer to a function any more"
	}
}
