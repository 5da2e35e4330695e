#include "traces/replay/side_events.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hmmscope::traces {
namespace {

// include/uapi/asm-generic/mman-common.h and mman.h
constexpr uint64_t prot_read = 1, prot_write = 2, prot_exec = 4;
constexpr uint64_t map_shared = 1, map_anonymous = 0x20, map_hugetlb = 0x40000;
constexpr uint64_t madv_dontneed = 4, madv_hugepage = 14, madv_nohugepage = 15;
constexpr uint64_t clone_vm = 0x100;
/// MAP_LOCKED and MAP_POPULATE: the pages are mapped when the call returns.
constexpr uint64_t map_populated = 0x2000 | 0x8000;

constexpr uint64_t page_up(uint64_t value) { return (value + page_bytes - 1) & ~(page_bytes - 1); }
/// A system call's result is an error number or something else.
constexpr bool failed(int64_t result) { return result < 0 && result >= -4095; }

/// Advice that leaves the page tables as they are, at least at once.
constexpr bool keeps_pages(uint64_t advice) {
  constexpr uint64_t madv_random = 1, madv_sequential = 2, madv_dontfork = 10, madv_dofork = 11,
                     madv_dontdump = 16, madv_keeponfork = 19, madv_populate_read = 22,
                     madv_populate_write = 23;
  return advice <= madv_sequential || advice == madv_random || advice == madv_dontfork ||
         advice == madv_dofork || advice == madv_hugepage || advice == madv_nohugepage ||
         (advice >= madv_dontdump && advice <= madv_keeponfork) || advice == madv_populate_read ||
         advice == madv_populate_write;
}

Function side_function(EventKind kind) {
  switch (kind) {
    case EventKind::enter_mmap:
    case EventKind::exit_mmap:
      return Function::mmap;
    case EventKind::enter_munmap:
    case EventKind::exit_munmap:
      return Function::munmap;
    case EventKind::enter_mprotect:
    case EventKind::exit_mprotect:
      return Function::mprotect;
    case EventKind::enter_madvise:
    case EventKind::exit_madvise:
      return Function::madvise;
    case EventKind::enter_mremap:
    case EventKind::exit_mremap:
      return Function::mremap;
    case EventKind::enter_clone:
    case EventKind::exit_clone:
      return Function::fork;
    case EventKind::driver_ioctl:
    case EventKind::driver_ioctl_r:
      return Function::device;
    default:
      return Function::ioctl;
  }
}

}  // namespace

SideEvents::SideEvents(const Trace& trace, const EventKinds& kinds, const SequenceIndex& sequences,
                       World& world, Mirrors& mirrors)
    : trace_(trace),
      kinds_(kinds),
      sequences_(sequences),
      world_(world),
      mirrors_(mirrors),
      tasks_(trace.tasks().size()),
      last_event_(trace.tasks().size(), 0) {
  for (uint32_t index = 0; index < trace.size(); ++index) last_event_[trace.events().task(index)] = index;
}

void SideEvents::lose_events() {
  for (Task& task : tasks_) {
    task = {};
    task.after_gap = true;
  }
}

