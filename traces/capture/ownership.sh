# shellcheck shell=sh disable=SC2034,SC2154 # the variables are those of hmmscope-capture
# Whose turn it is to change the kernel's tracing, and how it is put back: by a capture that ends, by --cleanup after one
# that was killed. Nothing here needs room on a disk. Sourced by hmmscope-capture.
#
# The lock is a directory. Its files are what --cleanup needs to know: pid (of the capture), work (its temporary
# directory), buffer ("main" with --no-instance), event-fork and record-tgid (what they were), reader (the process that
# empties the buffer).
lock=${HMMSCOPE_RUN:-/run}
[ -d "$lock" ] || lock=/tmp
lock=$lock/hmmscope-capture.lock

note() { set_file "$lock/$1" "$2" 2>/dev/null || die 1 "$lock/$1 cannot be written"; } # note FILE VALUE
noted_as() { cat "$lock/$1" 2>/dev/null; }                                             # noted_as FILE

# runs_as PID TEXT: whether the process is there with TEXT in its command line. Numbers of processes are used again.
runs_as() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  [ -e "$proc/$1/cmdline" ] || { kill -0 "$1" 2>/dev/null; return; }
  case $({ tr '\0' ' ' <"$proc/$1/cmdline"; } 2>/dev/null) in *"$2"*) return 0 ;; esac
  return 1
}

processes_with() { # TEXT: their numbers
  grep -lsaF -- "$1" "$proc"/[0-9]*/cmdline 2>/dev/null | sed 's|/cmdline$||; s|.*/||'
}
readers_of() { # BUFFER: those a capture started
  for candidate in $(processes_with "$1/trace_pipe"); do ! runs_as "$candidate" "cat $1/trace_pipe " || echo "$candidate"; done
}

# The capture that runs: the owner of the lock, or, where the lock is not seen (a container), the parent of the reader.
holder() {
  owner=$(noted_as pid)
  if [ -z "$owner" ] && [ -d "$lock" ]; then
    sleep 1 # it is taken just now
    owner=$(noted_as pid)
  fi
  if runs_as "$owner" hmmscope-capture; then echo "$owner"; return; fi
  for candidate in $(readers_of "$tracefs/instances/$group"); do
    owner=$(sed -n 's/^PPid:[[:space:]]*//p' "$proc/$candidate/status" 2>/dev/null)
    if runs_as "$owner" hmmscope-capture; then echo "$owner"; return; fi
  done
}

# Before anything in the kernel is changed.
take_turn() {
  if mkdir "$lock" 2>/dev/null; then
    locked=yes
    note pid $$
    note work "$work"
  else
    [ -d "$lock" ] || die 1 "$lock cannot be made: run as root"
    owner=$(holder)
    [ -z "$owner" ] || die 1 "another capture runs (process $owner): wait for its end"
    die 1 "a capture was killed, and $lock and perhaps its probes are still there: --cleanup puts everything back"
  fi
  if [ -z "$instance" ]; then
    note buffer main
  elif mkdir "$buffer" 2>/dev/null; then
    made_instance=yes
  else
    owner=$(holder)
    [ "$owner" != $$ ] || owner=''
    die 1 "$buffer cannot be made: another capture runs${owner:+ (process $owner)}, or was killed (--cleanup removes it), or the kernel has no trace instances (--no-instance)"
  fi
}

# act WHAT COMMAND...: a dry run of --cleanup only says it.
act() {
  what=$1
  shift
  if [ -n "$dry" ]; then echo "would $what"; else "$@"; fi
}

reset_buffer() {
  {
    set_file "$buffer/tracing_on" 0
    true >"$buffer/set_event"
    true >"$buffer/set_event_pid"
    set_file "$buffer/options/event-fork" "${had_fork:-0}"
    [ -z "$had_tgid" ] || set_file "$buffer/options/record-tgid" "$had_tgid"
  } 2>/dev/null
  true
}

