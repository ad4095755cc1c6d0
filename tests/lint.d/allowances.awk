# SPDX-License-Identifier: MIT
# allowances.awk ALLOWANCES FINDINGS - prints the findings of each rule and scope whose weights are
# more than ALLOWANCES says, and exits with 1 if there are any. all: prints the allowed ones, too.
# objects: 0 if what objects call could not be looked at.

BEGIN { FS = "\t" }
FILENAME == ARGV[1] {
	if ($0 ~ /^#/ || $0 == "")
		next
	split($0, part, " ")
	allowed[part[1], part[2]] = part[3]
	next
}
{
	weight[$1, $2] += $3
	text[++count] = $1 ": " $4
	key[count] = $1 SUBSEP $2
	rule[$1, $2] = $1
	scope[$1, $2] = $2
}
END {
	for (i = 1; i <= count; i++) {
		over = weight[key[i]] > allowed[key[i]] + 0
		if (over || all)
			print text[i]
		bad += over
	}
	for (k in weight)
		if (weight[k] > allowed[k] + 0)
			print "lint: " rule[k] " " scope[k] ": " weight[k] \
				" where " allowed[k] + 0 " is allowed"
	for (k in allowed) {
		split(k, part, SUBSEP)
		if (!objects && part[1] ~ /^(circle-calls|circle|prefix)$/)
			continue
		if (weight[k] + 0 < allowed[k])
			print "lint: lower the allowance: " part[1] " " part[2] " " \
				weight[k] + 0 " (was " allowed[k] ")"
	}
	if (bad) {
		print "lint: " bad \
			" findings (a commit may lower lint.d/allowances, never raise it)"
		exit 1
	}
}