void SideEvents::replay(uint32_t index, CallId floor) {
  const EventView event = trace_[index];
  const EventKind kind = kinds_.of(event);
  if (kind == EventKind::other) return;
  world_.at(index);
  Recorder& recorder = world_.recorder();
  Task& task = tasks_[event.task()];
  if (task.after_gap && floor == no_call && !world_.in_engine(event.task())) {
    while (recorder.current_call() != no_call) recorder.leave();
    task.after_gap = false;
  }
  switch (kind) {
    case EventKind::mmf:
      task.fault_addr = event.number("addr").value_or(0);
      task.fault_flags = event.number("flags").value_or(0);
      task.fault_vma_flags = event.number("vm_flags").value_or(0);
      task.faulting = true;
      recorder.enter(Function::handle_mm_fault, {task.fault_addr, task.fault_flags}, event.task());
      return;
    case EventKind::mmf_r: {
      const uint64_t ret = event.number("ret").value_or(0);
      if (!task.faulting) {
        // Its entry was lost, or came before the trace; since 6.9 the return says the same.
        task.fault_addr = event.number("addr").value_or(0);
        task.fault_flags = event.number("flags").value_or(0);
        task.fault_vma_flags = 0;
      }
      recorder.step(RuleId::trace_cpu_fault, {task.fault_addr, task.fault_flags, ret});
      AddressSpace& space = world_.space_of(event.task());
      if (task.faulting || event.number("addr"))
        world_.cpu_fault(space, task.fault_addr, task.fault_flags, ret, task.fault_vma_flags);
      else
        world_.forget_ptes(space);
      task.faulting = false;
      world_.leave(Function::handle_mm_fault, static_cast<int64_t>(ret), floor);
      return;
    }
    case EventKind::enter_mmap:
    case EventKind::exit_mmap:
    case EventKind::enter_munmap:
    case EventKind::exit_munmap:
    case EventKind::enter_mprotect:
    case EventKind::exit_mprotect:
    case EventKind::enter_madvise:
    case EventKind::exit_madvise:
    case EventKind::enter_mremap:
    case EventKind::exit_mremap:
    case EventKind::enter_clone:
    case EventKind::exit_clone:
    case EventKind::enter_ioctl:
    case EventKind::exit_ioctl:
    case EventKind::driver_ioctl:
    case EventKind::driver_ioctl_r:
      return system_call(event, kind, floor);
    case EventKind::task_new: {
      Task& task = tasks_[event.task()];
      task.new_task = static_cast<int32_t>(event.number("pid").value_or(0));
      task.new_flags = event.number("clone_flags").value_or(0);
      return;
    }
    case EventKind::task_fork:
    case EventKind::task_exec:
    case EventKind::task_exit:
      return task_event(event, kind);
    case EventKind::mn_start:
    case EventKind::mn_end:
    case EventKind::mni_rb:
    case EventKind::mni_rb_r:
    case EventKind::mni_insert:
    case EventKind::mni_remove:
    case EventKind::callback:
    case EventKind::callback_r:
      return notifier(event, index, kind, floor);
    case EventKind::mv_setup_in:
    case EventKind::mv_setup_out:
    case EventKind::mv_pages_in:
    case EventKind::mv_pages_out:
    case EventKind::mv_fin_in:
    case EventKind::mv_fin_out:
    case EventKind::set_migration_pte:
    case EventKind::remove_migration_pte:
    case EventKind::exclusive_in:
    case EventKind::exclusive_out:
      return migration(event, kind, floor);
    case EventKind::marker:
      return marker(event, index);
    default:
      return;
  }
}