remove_probes() { # of our group; the kernel refuses those in use, which are none by now
  for events in "$tracefs/kprobe_events" "$tracefs/dynamic_events"; do
    [ -w "$events" ] || continue
    # shellcheck disable=SC2013 # names have no blanks
    for name in $(sed -n "s|^[prf][0-9]*:\($group/[A-Za-z0-9_]*\) .*|\1|p" "$events" 2>/dev/null | sort -u); do
      act "remove the probe $name" add_line "$events" "-:$name" 2>/dev/null || { say "could not remove the probe $name"; code=1; }
    done
  done
}

undo() {
  trap '' HUP INT TERM PIPE
  [ -z "$gated" ] || kill "$child" 2>/dev/null # it never came to the command
  [ -z "$reader" ] || { kill "$reader" && wait "$reader"; } 2>/dev/null
  [ -z "$started" ] || reset_buffer
  [ -z "$made_instance" ] || rmdir "$buffer" 2>/dev/null || [ ! -d "$buffer" ] || say "could not remove $buffer"
  [ -z "$defined" ] || remove_probes
  [ -z "$part" ] || rm -f -- "$part"
  [ -z "$work" ] || [ -n "$work_is_kept" ] || rm -rf -- "$work"
  [ -z "$locked" ] || rm -rf -- "$lock"
}

# What captures that were killed keep in temporary directories of ours: the trace so far, and where they began to write.
remove_leftovers() {
  seen_leftovers=''
  for left in "${TMPDIR:-/tmp}"/hmmscope-capture.?????? "$(noted_as work)"; do
    case $left in */hmmscope-capture.??????) ;; *) continue ;; esac
    case "$seen_leftovers$nl" in *"$nl$left$nl"*) continue ;; esac
    seen_leftovers=$seen_leftovers$nl$left
    [ -n "$(find "$left" -prune -type d -user "$(id -u)" 2>/dev/null)" ] || continue
    owner=$(cat "$left/pid" 2>/dev/null)
    # Without a number it is one that begins, or the only copy of a capture that could not be written elsewhere.
    if [ -z "$owner" ] || runs_as "$owner" hmmscope-capture; then continue; fi
    for waiting in $(processes_with "$left/gate"); do
      runs_as "$waiting" "$left/gate" || continue # it was who looked
      act "end process $waiting, a command that waits for its capture" kill "$waiting" 2>/dev/null
    done
    unfinished=$(cat "$left/part" 2>/dev/null)
    case $unfinished in *.part) [ ! -f "$unfinished" ] || act "remove $unfinished" rm -f -- "$unfinished" ;; esac
    act "remove $left" rm -rf -- "$left"
  done
}

end_reader() {
  kill "$1" 2>/dev/null && sleep 1 # until it has let go of the buffer
}

remove_instance() {
  set_file "$buffer/tracing_on" 0 2>/dev/null
  rmdir "$buffer" 2>/dev/null || { say "$buffer is still in use"; code=1; }
}

# What --cleanup does. Sets the exit code.
cleanup() {
  code=0
  owner=$(holder)
  if [ -n "$owner" ]; then
    say "a capture runs (process $owner) and is left alone: 'kill $owner' ends it, and it puts everything back"
    code=1
    return
  fi
  for buffer in "$tracefs" "$tracefs/instances/$group"; do
    left_reader=$(noted_as reader)
    runs_as "$left_reader" "cat $buffer/trace_pipe " || left_reader=''
    if [ "$buffer" = "$tracefs" ]; then
      # Another's reader of the main buffer is not ours to end.
      [ "$(noted_as buffer)" = main ] || grep -q "^$group:" "$buffer/set_event" 2>/dev/null || continue
      [ -z "$left_reader" ] || act "end process $left_reader, which reads $buffer/trace_pipe" end_reader "$left_reader"
      had_fork=$(noted_as event-fork)
      had_tgid=$(noted_as record-tgid)
      act "turn tracing and all events of $buffer off" reset_buffer
    elif [ -d "$buffer" ]; then
      for entry in $left_reader $(readers_of "$buffer"); do
        act "end process $entry, which reads $buffer/trace_pipe" end_reader "$entry"
      done
      act "remove the trace instance $buffer" remove_instance
    fi
  done
  remove_probes
  remove_leftovers
  [ ! -d "$lock" ] || act "remove $lock" rm -rf -- "$lock"
}
