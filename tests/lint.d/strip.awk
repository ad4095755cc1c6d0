# SPDX-License-Identifier: MIT
# strip.awk - prints C files with "FILE:LINE:" before each line, without comments, strings and the
# directives of the preprocessor. What is left can be searched for words of the language.
#
# A comment that says under which lock the members of a struct stand is kept as @lock(NAME).

function heading(comment,    name) {
	if (match(comment, /guarded by: *[^*;,]*/)) {
		name = substr(comment, RSTART + 11, RLENGTH - 11)
		gsub(/^ +| +$/, "", name)
		return "@lock(" name ")"
	}
	# the wording of older comments
	if (match(comment, /[Uu]nder (the )?[a-z_.]*('s )?(lock|queues_lock)/)) {
		name = substr(comment, RSTART + 6, RLENGTH - 6)
		sub(/^the /, "", name)
		return "@under(" name ")"
	}
	if (comment ~ /guards what follows/)
		return "@under(own)"
	return ""
}

FNR == 1 { inside = directive = 0; comment = "" }
{
	line = $0
	out = ""
	if (directive || (!inside && line ~ /^[ \t]*#/)) {
		directive = line ~ /\\$/
		line = ""
	}
	while (line != "") {
		if (inside) {
			i = index(line, "*/")
			if (!i) {
				comment = comment " " line
				break
			}
			comment = comment " " substr(line, 1, i - 1)
			line = substr(line, i + 2)
			inside = 0
			gsub(/[ \t*]+/, " ", comment)
			out = out heading(comment) " "
			comment = ""
			continue
		}
		if (!match(line, /\/\*|\/\/|"|'/)) {
			out = out line
			break
		}
		out = out substr(line, 1, RSTART - 1)
		opened = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (opened == "/*") {
			inside = 1
		} else if (opened == "//") {
			break
		} else {
			# to the quote that closes it, which no backslash stands before
			for (i = 1; i <= length(line); i++) {
				c = substr(line, i, 1)
				if (c == "\\")
					i++
				else if (c == opened)
					break
			}
			line = substr(line, i + 1)
			out = out (opened == "\"" ? "\"\"" : "0")
		}
	}
	print FILENAME ":" FNR ":" out
}