void SideEvents::system_call(const EventView& event, EventKind kind, CallId floor) {
  Recorder& recorder = world_.recorder();
  Task& task = tasks_[event.task()];
  const Function function = side_function(kind);
  const auto number = [&](std::string_view name) { return event.number(name).value_or(0); };
  if (kind == EventKind::enter_mmap || kind == EventKind::enter_munmap || kind == EventKind::enter_mprotect ||
      kind == EventKind::enter_madvise || kind == EventKind::enter_mremap || kind == EventKind::enter_clone)
    world_.lives(event.task());
  switch (kind) {
    case EventKind::enter_mmap:
      task.syscall = {number("addr"), number("len"), number("prot"), number("flags")};
      break;
    case EventKind::enter_munmap:
      task.syscall = {number("addr"), number("len"), 0, 0};
      break;
    case EventKind::enter_mprotect:
      task.syscall = {number("start"), number("len"), number("prot"), 0};
      task.protecting = true;
      break;
    case EventKind::enter_madvise:
      task.syscall = {number("start"), number("len_in"), number("behavior"), 0};
      break;
    case EventKind::enter_mremap:
      task.syscall = {number("addr"), number("old_len"), number("new_len"), 0};
      break;
    case EventKind::enter_clone:
      task.syscall = {number("clone_flags"), 0, 0, 0};
      task.clone_flags = number("clone_flags");
      task.cloning = true;
      break;
    case EventKind::enter_ioctl:
      task.syscall = {number("cmd"), number("arg"), 0, 0};
      break;
    case EventKind::driver_ioctl:
      recorder.enter(function, {number("cmd"), number("addr"), number("npages")}, event.task());
      return;
    default: {
      const int64_t result = event.integer("ret").value_or(0);
      const Syscall call = std::exchange(task.syscall, Syscall{});
      if (kind == EventKind::exit_ioctl || kind == EventKind::driver_ioctl_r) mirrors_.back(event.task(), !failed(result));
      if (kind == EventKind::exit_clone) task.cloning = false;
      if (kind == EventKind::exit_mprotect) task.protecting = false;
      const bool changes = kind == EventKind::exit_mmap || kind == EventKind::exit_mremap ||
                           kind == EventKind::exit_munmap || kind == EventKind::exit_mprotect ||
                           kind == EventKind::exit_madvise;
      if (changes && !call.shown && !failed(result)) {
        // What it changed, only its entry would tell.
        recorder.step(RuleId::trace_syscall_unseen, {static_cast<uint64_t>(result)});
        world_.doubt_space(world_.space_of(event.task()));
      } else if (!failed(result)) {
        AddressSpace& space = world_.space_of(event.task());
        if (kind == EventKind::exit_mmap) mapped(event, call);
        if (kind == EventKind::exit_mremap) remapped(event, call);
        if (kind == EventKind::exit_munmap) {
          recorder.step(RuleId::trace_munmap, {call.a, call.a + page_up(call.b)});
          unmapped(space, call.a, call.a + page_up(call.b));
        }
        if (kind == EventKind::exit_mprotect) {
          recorder.step(RuleId::trace_mprotect, {call.a, call.a + page_up(call.b), call.c});
          protection(space, call.a, call.a + page_up(call.b), call.c);
        }
        if (kind == EventKind::exit_madvise) {
          recorder.step(RuleId::trace_madvise, {call.a, call.a + page_up(call.b), call.c});
          if (call.c == madv_dontneed)
            world_.clear_ptes(space, call.a, call.a + page_up(call.b));
          else if (!keeps_pages(call.c))
            world_.forget_ptes(space, call.a, call.a + page_up(call.b));
        }
      }
      world_.leave(function, result, floor);
      return;
    }
  }
  task.syscall.shown = true;
  recorder.enter(function, {task.syscall.a, task.syscall.b, task.syscall.c, task.syscall.d}, event.task());
}

void SideEvents::mapped(const EventView& event, const Syscall& call) {
  ShownVma vma;
  vma.start = event.number("ret").value_or(0);
  vma.end = vma.start + page_up(call.b);
  vma.flags = vm::may_access | ((call.c & prot_read) != 0 ? vm::read : 0) |
              ((call.c & prot_write) != 0 ? vm::write : 0) | ((call.c & prot_exec) != 0 ? vm::exec : 0) |
              ((call.d & map_shared) != 0 ? vm::shared : 0);
  vma.pgoff = vma.start >> page_bits;
  vma.kind = (call.d & map_anonymous) != 0
                 ? ((call.d & map_shared) != 0 ? VmaKind::shmem : VmaKind::anonymous)
             : (call.d & map_shared) != 0 ? VmaKind::file_shared
                                          : VmaKind::file_private;
  if ((call.d & map_hugetlb) != 0) {
    // MAP_HUGE_SHIFT: the log2 of the page size in the top six bits, 0 for the default of 2 MiB.
    const auto size = static_cast<uint32_t>(call.d >> 26) & 0x3f;
    vma.page_shift = size == 30 ? 30 : 21;
    vma.kind = VmaKind::hugetlb;
    vma.flags |= vm::hugetlb;
    const uint64_t unit = uint64_t{1} << vma.page_shift;
    vma.end = vma.start + ((call.b + unit - 1) & ~(unit - 1));
  }
  AddressSpace& space = world_.space_of(event.task());
  world_.recorder().step(RuleId::trace_mmap, {vma.start, vma.end, call.c, call.d});
  // What the tables cannot hold (a made-up address) is left out; the walks show what matters.
  if (!world_.spend_inferred(1)) return;
  (void)world_.show_vma(space, vma, Evidence::inferred);
  if ((call.d & map_populated) == 0)
    world_.clear_ptes(space, vma.start, vma.end);
  else
    world_.forget_ptes(space, vma.start, vma.end);
}

