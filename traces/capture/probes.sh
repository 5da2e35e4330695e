# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # $arg1 is the kernel's; the variables are those of hmmscope-capture
# The probes of a capture: for each event what it costs the replay not to have it, and its definitions, best first.
# Event and field names are what the reader knows (traces/replay/event_kinds.cpp). Sourced by hmmscope-capture.
#
# Offsets (x86-64 and arm64, 64-bit pointers): hmm_range notifier 0, notifier_seq 8, start 16, end 24, hmm_pfns 32,
# default_flags 40, pfn_flags_mask 48, dev_private_owner 56 (5.9 on); migrate_vma vma 0, dst 8, src 16, cpages 24,
# npages 32, start 40, end 48, pgmap_owner 56, flags 64, fault_page 72; mm_walk vma 24, action 32, private 40.
# vm_area_struct and mmu_notifier_range moved: by name where the kernel has BTF arguments, else by version.

# set_offsets: vm_flags, vm_pgoff, vm_file, vm_ops, anon_vma, and where mm stands in mmu_notifier_range.
set_offsets() {
  vm_flags=32 vm_pgoff=104 vm_file=112 vm_ops=96 anon_vma=88 # 6.1 on, without per-VMA locks
  if [ "$version" -lt 6001 ]; then vm_flags=80 vm_pgoff=152 vm_file=160 vm_ops=144 anon_vma=136; fi
  if [ "$version" -ge 6004 ]; then vm_pgoff=120 vm_file=128 vm_ops=112 anon_vma=104; fi
  range_mm=0
  if [ "$version" -lt 6003 ]; then range_mm=8; fi # a pointer to the VMA came first
  [ -n "$btf" ] || say_unobserved offsets \
    "the kernel cannot name structure members in probes: the places of vm_area_struct and mmu_notifier_range are those of a usual $release configuration; check that vm_flags of w_test look right"
}


# probe EVENT FUNCTION ARGUMENTS COST [ARGUMENTS_BY_NAME]: an entry probe; the form by name is tried first.
probe() {
  function=$(name_of "$2")
  if [ -z "$function" ]; then [ -z "$4" ] || say_unobserved "$1" "$4"; return 1; fi
  named=''
  [ -z "${5:-}" ] || [ -z "$btf" ] || named="p:$group/$1 $function $5"
  plain="p:$group/$1 $function $3"
  [ -n "$entry_arguments" ] || plain=''
  define "$1" "$4" "$named" "$plain"
}

# probe_return EVENT FUNCTION ARGUMENTS COST [ARGUMENTS_BEFORE_6.9]: a return probe; without entry arguments at return
# (before 6.9) the poorer form, or nothing.
probe_return() {
  function=$(name_of "$2")
  if [ -z "$function" ]; then [ -z "$4" ] || say_unobserved "$1" "$4"; return 1; fi
  full='' poor=''
  [ -z "$return_arguments" ] || full="r:$group/$1 $function $3"
  [ -z "${5:-}" ] || poor="r:$group/$1 $function $5"
  define "$1" "$4" "$full" "$poor"
}

windows() { # windows POINTER FIRST...: "a=+512(+32($arg1)):x64[64] b=..." from these pages on
  pointer=$1 letter=a
  shift
  for first; do
    printf ' %s=+%s(%s):x64[64]' "$letter" $((first * 8)) "$pointer"
    letter=$(printf '%s\n' "$letter" | tr abcde bcdef)
  done
}

