#include "engine/scenario/operations.h"

#include <fmt/format.h>

#include <cerrno>

#include "engine/machine/page_data.h"
#include "engine/machine/spin_guard.h"
#include "engine/scenario/entry_at.h"
#include "engine/scenario/outcome_name.h"
#include "engine/scenario/task_locks.h"
#include "engine/scenario/vm_operations.h"

namespace hmmscope::scenario {

namespace {

struct Access {
  bool allowed = false;
  EntryAt entry;   ///< which decided
};

Access check_access(const Machine& machine, const AddressSpace& space, uint64_t addr, bool write) {
  const Vma vma = space.vma_at(addr);
  if (!vma || (vma.flags() & (write ? vm::write : vm::read)) == 0) return {};
  const EntryAt entry = entry_at(machine, space, addr);
  const bool present = (entry.value & bit::present) != 0;
  return {present && (!write || x86::pte_write(entry.value)), entry};
}

std::string_view fault_name(uint32_t vm_fault_bits) {
  if ((vm_fault_bits & vm_fault::oom) != 0) return "OOM";
  if ((vm_fault_bits & vm_fault::sigsegv) != 0) return "SIGSEGV";
  if ((vm_fault_bits & (vm_fault::hwpoison | vm_fault::hwpoison_large)) != 0) return "HWPOISON";
  return "SIGBUS";
}

NotifyEvent event_named(std::string_view name) {
  constexpr std::string_view names[] = {"UNMAP", "CLEAR", "PROTECTION_VMA", "PROTECTION_PAGE", "SOFT_DIRTY", "RELEASE", "MIGRATE", "EXCLUSIVE"};
  for (size_t k = 0; k < std::size(names); ++k) {
    if (names[k] == name) return static_cast<NotifyEvent>(k);
  }
  return NotifyEvent::clear;
}

}  // namespace

void Operations::failed(Line line, std::string text) {
  if (locks_ != nullptr) locks_->scheduler().remember(text);
  outcome_.failures.push_back({recorder_.steps() - 1, line, std::move(text)});
}

void Operations::note(Line line, std::string text) {
  if (locks_ == nullptr) return;
  locks_->scheduler().remember(text);
  outcome_.results.push_back(fmt::format("{:>4}: {}", line, text));
}

bool Operations::has_process(const std::string& name, Line line) {
  if (world_.has_process(name)) return true;
  note(line, "left out: process " + name + " is not there yet");
  return false;
}

void Operations::expect_result(const std::string& expected, const std::string& found, uint64_t code, Line line) {
  ++outcome_.expectations;
  if (expected == found) return;
  machine_.step(RuleId::expect_result_failed, {code});
  failed(line, "expected " + expected + ", got " + found);
}

Result<void> Operations::in_vmas(const Result<void>& result, Line line) const {
  if (!result) return fail(world_.error(line, result.error().message));
  return {};
}

bool Operations::access_now(AddressSpace& space, uint64_t addr, bool write, std::optional<uint64_t> content) {
  const AtomicGuard by_the_cpu(machine_);
  const Access access = check_access(machine_, space, addr, write);
  if (!access.allowed) return false;
  const uint64_t entry = access.entry.value;
  machine_.step(RuleId::scenario_touch_hit, {addr, entry});
  machine_.store(access.entry.word, entry | bit::accessed | (write ? bit::dirty : 0));
  if (content && machine_.page_data() != nullptr) machine_.page_data()->store(access.entry.pfn_of(addr), *content);
  return true;
}

std::string Operations::touch(AddressSpace& space, uint64_t addr, bool write, std::optional<uint64_t> content) {
  // A fault that succeeds this often without allowing the access waits for ever; among tasks others may be at work.
  const int enough = locks_ == nullptr ? 8 : 64;
  machine_.enter(Function::scenario, {addr, write});
  machine_.step(RuleId::scenario_touch, {addr, write});
  std::string result = "wait";
  bool vma_lock = machine_.model().faults_under_vma_lock;   // until the handler asks for mmap_lock
  for (int round = 0; round < enough; ++round) {
    if (world_.signal_pending()) {
      result = "killed";
      break;
    }
    if (locks_ != nullptr) locks_->scheduler().starts_over(vma_lock);
    if (access_now(space, addr, write, content)) {
      result = "ok";
      break;
    }
    uint32_t flags = fault_flag::user | fault_flag::allow_retry | fault_flag::killable | fault_flag::interruptible;
    if (write) flags |= fault_flag::write;
    if (vma_lock) flags |= fault_flag::vma_lock;
    const MmapGuard guard(locks_, space, false);
    machine_.enter(Function::handle_mm_fault, {addr, flags});
    const uint32_t ret = world_.faults().handle_mm_fault(machine_, space, addr, flags);
    machine_.leave(ret);
    vma_lock = vma_lock && (ret & vm_fault::retry) == 0;
    if ((ret & vm_fault::error) != 0) {
      machine_.step(RuleId::scenario_signal, {addr, ret});
      result = fault_name(ret);
      break;
    }
  }
  if (result == "wait") machine_.step(RuleId::scenario_touch_wait, {addr, 0});
  machine_.leave();
  return result;
}

std::optional<uint64_t> Operations::content_at(AddressSpace& space, uint64_t addr) {
  const Access access = check_access(machine_, space, addr, false);
  if (!access.allowed || machine_.page_data() == nullptr) return std::nullopt;
  return machine_.page_data()->load(access.entry.pfn_of(addr));
}

void Operations::expect_content(uint64_t addr, uint64_t expected, std::optional<uint64_t> found, Line line) {
  ++outcome_.expectations;
  if (found == expected) return;
  machine_.step(RuleId::expect_data_failed, {addr, expected, found.value_or(0)});
  failed(line, fmt::format("the page at {:#x}: expected it to hold {}, found {}", addr, expected,
                           found ? std::to_string(*found) : "no page"));
}

Result<void> Operations::perform(const TouchOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  for (uint64_t k = 0; k < op.pages; ++k) {
    const uint64_t addr = *start + k * page_bytes;
    AddressSpace& space = world_.process(op.process);
    const bool writes_data = op.data && op.write;
    const std::string result =
        touch(space, addr, op.write, writes_data ? std::optional(op.data->of(k)) : std::nullopt);
    note(line, fmt::format("touch {:#x} {}", addr, result));
    if (op.expect) expect_result(*op.expect, result, addr, line);
    if (op.data && !op.write) expect_content(addr, op.data->of(k), content_at(space, addr), line);
  }
  return {};
}

Result<void> Operations::perform(const UnmapOp& op, Line line) {
  if (auto ok = no_migration_runs(line); !ok) return ok;
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const MmapGuard guard(locks_, world_.process(op.process), true);
  return in_vmas(munmap(machine_, world_.process(op.process), *start, *start + op.pages * page_bytes), line);
}

Result<void> Operations::perform(const DontNeedOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const MmapGuard guard(locks_, world_.process(op.process), false);
  return in_vmas(madvise_dontneed(machine_, world_.process(op.process), *start, *start + op.pages * page_bytes), line);
}

Result<void> Operations::perform(const ProtectOp& op, Line line) {
  if (auto ok = no_migration_runs(line); !ok) return ok;
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const MmapGuard guard(locks_, world_.process(op.process), true);
  return in_vmas(mprotect(machine_, world_.process(op.process), *start, *start + op.pages * page_bytes, op.flags), line);
}

Result<void> Operations::perform(const InvalidateOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  Device* owner = world_.device(op.owner);
  const InvalidateRange range{*start, *start + op.pages * page_bytes, event_named(op.event),
                              owner == nullptr ? 0 : owner->owner(), op.blockable};
  const Invalidation running = world_.space().notifiers().start(range);
  if (!running.failed) world_.space().notifiers().end(running);
  told(op.expect, !running.failed, "invalidate", line);
  return {};
}

/// What came of telling drivers without blocking.
void Operations::told(const std::optional<std::string>& expect, bool all, const char* what, Line line) {
  const int ret = all ? 0 : -EAGAIN;
  note(line, std::string(what) + " " + outcome_name(ret));
  if (expect) expect_result(*expect, outcome_name(ret), static_cast<uint64_t>(static_cast<int64_t>(ret)), line);
}

Result<void> Operations::perform(const OomReapOp& op, Line line) {
  AddressSpace& space = world_.process(op.process);
  const MmapGuard guard(locks_, space, false);   // mmap_read_trylock(), again and again
  told(op.expect, oom_reap(machine_, space), "oom-reap", line);
  return {};
}

Result<void> Operations::perform(const SetPageOp& op, Line line) {
  const auto start = world_.resolve(op.page.at, line);
  if (!start) return fail(start.error());
  machine_.enter(Function::scenario, {*start, op.page.pages});
  machine_.step(RuleId::scenario_set_page, {*start, op.page.pages, static_cast<uint64_t>(op.page.state)});
  const auto ok = world_.set_pages(op.page);
  machine_.leave();
  return ok;
}

}  // namespace hmmscope::scenario
