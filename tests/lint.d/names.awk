# SPDX-License-Identifier: MIT
# names.awk FILES - findings about the names of the files of src.
#
# A door needs no header of its own: a .c file all of whose global functions stand in the face of
# its folder (engine/engine.h), or in brood.h.

function text_of(file,    line, text) {
	while ((getline line < file) > 0)
		text = text line "\n"
	close(file)
	return text
}
function is_door(file, faces,    line, name, seen) {
	while ((getline line < file) > 0) {
		if (line !~ /^[a-z].*\(/ || line ~ /;$/ ||
			line ~ /^(static|typedef|extern|struct [a-z_]* =)/)
			continue
		name = line
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		if (!index(faces, name "(")) {
			close(file)
			return 0
		}
		seen = 1
	}
	close(file)
	return seen
}
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
		face = folder
		sub(/.*\//, "", face)
		face = folder "/" face ".h"
		if (!(header in here) &&
			!is_door(sources[i], text_of(face) text_of("include/brood.h")))
			finding("own-header", folder, sources[i] ": has no " header)
	}
}
