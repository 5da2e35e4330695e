# Puts the tagged pieces that hmmscope.bt prints together into lines of ftrace text, each behind its time in
# nanoseconds and a tab, so that they can be sorted: pieces of different CPUs arrive in any order.
# A piece without its beginning, an event without its end and an array without all of its words are left out: bpftrace
# loses pieces when they come too fast. The last line, a comment, tells that all of the input was read.

function close_event(tid) { delete lines[tid]; delete fields[tid]; delete kinds[tid]; delete words[tid]; delete counts[tid] }
function number_of(hex,   i, value) { # of 0x1f
  value = 0
  for (i = 3; i <= length(hex); ++i) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
  return value
}
# How many words the script prints of an array (hmmscope.bt); -1 when a field that tells is lost.
function words_due(text,   parts, n, i, first, past, pages) {
  n = split(text, parts, " ")
  for (i = 1; i <= n; ++i) {
    if (parts[i] ~ /^start=0x[0-9a-f]+$/) first = substr(parts[i], 7)
    if (parts[i] ~ /^end=0x[0-9a-f]+$/) past = substr(parts[i], 5)
  }
  if (first == "" || past == "") return -1
  pages = (number_of(past) - number_of(first)) / 4096
  if (pages <= 0) return 0
  return pages >= 64 ? 64 : int(pages) + (pages > int(pages))
}

$1 == "E" {
  close_event($2)
  # COMM may hold blanks and the name of an event: behind it are the event's name and NAME=VALUE, nothing else.
  for (i = NF; i > 5 && $i ~ /=/; --i);
  if (i < 6 || ($i != "rf_in" && $i != "rf_out" && $i != "mmf" && $i != "mmf_r")) next
  tid = $2; last_time = time = $3; last_cpu = cpu = $4; event = $i
  comm = i == 6 ? "<...>" : $6
  for (k = 7; k < i; ++k) comm = comm " " $k
  for (k = i + 1; k <= NF; ++k) fields[tid] = fields[tid] " " $k
  function_name = event ~ /^rf_/ ? "hmm_range_fault" : "handle_mm_fault"
  probe = event ~ /out$|_r$/ ? "(0x0 <- " function_name ")" : "(" function_name "+0x0/0x0)"
  seconds = length(time) > 9 ? substr(time, 1, length(time) - 9) : "0"
  fraction = substr("000000000" time, length(time) + 1)
  if (length(time) > 9) fraction = substr(time, length(time) - 8)
  lines[tid] = time "\t" sprintf("%16s-%-7d [%03d] ..... %s.%s: %s: %s", substr(comm, 1, 15), tid, cpu, seconds, fraction, event, probe)
  kinds[tid] = event
  words[tid] = ""
  counts[tid] = 0
}
$1 == "F" && $2 in lines { for (k = 3; k <= NF; ++k) fields[$2] = fields[$2] " " $k }
$1 == "W" && $2 in lines {
  words[$2] = words[$2] (words[$2] == "" ? "" : ",") $3
  ++counts[$2]
}
$1 == "Z" && $2 in lines {
  due = kinds[$2] ~ /^rf_/ ? words_due(fields[$2]) : 0
  # Which of the words are there is not known when one is missing.
  if (due >= 0) print lines[$2] fields[$2] (kinds[$2] ~ /^rf_/ && counts[$2] == due ? " pfns={" words[$2] "}" : "")
  close_event($2)
}
# Said where the buffer of the CPU was read whose events stand around it.
/^Lost [0-9]+ events/ { print (last_time == "" ? "0" : last_time) "\tCPU:" (last_cpu + 0) " [LOST " $2 " EVENTS]" }
END { print "9999999999999999999\t# end of bpftrace" }