define_range_fault() {
  # Pieces of the array beyond the first 64 words; they come before rf_in, because the newest probe is hit first.
  if [ "$pages" = 512 ]; then range_windows=yes; else
    range_windows=''
    say_unobserved rf_in_b "--pages 64: words beyond the first 64 of an array are not shown and not compared"
  fi
  probe rf_in hmm_range_fault 'range=$arg1 notifier=+0($arg1):x64 seq=+8($arg1):x64 start=+16($arg1):x64 end=+24($arg1):x64 pfns_ptr=+32($arg1):x64 default_flags=+40($arg1):x64 mask=+48($arg1):x64 owner=+56($arg1):x64 pfns=+0(+32($arg1)):x64[64]' \
    "calls of hmm_range_fault are not shown: nothing can be checked" \
    'range=range:x64 notifier=range->notifier:x64 seq=range->notifier_seq:x64 start=range->start:x64 end=range->end:x64 pfns_ptr=range->hmm_pfns:x64 default_flags=range->default_flags:x64 mask=range->pfn_flags_mask:x64 owner=range->dev_private_owner:x64 pfns=+0(range->hmm_pfns):x64[64]'
  if [ -n "$output_probe" ]; then
    define rf_out "the kernel refused --output-probe: what the kernel returned is not shown" "p:$group/rf_out $output_probe"
  else
    probe_return rf_out hmm_range_fault 'ret=$retval:s32 range=$arg1 seq=+8($arg1):x64 start=+16($arg1):x64 end=+24($arg1):x64 pfns=+0(+32($arg1)):x64[64]' \
      "the end of hmm_range_fault is not shown: no call can be checked" 'ret=$retval:s32'
    [ -n "$return_arguments" ] || say_unobserved rf_out \
      "return probes of this kernel cannot see the array (6.9 and later can): return values are checked, words are not; use --method bpftrace or --output-probe"
  fi
  [ -n "$range_windows" ] || return 0
  probe rf_in_b hmm_range_fault "range=\$arg1 first=\\64:u32$(windows '+32($arg1)' 64 128 192 256 320)" \
    "words 64 to 383 of an array are not shown at entry: sticky bits and requests in them are unknown"
  probe rf_in_c hmm_range_fault "range=\$arg1 first=\\384:u32$(windows '+32($arg1)' 384 448)" \
    "words 384 to 511 of an array are not shown at entry"
  [ -n "$return_arguments" ] || return 0
  probe_return rf_out_b hmm_range_fault "range=\$arg1 first=\\64:u32$(windows '+32($arg1)' 64 128 192 256 320)" \
    "words 64 to 383 of an array are not shown at return and not compared"
  probe_return rf_out_c hmm_range_fault "range=\$arg1 first=\\384:u32$(windows '+32($arg1)' 384 448)" \
    "words 384 to 511 of an array are not shown at return and not compared"
}

define_walk() {
  probe w_test hmm_vma_walk_test "start=\$arg1 end=\$arg2 vma=+24(\$arg3):x64 vm_start=+0(+24(\$arg3)):x64 vm_end=+8(+24(\$arg3)):x64 vm_flags=+$vm_flags(+24(\$arg3)):x64 vm_pgoff=+$vm_pgoff(+24(\$arg3)):x64 vm_file=+$vm_file(+24(\$arg3)):x64 vm_ops=+$vm_ops(+24(\$arg3)):symbol anon_vma=+$anon_vma(+24(\$arg3)):x64" \
    "the VMAs are not shown: no call can be replayed" \
    'start=start:x64 end=end:x64 vma=walk->vma:x64 vm_start=walk->vma->vm_start:x64 vm_end=walk->vma->vm_end:x64 vm_flags=walk->vma->vm_flags:x64 vm_pgoff=walk->vma->vm_pgoff:x64 vm_file=walk->vma->vm_file:x64 vm_ops=walk->vma->vm_ops:symbol anon_vma=walk->vma->anon_vma:x64'
  probe_return w_test_r hmm_vma_walk_test 'ret=$retval:s32 start=$arg1' "" 'ret=$retval:s32'
  probe w_hole hmm_vma_walk_hole 'addr=$arg1 end=$arg2 depth=$arg3:s32 vma=+24($arg4):x64 last=+8(+40($arg4)):x64' \
    "holes are not shown: calls over them cannot be replayed"
  probe_return w_hole_r hmm_vma_walk_hole 'ret=$retval:s32 addr=$arg1' "" 'ret=$retval:s32'
  probe w_pud hmm_vma_walk_pud 'pudp=$arg1 pud=+0($arg1):x64 start=$arg2 end=$arg3' "puds are not shown and taken for tables"
  probe_return w_pud_r hmm_vma_walk_pud 'ret=$retval:s32 start=$arg2 action=+32($arg4):u32' "" 'ret=$retval:s32'
  probe w_pmd hmm_vma_walk_pmd 'pmdp=$arg1 pmd=+0($arg1):x64 start=$arg2 end=$arg3 last=+8(+40($arg4)):x64' \
    "pmds are not shown: huge pages cannot be told from tables, calls cannot be replayed"
  probe_return w_pmd_r hmm_vma_walk_pmd 'ret=$retval:s32 start=$arg2 last=+8(+40($arg4)):x64' "" 'ret=$retval:s32'
  probe w_htlb hmm_vma_walk_hugetlb_entry 'ptep=$arg1 pte=+0($arg1):x64 hmask=$arg2 start=$arg3 end=$arg4' \
    "hugetlb entries are not shown: calls over hugetlb memory cannot be replayed"
  probe_return w_htlb_r hmm_vma_walk_hugetlb_entry 'ret=$retval:s32 start=$arg3' "" 'ret=$retval:s32'
  define_ptes
  case $(name_of hmm_vma_fault) in
    hmm_vma_fault) vma='vma=+24($arg4):x64 vm_flags=+'$vm_flags'(+24($arg4)):x64' ;;
    *) vma='vma=$arg4 vm_flags=+'$vm_flags'($arg4):x64' ;; # the clone gets the VMA itself
  esac
  probe fault hmm_vma_fault "addr=\$arg1 end=\$arg2 need=\$arg3:x32 $vma" \
    "the fault helper is not shown: which part of a range is faulted is only checked by the faults themselves"
  probe_return fault_r hmm_vma_fault 'ret=$retval:s32 addr=$arg1' "" 'ret=$retval:s32'
  probe need_range hmm_range_need_fault 'npages=$arg3:u64 cpu_flags=$arg4:x64 pfn0=+0($arg2):x64' ""
  probe_return need_range_r hmm_range_need_fault 'ret=$retval:x32 cpu_flags=$arg4:x64' "" 'ret=$retval:x32'
}

