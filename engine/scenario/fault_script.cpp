#include "engine/scenario/fault_script.h"

#include "engine/fault/handle_mm_fault.h"

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
  for (const PageDecl& page : decl.then) {
    if (failure_) return;
    if (auto set = world_.set_pages(page); !set) failure_ = set.error();
  }
  if (decl.invalidates) invalidate(addr, addr + page_bytes);
}

void FaultScript::invalidate(uint64_t start, uint64_t end) {
  world_.machine().step(RuleId::scenario_stale, {start, end});
  const InvalidateRange range{start, end, NotifyEvent::clear, 0, true};
  const Invalidation running = world_.space().notifiers().start(range);
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
  if (match.decl == nullptr || failure_) return false;
  world_.machine().step(RuleId::scenario_wait, {addr});
  if (match.first) happen(*match.decl, addr);
  return !failure_;
}

}  // namespace hmmscope::scenario
