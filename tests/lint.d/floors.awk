# SPDX-License-Identifier: MIT
# floors.awk SOURCES - findings about includes that go up a floor. For includes inside a folder it
# prints "circle-includes FOLDER FROM TO FILE": x.c and x.h are one module there, but for the face
# of a folder, engine/engine.h: what other folders see of it lies below its files, and engine.c
# above.

function floor_of(folder) { return folder in floor ? floor[folder] : -1 }
function bad(text) { print "floors\tall\t1\t" FILENAME ":" FNR ": " text ": " $0 }
function stem(name) {
	sub(/.*\//, "", name)
	if (name == own ".h")
		return name
	sub(/\.[ch]$/, "", name)
	return name
}
BEGIN {
	floor["base"] = 0
	floor["os"] = 1
	floor["loop"] = 2
	floor["wire"] = 3
	floor["pool"] = 4
	floor["supervisor"] = floor["engine"] = floor["worker"] = floor["guard"] = \
		floor["spawner"] = 5
	floor["inline"] = 6
	floor["front"] = 7
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	n = split(FILENAME, part, "/")
	own = n == 2 ? "." : part[2]
	text = $0
	sub(/^[^"]*"/, "", text)
	sub(/".*/, "", text)
	target = own
	if (text ~ /^\.\.\//) {
		sub(/^\.\.\//, "", text)
		target = index(text, "/") ? substr(text, 1, index(text, "/") - 1) : "."
	} else if (index(text, "/")) {
		target = own == "." ? substr(text, 1, index(text, "/") - 1) : "?"
	}
	if (floor_of(own) < 0 || floor_of(target) < 0)
		bad("a folder that is no floor")
	else if (own != target && floor_of(target) >= floor_of(own))
		bad(own " must not include " target)
	else if (own == target && stem(FILENAME) != stem(text))
		print "circle-includes " (own == "." ? "src" : "src/" own) " " stem(FILENAME) \
			" " stem(text) " " FILENAME
}
/^[ \t]*#[ \t]*include[ \t]*<brood\// { bad("<brood.h> is all that is public") }
