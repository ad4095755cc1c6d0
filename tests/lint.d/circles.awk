# SPDX-License-Identifier: MIT
# circles.awk EDGES - "RULE FOLDER FROM TO WHAT" a line: who calls or includes whom. Names each file
# that reaches itself, and what leads it there.

{
	key = $1 "\t" $2
	if (!(key in groups)) {
		groups[key] = 1
		group[++group_count] = key
	}
	if (!((key, $3) in known)) {
		known[key, $3] = 1
		nodes[key] = nodes[key] " " $3
	}
	if (!((key, $4) in known)) {
		known[key, $4] = 1
		nodes[key] = nodes[key] " " $4
	}
	if (!((key, $3, $4) in edge))
		reach[key, $3, $4] = 1
	edge[key, $3, $4] = edge[key, $3, $4] (edge[key, $3, $4] ? " " : "") $5
}
function few(text,    n, part) {
	n = split(text, part, " ")
	return n < 4 ? text : part[1] " " part[2] " " part[3] " and " n - 3 " more"
}
END {
	for (g = 1; g <= group_count; g++) {
		key = group[g]
		split(key, what, "\t")
		n = split(nodes[key], node, " ")
		for (k = 1; k <= n; k++)
			for (i = 1; i <= n; i++)
				if ((key, node[i], node[k]) in reach)
					for (j = 1; j <= n; j++)
						if ((key, node[k], node[j]) in reach)
							reach[key, node[i], node[j]] = 1
		for (i = 1; i <= n; i++) {
			if (!((key, node[i], node[i]) in reach))
				continue
			text = ""
			for (j = 1; j <= n; j++)
				if (i != j && (key, node[i], node[j]) in edge &&
					(key, node[j], node[i]) in reach)
					text = text (text ? "; " : "") node[j] " (" \
						few(edge[key, node[i], node[j]]) ")"
			print what[1] "\t" what[2] "\t1\t" what[2] "/" node[i] \
				": in a circle: " text
		}
	}
}
