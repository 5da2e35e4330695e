# shellcheck shell=sh disable=SC2034,SC2154 # the variables are those of hmmscope-capture
# What surrounds the trace in the file of a capture (traces/FORMAT.md). Sourced by hmmscope-capture.

# Sets config, the line of the keys that the replay asks for, and config_text, all that matter. Held in variables: what
# cannot be written must not look as if it could not be read.
look_up_config() {
  config='' config_text=$({ gzip -dc "$proc/config.gz" || cat "$boot/config-$release" || cat "/lib/modules/$release/config"; } 2>/dev/null |
    grep -E '^CONFIG_.*(HMM|DEVICE_PRIVATE|MIGRATION|MEMORY|SWAP|HUGE|PTE|NUMA|USERFAULTFD|SOFT_DIRTY|PROBE|FTRACE|BTF)')
  if [ -z "$config_text" ]; then
    say_unobserved config "the kernel's configuration is not readable: the numbers of swap entry types are those of a usual configuration"
    return
  fi
  for key in DEVICE_PRIVATE MIGRATION MEMORY_FAILURE PTE_MARKER PTE_MARKER_UFFD_WP USERFAULTFD SWAP TRANSPARENT_HUGEPAGE \
    HUGETLB_PAGE ARCH_HAS_PTE_DEVMAP MEM_SOFT_DIRTY NUMA_BALANCING HMM_MIRROR; do
    case "$nl$config_text$nl" in
      *"${nl}CONFIG_$key="[ym]"$nl"*) config="$config,$key=y" ;;
      *) config="$config,$key=n" ;;
    esac
  done
  config=${config#,}
}
page_table_levels() { # la57 is in cpuinfo only when the kernel uses it
  if grep -qw la57 "$proc/cpuinfo" 2>/dev/null; then echo 5; else echo 4; fi
}
page_shift() {
  size=$(getconf PAGESIZE 2>/dev/null || echo 4096) shift=0
  while [ "$size" -gt 1 ]; do size=$((size / 2)) shift=$((shift + 1)); done
  echo "$shift"
}

section() { printf '# hmmscope-section: %s\n' "$1"; }
noted() { sed 's/^/#| /'; }

# pagemap PID, with its maps as input: "BEGIN-END" for every part that was looked at, below it "ADDRESS ENTRY" in hex for
# its entries that are not 0; at most pagemap_pages pages.
pagemap() {
  page=$((1 << $(page_shift))) left=$pagemap_pages
  while read -r range _ rest && [ "$left" -gt 0 ]; do
    begin=$((0x${range%-*})) end=$((0x${range#*-}))
    case $rest in *'[vsyscall]'*) continue ;; esac
    if [ "$begin" -lt 0 ] || [ "$end" -le "$begin" ]; then continue; fi
    count=$(((end - begin) / page))
    [ "$count" -le "$left" ] || count=$left
    left=$((left - count))
    printf '%x-%x\n' "$begin" $((begin + count * page))
    dd if="$proc/$1/pagemap" bs=8 skip=$((begin / page)) count="$count" 2>/dev/null | od -An -v -t x8 |
      awk -v begin="$begin" -v page="$page" '
        function hex(n,   text) { text = ""; while (n > 0) { text = substr("0123456789abcdef", n % 16 + 1, 1) text; n = int(n / 16) } return text }
        { for (i = 1; i <= NF; ++i) { if ($i !~ /^0+$/) print hex(begin + page * at) " " $i; ++at } }'
  done
}

# The process runs on while it is looked at: two marks in the trace tell which of its events fall into that time.
mark() { # TEXT
  [ -z "$events_file" ] || set_file "$buffer/trace_marker" "hmmscope: snapshot $1"
} 2>/dev/null

# notes PID WHEN MAPS: fails when they cannot be written; what a pipe feeds fails for no other reason.
notes() {
  section "maps $1 $2" && printf '%s\n' "$3" | noted || return 1
  [ "$pagemap_pages" -eq 0 ] || { section "pagemap $1 $2" && printf '%s\n' "$3" | pagemap "$1" | noted; }
}
snapshot() { # PID WHEN
  maps=$(cat "$proc/$1/maps" 2>/dev/null)
  [ -n "$maps" ] || return 0
  mark "$1 $2 begin"
  length=$(wc -c <"$work/snapshots")
  if ! notes "$1" "$2" "$maps" >>"$work/snapshots" 2>/dev/null; then
    dd if=/dev/null of="$work/snapshots" bs=1 seek="$length" 2>/dev/null # no half notes
    say_unobserved "maps $1 $2" "the maps and the page map of process $1 could not be kept in $work (is its file system full?)"
    say "the maps of process $1 could not be kept in $work (is its file system full?)"
    failed=yes
  fi
  mark "$1 $2 end"
}

# Which mappings get huge pages without asking: always, madvise or never.
huge_pages() { sed -n 's/.*\[\(.*\)\].*/\1/p' "$sys/kernel/mm/transparent_hugepage/enabled" 2>/dev/null; }

head_of_bundle() {
  echo '# hmmscope-bundle: 1'
  echo "# hmmscope-capture: kernel=$release arch=$arch page_shift=$(page_shift) page_table_levels=$(page_table_levels)${config:+ config=$config}"
  section about
  {
    echo "date $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    echo "method $method"
    echo "target $target${pid:+ $pid}"
    echo "clock mono"
    echo "stopped by ${stopped:-nothing}"
    echo "transparent_hugepage $(huge_pages)"
    echo "version $(cat "$proc/version" 2>/dev/null)"
  } | noted
  section probes
  printf '%s' "$probes" | noted
  section unobserved
  printf '%s' "$unobserved" | noted
  [ -z "$config_text" ] || { section config; printf '%s\n' "$config_text" | noted; }
}

# The whole file to standard output. Fails when any part of it cannot be written.
assemble() {
  printf '%s\n' "$(head_of_bundle)" || return 1
  [ ! -s "$work/snapshots" ] || cat "$work/snapshots" || return 1
  { section trace && printf '# tracer: nop\n#\n'; } || return 1
  if [ "$method" = bpftrace ]; then
    # The last line tells that none of the three stages failed.
    awk -f "$here/bpftrace.awk" "$work/trace" | sort -s -k 1,1n |
      awk '{ sub(/^[0-9]+\t/, ""); print } END { exit $0 != "# end of bpftrace" }'
  # A reader that was stopped leaves half a line.
  elif [ ! -s "$work/trace" ] || [ "$(tail -c 1 "$work/trace" | od -An -t x1 | tr -d ' ')" = 0a ]; then cat "$work/trace"
  else sed '$d' "$work/trace"
  fi
}
