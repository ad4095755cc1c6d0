# SPDX-License-Identifier: MIT
# testlog.awk LOG LOG - reads meson's testlog.txt twice and prints lines of four kinds:
#
#	count PASSED FAILED SKIPPED  each test of a program that speaks TAP counts, else the program
#	skipped TEXT                 a skipped test with its reason
#	detail TEXT                  what the log has about a failed program: 15 lines a case
#	failed TEXT                  a failed case, or a failed program, with its message

BEGIN { most = 15 }

# The first reading: meson's summary knows what a block does not say, a timeout above all.
FNR == NR {
	if ($0 ~ /^ *[0-9]+\/[0-9]+ .* (FAIL|ERROR|TIMEOUT|INTERRUPT) +[0-9.]+s/) {
		name = $0
		sub(/^ *[0-9]+\/[0-9]+ +/, "", name)
		match(name, / +(FAIL|ERROR|TIMEOUT|INTERRUPT) +[0-9.]+s/)
		word = substr(name, RSTART, RLENGTH)
		split(word, part, " ")
		name = substr(name, 1, RSTART - 1)
		sub(/^.* \/ /, "", name)
		verdict[name] = part[1]
	}
	next
}

function reset() {
	program = result = duration = last = ""
	lines = cases = ok = bad = skip = 0
	in_output = open_case = 0
}

# What Criterion and meson write around a message is no message.
function is_noise(line) {
	return line ~ /^ *(---|\.\.\.|assertions: [0-9]+|failures:|)$/ ||
		line ~ /^\(test program exited with status code/ || line ~ /^-+ (stdout|stderr) -+$/
}

function begin_case(line) {
	sub(/^not ok [0-9]* *-? */, "", line)
	sub(/ +\([0-9.]+s\)$/, "", line)
	open_case = ++cases
	case_name[cases] = line
	case_lines[cases] = 0
	case_message[cases] = ""
}

function add_to_case(line,    n) {
	if (is_noise(line))
		return
	sub(/^  - (\.\.\/)*/, "", line)
	sub(/ \|\+?$/, "", line)
	n = ++case_lines[open_case]
	if (n <= most)
		case_line[open_case, n] = line
	sub(/^[ #]+/, "", line)
	if (n <= 3)
		case_message[open_case] = case_message[open_case] (n > 1 ? " | " : "") line
}

# How a program ended, in words.
function how() {
	if (verdict[program] == "TIMEOUT")
		return "its time was up after " duration
	if (verdict[program] == "INTERRUPT")
		return "interrupted after " duration
	return result
}

function tell_cases(    i, j) {
	for (i = 1; i <= cases; i++) {
		print "detail not ok: " case_name[i]
		for (j = 1; j <= case_lines[i] && j <= most; j++)
			print "detail     " case_line[i, j]
		if (case_lines[i] > most)
			print "detail     ... (" case_lines[i] - most " lines more in the log)"
		print "failed " substr(program ": " case_name[i] ": " case_message[i], 1, 300)
	}
}

function tell_end(    i) {
	for (i = lines > most ? lines - most + 1 : 1; i <= lines; i++)
		print "detail     " line_of[i % most]
	print "failed " substr(program ": " how() ": " last, 1, 300)
}

function close_program() {
	if (program == "")
		return
	skipped += skip
	passed += ok
	failed += bad
	if (result ~ /exit status 77/) {
		if (!ok && !bad && !skip)
			skipped++
		print "skipped " program ": " last
	} else if (verdict[program] != "" || bad || result !~ /exit status 0/) {
		if (!bad)
			failed++
		print "detail "
		print "detail -- " program ": " how()
		tell_cases()
		if (!cases || verdict[program] ~ /TIMEOUT|INTERRUPT/ || result ~ /killed/)
			tell_end()
	} else if (!ok && !skip)
		passed++
}

/^=+ [0-9]+\/[0-9]+ =+$/ { close_program(); reset(); next }
/^=+$/ { close_program(); reset(); next }
/^-+ (stdout|stderr) -+$/ { in_output = 1; open_case = 0; next }
!in_output && /^test: / { program = $0; sub(/^test: +(.* \/ )?/, "", program); next }
!in_output && /^duration: / { duration = $2 }
!in_output && /^result: / { result = $0; sub(/^result: +/, "", result) }
!in_output { next }

{
	if ($0 ~ /^1\.\.0 # [Ss][Kk][Ii][Pp]/ || $0 ~ /^ok .*# [Ss][Kk][Ii][Pp]/) {
		skip++
		text = $0
		sub(/^ok [0-9]* *-? */, "", text)
		print "skipped " program ": " text
		open_case = 0
	} else if ($0 ~ /^ok /) {
		ok++
		open_case = 0
	} else if ($0 ~ /^not ok /) {
		bad++
		begin_case($0)
	} else if ($0 ~ /^1\.\.[0-9]+$/)
		open_case = 0
	else if (open_case)
		add_to_case($0)
	if (!is_noise($0)) {
		line_of[++lines % most] = $0
		last = $0
	}
}

END {
	close_program()
	print "count " passed + 0 " " failed + 0 " " skipped + 0
}
