#include "engine/scenario/fault_script.h"

#include <vector>

#include "engine/fault/handle_mm_fault.h"
#include "engine/scenario/entry_at.h"
#include "engine/scenario/vm_operations.h"

namespace hmmscope::scenario {

bool FaultScript::covers(const FaultDecl& decl, uint64_t addr) {
  const auto start = world_.resolve(decl.at, decl.line);
  if (!start) {
    if (!failure_) failure_ = start.error();
    return false;
  }
  return addr >= *start && (addr - *start) / page_bytes < decl.pages;
}

FaultScript::Match FaultScript::take(const std::vector<FaultDecl>& items, Place& place, uint64_t addr) {
  std::optional<size_t> again;  // the item under way has answered for this address before
  for (size_t item = place.item; item < items.size(); ++item) {
    if (!covers(items[item], addr)) continue;
    if (item == place.item && place.used && addr <= place.last) {
      again = item;
      continue;
    }
    const bool first = item != place.item || !place.used;
    place = {item, true, addr};
    return {&items[item], first};
  }
  if (!again) return {};
  place.last = addr;
  return {&items[*again], false};
}

void FaultScript::happen(const FaultDecl& decl, uint64_t addr) {
  std::optional<Invalidation> running;   // begun before anything changes, as the kernel does
  if (decl.invalidates) running = begin_invalidation(addr, addr + page_bytes);
  for (const PageDecl& page : decl.then) {
    if (failure_) break;
    if (auto set = replace_pages(page); !set) failure_ = set.error();
  }
  if (running && !running->failed) world_.space().notifiers().end(*running);
}

/// As set-page does, but what was mapped loses its mapping, as when a fault of the kernel replaces it; afterwards, so that a
/// page that only changes its entry ("shared") is not freed in between.
Result<void> FaultScript::replace_pages(const PageDecl& page) {
  const auto start = world_.resolve(page.at, page.line);
  if (!start) return fail(start.error());
  Machine& machine = world_.machine();
  std::vector<EntryAt> before;   // each once: all pages of a huge mapping have the same
  if (page.state != PageState::file_cached) {
    for (uint64_t k = 0; k < page.pages; ++k) {
      const EntryAt entry = entry_at(machine, world_.space(), *start + k * page_bytes);
      if (entry.word != no_word && (before.empty() || before.back().word != entry.word)) before.push_back(entry);
    }
  }
  if (auto set = world_.set_pages(page); !set) return set;
  for (const EntryAt& entry : before) drop_page(machine, entry.level, entry.value);
  return {};
}

Invalidation FaultScript::begin_invalidation(uint64_t start, uint64_t end) {
  world_.machine().step(RuleId::scenario_stale, {start, end});
  return world_.space().notifiers().start({start, end, NotifyEvent::clear, 0, true});
}

void FaultScript::invalidate(uint64_t start, uint64_t end) {
  const Invalidation running = begin_invalidation(start, end);
  if (!running.failed) world_.space().notifiers().end(running);
}

std::optional<uint32_t> FaultScript::handle_mm_fault(uint64_t addr, uint32_t flags) {
  if (failure_) return vm_fault::sigbus;
  const Match match = take(op_.faults, fault_, addr);
  if (match.decl == nullptr) return std::nullopt;
  world_.machine().step(RuleId::scenario_fault, {addr, flags, match.decl->result});
  if (match.first) happen(*match.decl, addr);
  return failure_ ? vm_fault::sigbus : match.decl->result;
}

bool FaultScript::wait_for_migration(uint64_t addr) {
  const Match match = take(op_.waits, wait_, addr);
  if (failure_) return false;
  if (match.decl == nullptr) return otherwise_ != nullptr && otherwise_->wait_for_migration(addr);
  world_.machine().step(RuleId::scenario_wait, {addr});
  if (match.first) happen(*match.decl, addr);
  return !failure_;
}

std::optional<uint64_t> FaultScript::turns_of_others() const {
  const std::optional<uint64_t> others = otherwise_ == nullptr ? 0 : otherwise_->turns_of_others();
  if (!others) return std::nullopt;
  const auto turns = [](const Place& place) { return place.item + (place.used ? 1 : 0); };
  return *others + turns(fault_) + turns(wait_);
}

}  // namespace hmmscope::scenario
