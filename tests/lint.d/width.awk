# SPDX-License-Identifier: MIT
# width.awk FILES - lines over 100 columns, where a tab goes to the next multiple of 8. Excepted are
# the rows of tables (Markdown; pointers and allowances in lint.d), and outside of C what nobody can
# wrap: a word, or a quotation that is no comment, of more than 60 columns.

function is_table() {
	return FILENAME ~ /lint\.d\/(pointers|allowances)$/ || FILENAME ~ /\.md$/ && /^\|/
}
function longest(rest, pattern,    most) {
	while (match(rest, pattern)) {
		if (RLENGTH > most)
			most = RLENGTH
		rest = substr(rest, RSTART + RLENGTH)
	}
	return most
}
function is_whole() {
	if (FILENAME ~ /\.(c|h|cc)$/)
		return 0
	return longest($0, /^[ \t]*#/ ? "[^ \t]+" : "\"[^\"]*\"|'[^']*'|[^ \t\"']+") > 60
}
length($0) > 12 {
	columns = length($0)
	if (index($0, "\t")) {
		n = split($0, part, "\t")
		columns = 0
		for (i = 1; i < n; i++)
			columns = int((columns + length(part[i])) / 8) * 8 + 8
		columns += length(part[n])
	}
	if (columns > 100 && !is_table() && !is_whole())
		print "width\tall\t1\t" FILENAME ":" FNR ": " columns " columns"
}
