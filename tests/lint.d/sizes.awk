# SPDX-License-Identifier: MIT
# sizes.awk SOURCES - findings about files and functions that are too long. In src the scope is the
# folder; outside, for files, it is the file, and its weight the lines that it has too many.

function finding(rule, scope, weight, text) { print rule "\t" scope "\t" weight "\t" text }
function folder_of(file) {
	sub(/\/[^\/]*$/, "", file)
	return file
}
function report(    i, j, n, x) {
	if (file == "" || file == "include/brood.h")
		return
	if (lines > 500) {
		if (file ~ /^src\//)
			finding("file-lines", folder_of(file), 1,
				file ": " lines " lines (at most 500)")
		else
			finding("file-lines", file, lines - 500,
				file ": " lines " lines (at most 500)")
	}
	if (file ~ /^src\/.*\.h$/ && lines > 150)
		finding("header-lines", folder_of(file), 1, file ": " lines " lines (at most 150)")
	if (file ~ /^src\/.*\.c$/)
		length_of[++files] = lines
}
FNR == 1 {
	report()
	file = FILENAME
	began = 0
}
{ lines = FNR }
# Bodies stand at the left edge in this house: { opens one, } closes it; the line before { has the
# name.
/^\{/ {
	began = FNR
	name = previous
}
/^\}/ {
	if (began && FNR - began + 2 > 50)
		finding("function-lines", folder_of(FILENAME), 1, FILENAME ":" began ": " \
			FNR - began + 2 " lines in a function (at most 50): " name)
	began = 0
}
{ previous = $0 }
END {
	report()
	for (i = 2; i <= files; i++) {
		x = length_of[i]
		for (j = i - 1; j >= 1 && length_of[j] > x; j--)
			length_of[j + 1] = length_of[j]
		length_of[j + 1] = x
	}
	if (files && length_of[int((files + 1) / 2)] >= 250)
		finding("median", "src", 1, "src: the median .c file has " \
			length_of[int((files + 1) / 2)] " lines (less than 250)")
}
