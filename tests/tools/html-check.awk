# SPDX-License-Identifier: MIT
# html-check.awk FILE - a strict look at a page of HTML that a program has made: every tag is
# closed in its order, every attribute is quoted and stands once, no bare < > or & is in the text,
# and nothing is fetched from elsewhere. Prints what is wrong; exit status 1.

function wrong(what) {
	print FILENAME ": near byte " at ": " what
	failed = 1
}
function attributes(tag, text,    name, seen) {
	while (match(text, /^[ \n]*[a-zA-Z-]+/)) {
		name = substr(text, RSTART, RLENGTH)
		gsub(/[ \n]/, "", name)
		text = substr(text, RLENGTH + 1)
		if (name in seen)
			wrong(tag " has " name " twice")
		seen[name] = 1
		if (!match(text, /^="[^"<>]*"/)) {
			wrong(tag ": " name " has no quoted value")
			return
		}
		if (name ~ /^(src|srcset|action|poster|background)$/ || name ~ /^on/)
			wrong(tag " has the attribute " name)
		if (name == "href" && substr(text, RSTART, RLENGTH) !~ /^="(#|data:,)/)
			wrong("a reference to " substr(text, RSTART, RLENGTH))
		text = substr(text, RLENGTH + 1)
	}
	sub(/^[ \n]*\/?[ \n]*$/, "", text)
	if (text != "")
		wrong(tag ": odd attributes: " text)
}
function words(text) {
	if (text ~ />/)
		wrong("a bare > in: " text)
	gsub(/&(lt|gt|amp|quot|nbsp|micro|times|minus|#39|#xfffd);/, "", text)
	if (text ~ /&/)
		wrong("a bare & in: " text)
}
function one(tag,    name) {
	if (tag ~ /^!DOCTYPE html$/)
		return
	name = tag
	sub(/[ \n\/].*/, "", name)
	if (substr(tag, 1, 1) == "/") {
		name = substr(tag, 2)
		if (stack[depth] != name)
			wrong("</" name "> where </" stack[depth] "> was due")
		depth--
		return
	}
	if (name !~ /^[a-z][a-z0-9]*$/)
		wrong("odd tag: " tag)
	attributes(name, substr(tag, length(name) + 1))
	if (name !~ /^(meta|link|br)$/ && tag !~ /\/$/)
		stack[++depth] = name
	tags[name]++
}
{ page = page $0 "\n" }
END {
	size = length(page)
	if (tolower(page) ~ /https?:|url\(|@import|\/\/[a-z]/)
		wrong("something is fetched from elsewhere")
	rest = page
	while (match(rest, /</)) {
		words(substr(rest, 1, RSTART - 1))
		at += RSTART
		rest = substr(rest, RSTART + 1)
		end = index(rest, ">")
		if (!end) {
			wrong("a tag does not end")
			break
		}
		tag = substr(rest, 1, end - 1)
		one(tag)
		rest = substr(rest, end + 1)
		at += end
		if (tag ~ /^(script|style)/) { # what is in there is no HTML
			end = index(rest, tag ~ /^script/ ? "</script" : "</style")
			rest = substr(rest, end)
			at += end - 1
		}
	}
	if (depth)
		wrong("<" stack[depth] "> is not closed")
	if (!tags["html"] || !tags["title"] || !tags["h1"])
		wrong("it has no html, title or h1")
	exit failed
}
