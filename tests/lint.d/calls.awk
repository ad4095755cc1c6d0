# SPDX-License-Identifier: MIT
# calls.awk FILES NM - NM: what nm says of the library's objects. Prints "circle-calls FOLDER FROM
# TO SYMBOL" for each symbol that one file of a folder has from another, and a finding for each
# global function whose name does not begin with the name of its file. What stands in the face of a
# folder (engine/engine.h) begins with the name of the folder instead.
#
# A file that takes the address of another's function has an undefined symbol, too: it counts as
# a call.

# src/engine/call.c is engine_call.c.o in the archive
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
file == "" { next }
$1 == "U" {
	wanted[++wanted_count] = file " " $2
	next
}
NF == 3 && $2 ~ /[TDBRWV]/ {
	defined[$3] = file
	if ($2 == "T")
		prefix(file, $3)
}
function text_of(file,    line, text) {
	while ((getline line < file) > 0)
		text = text line "\n"
	close(file)
	return text
}
function prefix(file, symbol,    stem, folder, own) {
	folder = file
	sub(/\/[^\/]*$/, "", folder)
	stem = file
	sub(/.*\//, "", stem)
	sub(/\.c$/, "", stem)
	# records.c may say record_, the supervisor's stop.c may say supervisor_stop_
	own = folder
	sub(/.*\//, "", own)
	if (index(symbol, stem "_") == 1 || symbol == stem || index(symbol, own "_" stem) == 1)
		return
	sub(/s$/, "", stem)
	if (index(symbol, stem "_") == 1 || symbol == stem)
		return
	if (!(own in face))
		face[own] = text_of(folder "/" own ".h")
	if (index(symbol, own "_") == 1 && index(face[own], symbol "("))
		return
	if (symbol ~ /^brood_/ || symbol ~ /^_*[a-z]*san_/ || symbol ~ /^__/)
		return
	print "prefix\t" folder "\t1\t" file ": " symbol \
		"() does not begin with the name of its file"
}
END {
	for (i = 1; i <= wanted_count; i++) {
		split(wanted[i], part, " ")
		if (!(part[2] in defined) || defined[part[2]] == part[1])
			continue
		from = part[1]
		to = defined[part[2]]
		folder = from
		sub(/\/[^\/]*$/, "", folder)
		if (index(to, folder "/") != 1 || substr(to, length(folder) + 2) ~ /\//)
			continue
		print "circle-calls " folder " " substr(from, length(folder) + 2) " " \
			substr(to, length(folder) + 2) " " part[2]
	}
}