define_ptes() {
  probe h_pmd hmm_vma_handle_pmd 'addr=$arg2 end=$arg3 pmd=$arg5:x64 pfn0=+0($arg4):x64' "" &&
    probe_return h_pmd_r hmm_vma_handle_pmd 'ret=$retval:s32 addr=$arg2 pfn0=+0($arg4):x64' ""
  handler=$(name_of hmm_vma_handle_pte)
  ptes_filter=''
  case $handler in
    hmm_vma_handle_pte)
      probe h_pte hmm_vma_handle_pte 'addr=$arg2 end=$arg3 ptep=$arg5 pte=+0($arg5):x64 pfn=+0($arg6):x64' ""
      probe_return h_pte_r hmm_vma_handle_pte 'ret=$retval:s32 addr=$arg2 pfn=+0($arg6):x64' "" 'ret=$retval:s32'
      ;;
    *.isra.*) # the clone gets the entry's value
      probe h_pte hmm_vma_handle_pte 'addr=$arg2 end=$arg3 pte=$arg5:x64 pfn=+0($arg6):x64' ""
      probe_return h_pte_r hmm_vma_handle_pte 'ret=$retval:s32 addr=$arg2 pfn=+0($arg6):x64' "" 'ret=$retval:s32'
      ;;
    *) # inlined: up to 64 entries of the table, as hmm_vma_walk_pmd maps it
      probe_return ptes __pte_offset_map 'addr=$arg2 ptep=$retval ptes=+0($retval):x64[64]' \
        "hmm_vma_handle_pte is inlined and nothing else shows page table entries: calls over 4 KiB pages cannot be replayed" &&
        ptes_filter='__probe_ret_ip.function == hmm_vma_walk_pmd' &&
        say_unobserved h_pte "hmm_vma_handle_pte is inlined: entries are shown 64 at a time as the table is mapped, later ones of a range are not"
      ;;
  esac
}

