# Puts the tagged pieces that hmmscope.bt prints together into lines of ftrace text, each behind its time in
# nanoseconds and a tab, so that they can be sorted: pieces of different CPUs arrive in any order.
# A piece without its beginning, or an event without its end, is left out.

$1 == "E" && $2 in open_events { delete open_events[$2]; delete words[$2] }
$1 == "E" {
  tid = $2; time = $3; cpu = $4; event = ""
  # COMM may hold blanks: the event's name is the first word behind it that is one of ours.
  for (i = 6; i <= NF; ++i) if ($i == "rf_in" || $i == "rf_out" || $i == "mmf" || $i == "mmf_r") { event = $i; break }
  if (event == "" || i == 6) next
  comm = $6
  for (k = 7; k < i; ++k) comm = comm " " $k
  fields = ""
  for (k = i + 1; k <= NF; ++k) fields = fields " " $k
  function_name = event ~ /^rf_/ ? "hmm_range_fault" : "handle_mm_fault"
  probe = event ~ /out$|_r$/ ? "(0x0 <- " function_name ")" : "(" function_name "+0x0/0x0)"
  seconds = length(time) > 9 ? substr(time, 1, length(time) - 9) : "0"
  fraction = substr("000000000" time, length(time) + 1)
  if (length(time) > 9) fraction = substr(time, length(time) - 8)
  open_events[tid] = time "\t" sprintf("%16s-%-7d [%03d] ..... %s.%s: %s: %s%s", substr(comm, 1, 15), tid, cpu, seconds, fraction, event, probe, fields)
  kinds[tid] = event
  words[tid] = ""
}
$1 == "W" && $2 in open_events { words[$2] = words[$2] (words[$2] == "" ? "" : ",") $3 }
$1 == "Z" && $2 in open_events {
  print open_events[$2] (kinds[$2] ~ /^rf_/ ? " pfns={" words[$2] "}" : "")
  delete open_events[$2]
  delete words[$2]
}
/^Lost [0-9]+ events/ { lost = lost + $2 }
END { if (lost > 0) print "9999999999999999999\tCPU:0 [LOST " lost " EVENTS]" }
