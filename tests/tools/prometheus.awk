# SPDX-License-Identifier: MIT
# prometheus.awk: writes OpenMetrics text as Prometheus' older format, which alone `promtool check
# metrics` reads: it has neither info nor stateset, and names a counter as its samples are named.
/^# TYPE / {
	suffix[$3] = $4 == "counter" ? "_total" : $4 == "info" ? "_info" : ""
	type = $4 == "info" || $4 == "stateset" ? "gauge" : $4
	print "# TYPE " $3 suffix[$3] " " type
	next
}
/^# HELP / { $3 = $3 suffix[$3]; print; next }
/^# (UNIT|EOF)/ { next }
{ print }