define_faults_and_notifiers() {
  probe mmf handle_mm_fault "vma=\$arg1 addr=\$arg2 flags=\$arg3:x32 regs=\$arg4 vm_flags=+$vm_flags(\$arg1):x64" \
    "page faults are not shown: calls that fault cannot be replayed" \
    'vma=vma:x64 addr=address:x64 flags=flags:x32 regs=regs:x64 vm_flags=vma->vm_flags:x64'
  probe_return mmf_r handle_mm_fault 'ret=$retval:x32 addr=$arg2 flags=$arg3:x32' "results of page faults are not shown" 'ret=$retval:x32'
  m=$range_mm
  invalidation="mm=+$m(\$arg1):x64 start=+$((m + 8))(\$arg1):x64 end=+$((m + 16))(\$arg1):x64 flags=+$((m + 24))(\$arg1):x32 event=+$((m + 28))(\$arg1):u32"
  by_name='mm=range->mm:x64 start=range->start:x64 end=range->end:x64 flags=range->flags:x32 event=range->event:u32'
  probe mn_start __mmu_notifier_invalidate_range_start "$invalidation owner=+$((m + 32))(\$arg1):x64" \
    "invalidations are not shown: whether -EBUSY was right stays undecided" "$by_name owner=range->owner:x64"
  probe mn_end __mmu_notifier_invalidate_range_end "$invalidation" "" "$by_name"
  probe mni_rb mmu_interval_read_begin 'sub=$arg1' ""
  probe_return mni_rb_r mmu_interval_read_begin 'seq=$retval:x64 sub=$arg1' "sequences that drivers read are not shown" 'seq=$retval:x64'
  probe mni_insert mmu_interval_notifier_insert 'sub=$arg1 mm=$arg2 start=$arg3 length=$arg4 ops=$arg5:symbol' "" ||
    say_unobserved mni_insert "new subscriptions are not shown: an address space may not be known"
  probe mni_remove mmu_interval_notifier_remove 'sub=$arg1' ""
  define_callbacks
}

# Every driver's callback has one signature: (subscription, struct mmu_notifier_range *, sequence).
known_callbacks='amdgpu_hmm_invalidate_gfx amdgpu_hmm_invalidate_hsa nouveau_svm_range_invalidate mlx5_ib_invalidate_range
  svm_range_cpu_invalidate_pagetables drm_gpusvm_notifier_invalidate xe_vma_userptr_invalidate vma_userptr_invalidate
  gntdev_invalidate tid_rb_invalidate tid_cover_invalidate i915_gem_userptr_invalidate radeon_mn_invalidate'
define_callbacks() {
  m=$range_mm found=''
  arguments="sub=\$arg1 start=+$((m + 8))(\$arg2):x64 end=+$((m + 16))(\$arg2):x64 event=+$((m + 28))(\$arg2):u32"
  owner="owner=+$((m + 32))(\$arg2):x64"
  probe dm_inv dmirror_interval_invalidate "$arguments $owner cur_seq=\$arg3" "" && found=yes &&
    probe_return dm_inv_r dmirror_interval_invalidate 'ret=$retval:u8 sub=$arg1' "" 'ret=$retval:u8'
  probe dm_snapinv dmirror_snapshot_invalidate "$arguments $owner cur_seq=\$arg3" "" && found=yes
  # shellcheck disable=SC2086 # a list of words
  for callback in ${callbacks:-$known_callbacks}; do
    # Several probes of one event need the same arguments, which they have.
    if has "$callback" || [ -n "$callbacks" ]; then
      define hc_inv "$callback cannot be probed" "p:$group/hc_inv $callback $arguments cur_seq=\$arg3" && found=yes
    fi
  done
  [ -n "$found" ] || say_unobserved hc_inv \
    "no driver's interval callback is known here: whether a sequence moved during a call is only bounded by the invalidations (name it with --callback)"
}

