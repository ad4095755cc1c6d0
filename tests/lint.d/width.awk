# SPDX-License-Identifier: MIT
# width.awk SOURCES - lines over 100 columns, where a tab goes to the next multiple of 8.

length($0) > 12 {
	columns = length($0)
	if (index($0, "\t")) {
		n = split($0, part, "\t")
		columns = 0
		for (i = 1; i < n; i++)
			columns = int((columns + length(part[i])) / 8) * 8 + 8
		columns += length(part[n])
	}
	if (columns > 100)
		print "width\tall\t1\t" FILENAME ":" FNR ": " columns " columns"
}