void SideEvents::unmapped(AddressSpace& space, uint64_t start, uint64_t end) {
  if (end <= start) return;
  world_.show_gap(space, start, end);
  world_.clear_ptes(space, start, end);
}

void SideEvents::protection(AddressSpace& space, uint64_t start, uint64_t end, uint64_t prot) {
  while (start < end) {
    const Vma vma = space.find_vma(start);
    if (!vma || vma.start() >= end || !world_.spend_inferred(1)) return;
    if (world_.in_doubt(vma)) {
      start = vma.end();
      continue;
    }
    ShownVma part{std::max(start, vma.start()),
                  std::min(end, vma.end()),
                  vma.flags(),
                  vma.pgoff(),
                  vma.file(),
                  vma.kind(),
                  vma.huge_shift()};
    part.flags =
        (part.flags & ~(vm::read | vm::write | vm::exec)) | (prot & (prot_read | prot_write | prot_exec));
    const auto now = world_.show_vma(space, part, Evidence::inferred);
    if (!now) return;
    world_.protect(space, *now, part.start, part.end);
    start = part.end;
  }
}

void SideEvents::remapped(const EventView& event, const Syscall& call) {
  const uint64_t moved_to = event.number("ret").value_or(0);
  AddressSpace& space = world_.space_of(event.task());
  const uint64_t old_length = page_up(call.b), new_length = page_up(call.c);
  world_.recorder().step(RuleId::trace_mremap, {call.a, old_length, moved_to, new_length});
  const Vma vma = space.vma_at(call.a);
  if (!vma || world_.in_doubt(vma) || new_length == 0) {
    if (new_length != 0) unmapped(space, call.a, call.a + old_length);
    return world_.forget_ptes(space, moved_to, moved_to + new_length);
  }
  const ShownVma moved{moved_to,   moved_to + new_length, vma.flags(), vma.pgoff(), vma.file(),
                       vma.kind(), vma.huge_shift()};
  unmapped(space, call.a, call.a + old_length);
  (void)world_.show_vma(space, moved, Evidence::inferred);
  world_.forget_ptes(space, moved.start, moved.end);
}

/// A child of a call whose arguments no event shows (captures without task_newtask). Where clone(2) is probed and was not called, it was clone3 or vfork:
/// pthread_create and posix_spawn share the address space, and fork() is clone(2) in glibc.
bool SideEvents::shares_unseen(const Task& parent, int32_t child) const {
  if (world_.is_thread(child)) return true;
  return kinds_.has(EventKind::enter_clone) && !parent.after_gap;
}

void SideEvents::task_event(const EventView& event, EventKind kind) {
  Recorder& recorder = world_.recorder();
  if (kind == EventKind::task_fork) {
    world_.lives(event.task());
    const auto child = static_cast<int32_t>(event.number("child_pid").value_or(0));
    Task& task = tasks_[event.task()];
    const bool shares = task.new_task != 0 && task.new_task == child ? (task.new_flags & clone_vm) != 0
                        : task.cloning                               ? (task.clone_flags & clone_vm) != 0
                                                                     : shares_unseen(task, child);
    task.new_task = 0;
    recorder.step(RuleId::trace_fork, {static_cast<uint64_t>(child), shares ? uint64_t{1} : uint64_t{0}});
    if (child != 0) world_.fork(event.task(), child, shares);
    return;
  }
  tasks_[event.task()] = {};
  const uint64_t pid = static_cast<uint64_t>(event.pid());
  recorder.step(kind == EventKind::task_exec ? RuleId::trace_exec : RuleId::trace_exit, {pid});
  if (kind == EventKind::task_exec)
    world_.exec(event.task());
  else
    world_.exit(event.task());
}

void SideEvents::marker(const EventView& event, uint32_t) {
  (void)event;
  world_.recorder().step(RuleId::trace_marker);
}

}  // namespace hmmscope::traces