define_migration() {
  arrays='src=+0(+16($arg1)):x64[64] dst=+0(+8($arg1)):x64[64]' one='src=+0(+16($arg1)):x64[1] dst=+0(+8($arg1)):x64[1]'
  state='args=$arg1 fault_page=+72($arg1):x64 cpages=+24($arg1):u64 npages=+32($arg1):u64 start=+40($arg1):x64 end=+48($arg1):x64'
  setup="args=\$arg1 vma=+0(\$arg1):x64 cpages=+24(\$arg1):u64 npages=+32(\$arg1):u64 start=+40(\$arg1):x64 end=+48(\$arg1):x64 owner=+56(\$arg1):x64 flags=+64(\$arg1):x64 fault_page=+72(\$arg1):x64 vm_start=+0(+0(\$arg1)):x64 vm_end=+8(+0(\$arg1)):x64 vm_flags=+$vm_flags(+0(\$arg1)):x64"
  [ "$version" -ge 6001 ] || say_unobserved fault_page "struct migrate_vma has no fault_page before 6.1: what stands there is not one"
  probe mv_setup_in migrate_vma_setup "$setup $arrays" "migrations are not shown: owners of device pages are unknown" || return 0
  probe mv_setup_in1 migrate_vma_setup "$setup $one" ""
  probe_return mv_setup_out migrate_vma_setup "ret=\$retval:s32 $state $arrays" "what migrate_vma_setup collected is not shown"
  probe_return mv_setup_out1 migrate_vma_setup "ret=\$retval:s32 $state $one" ""
  for phase in pages finalize; do
    short=$phase
    [ $phase = pages ] || short=fin
    probe "mv_${short}_in" "migrate_vma_$phase" "$state $arrays" "migrate_vma_$phase is not shown"
    probe "mv_${short}_in1" "migrate_vma_$phase" "$state $one" ""
    probe_return "mv_${short}_out" "migrate_vma_$phase" "$state $arrays" "what migrate_vma_$phase left is not shown" 'dummy=$retval:x64'
    [ -z "$return_arguments" ] || probe_return "mv_${short}_out1" "migrate_vma_$phase" "$state $one" ""
  done
  probe mv_cpmd migrate_vma_collect_pmd 'pmdp=$arg1 pmd=+0($arg1):x64 start=$arg2 end=$arg3' ""
  probe_return mv_cpmd_r migrate_vma_collect_pmd 'ret=$retval:s32 start=$arg2' "" 'ret=$retval:s32'
  probe mv_chole migrate_vma_collect_hole 'start=$arg1 end=$arg2 depth=$arg3:s32' ""
  probe md_range migrate_device_range 'start_pfn=$arg2:x64 npages=$arg3:u64' ""
  probe md_pages migrate_device_pages 'npages=$arg3:u64' ""
  probe md_fin migrate_device_finalize 'npages=$arg3:u64' ""
  probe excl_in make_device_exclusive_range 'mm=$arg1 start=$arg2 end=$arg3 owner=$arg5' \
    "the kernel has no make_device_exclusive_range (from 6.15 on it is make_device_exclusive): that a driver makes pages exclusive is not shown, their entries are first seen when a walk meets them"
  probe_return excl_out make_device_exclusive_range 'ret=$retval:s32 start=$arg2 end=$arg3 pages=+0($arg4):x64[64]' "" 'ret=$retval:s32'
}

define_probes() {
  set_offsets
  define_range_fault
  define_walk
  define_faults_and_notifiers
  define_migration
}

# A migration made by a CPU fault has arrays of one word on the stack: a probe of 64 words would cost eight times the
# space and show what lies beside them.
set_filters() {
  for event in setup_in setup_out pages_in pages_out fin_in fin_out; do
    for pair in "mv_$event:fault_page == 0" "mv_${event}1:fault_page != 0"; do
      filter=$buffer/events/$group/${pair%%:*}/filter
      [ ! -e "$filter" ] || set_file "$filter" "${pair#*:}" 2>/dev/null
    done
  done
  [ -z "$ptes_filter" ] || [ ! -e "$buffer/events/$group/ptes/filter" ] ||
    set_file "$buffer/events/$group/ptes/filter" "$ptes_filter" 2>/dev/null ||
    say_unobserved ptes "the kernel refused the filter '$ptes_filter': every page table that is mapped is shown"
}

# Events of the kernel's own that tell of address spaces and tasks.
system_events='syscalls:sys_enter_mmap syscalls:sys_exit_mmap syscalls:sys_enter_munmap syscalls:sys_exit_munmap
  syscalls:sys_enter_mprotect syscalls:sys_exit_mprotect syscalls:sys_enter_madvise syscalls:sys_exit_madvise
  syscalls:sys_enter_mremap syscalls:sys_exit_mremap syscalls:sys_enter_clone syscalls:sys_exit_clone
  task:task_newtask sched:sched_process_fork sched:sched_process_exec sched:sched_process_exit
  migrate:set_migration_pte migrate:remove_migration_pte exceptions:page_fault_user'

bpftrace_unobserved() {
  say_unobserved w_test "the bpftrace script does not show VMAs: calls are listed with their words, and whether they were right stays undecided"
  say_unobserved h_pte "it shows no page table entries (pud, pmd, pte, hugetlb) and no holes"
  say_unobserved rf_in_b "words beyond the first 64 of an array are not shown"
  say_unobserved mn_start "invalidations and drivers' callbacks are not shown: whether -EBUSY was right stays undecided"
  say_unobserved mv_setup_in "migrations are not shown: owners of device pages are unknown"
  [ "$target" = all ] || say_unobserved children "the bpftrace script traces the process alone: its children are not traced"
  say_unobserved tasks "mmap and its kind, fork, exec and exit are not shown: address spaces are known by the calls alone"
}
