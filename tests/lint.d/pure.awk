# SPDX-License-Identifier: MIT
# pure.awk FILES NM - src/pool decides without system calls: what its objects call is found there,
# or in this list.

BEGIN {
	n = split("memcpy memset memmove memcmp strlen strnlen strcmp strchr strncmp memchr snprintf " \
		"vsnprintf strncpy strcpy calloc malloc free abort", libc, " ")
	for (i = 1; i <= n; i++)
		fine[libc[i]] = 1
}
FILENAME == ARGV[1] {
	name = $0
	sub(/^src\//, "", name)
	gsub(/\//, "_", name)
	file_of[name ".o"] = $0
	next
}
/:$/ {
	member = $0
	sub(/:$/, "", member)
	sub(/.*\//, "", member)
	file = member in file_of ? file_of[member] : ""
	next
}
file ~ /^src\/(pool|base)\// && NF == 3 { defined[$3] = 1 }
file ~ /^src\/pool\// {
	seen = 1
	if ($1 == "U")
		calls[file, $2] = file
}
END {
	if (!seen)
		print "pool\tall\t1\tlint: nothing of src/pool was found in the archive"
	for (key in calls) {
		split(key, part, SUBSEP)
		symbol = part[2]
		if (symbol in defined || symbol ~ /^_*stack_chk_fail$|^_GLOBAL_OFFSET_TABLE_$/ ||
			symbol ~ /^_*(asan|ubsan|tsan|sanitizer|gcov|llvm)_/)
			continue
		sub(/^_*/, "", symbol)
		sub(/_chk$/, "", symbol)
		if (!(symbol in fine))
			print "pool\tall\t1\t" part[1] ": calls " part[2]
	}
}
