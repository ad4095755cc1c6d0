# SPDX-License-Identifier: MIT
# names.awk FILES - findings about the names of the files of src.

function finding(rule, scope, text) { print rule "\t" scope "\t1\t" text }
{
	folder = stem = $0
	sub(/\/[^\/]*$/, "", folder)
	sub(/.*\//, "", stem)
	sub(/\.[ch]$/, "", stem)
	here[$0] = 1
	if ($0 ~ /\.c$/) {
		sources[++count] = $0
		if (folder == "src")
			finding("loose", folder, $0 ": stands beside the folders")
	}
	if (!(stem in home))
		home[stem] = folder
	else if (home[stem] != folder)
		finding("twice", "src", $0 ": there is one in " home[stem])
}
END {
	for (i = 1; i <= count; i++) {
		header = sources[i]
		folder = header
		sub(/c$/, "h", header)
		sub(/\/[^\/]*$/, "", folder)
		if (!(header in here))
			finding("own-header", folder, sources[i] ": has no " header)
	}
}
