#include "engine/scenario/inject.h"

#include <algorithm>

#include "engine/machine/folio.h"
#include "engine/migrate/rmap.h"
#include "engine/schedule/scheduler.h"

namespace hmmscope::scenario {
namespace {

using What = InjectDecl::What;

bool needs_point(What what) { return what == What::poison || what == What::invalidation; }

}  // namespace

Result<std::unique_ptr<Injector>> Injector::create(World& world) {
  std::unique_ptr<Injector> injector(new Injector(world));
  for (const InjectDecl& decl : world.scenario().inject) {
    Planned planned{&decl};
    if (!decl.rule.empty()) {
      const Rule* rule = find_rule(decl.rule);
      if (rule == nullptr) return fail(world.error(decl.line, "no rule is called '" + decl.rule + "'; `hmmscope rules` lists them"));
      planned.rule = rule->rule;
    }
    if (decl.what != What::allocation && decl.what != What::signal) {
      const auto addr = world.resolve(decl.at, decl.line);
      if (!addr) return fail(addr.error());
      planned.addr = *addr;
    }
    injector->planned_.push_back(planned);
  }
  return injector;
}

void Injector::before_step(RuleId rule, std::initializer_list<uint64_t>) {
  if (inside_) return;
  ++steps_;
  inside_ = true;
  const bool refused = rule == RuleId::anon_oom || rule == RuleId::thp_fallback || rule == RuleId::driver_no_memory ||
                       rule == RuleId::driver_compound_failed;
  if (no_memory_ != 0 && refused) {
    if (--no_memory_ == 0) world_.machine().physical().set_limit(~0ull);
  }
  const bool point = schedule::is_point(rule);
  for (Planned& planned : planned_) {
    if (planned.done) continue;
    const bool here = planned.rule == RuleId::count_ ? steps_ == planned.decl->step
                                                     : planned.rule == rule && ++planned.seen == planned.decl->occurrence;
    planned.due = planned.due || here;
    if (planned.due && (point || !needs_point(planned.decl->what))) happen(planned);
  }
  inside_ = false;
}

void Injector::before_enter(Function function) {
  if (inside_ || !schedule::is_point(function)) return;
  inside_ = true;
  for (Planned& planned : planned_) {
    if (planned.due && !planned.done) happen(planned);
  }
  inside_ = false;
}

std::vector<const InjectDecl*> Injector::never_came() const {
  std::vector<const InjectDecl*> left;
  for (const Planned& planned : planned_) {
    if (!planned.done) left.push_back(planned.decl);
  }
  return left;
}

void Injector::happen(Planned& planned) {
  planned.done = true;
  Machine& machine = world_.machine();
  const auto rule = static_cast<uint64_t>(planned.rule);
  const uint64_t occurrence = planned.decl->occurrence;
  switch (planned.decl->what) {
    case What::allocation:
      machine.step(RuleId::inject_alloc, {rule, occurrence});
      no_memory_ += planned.decl->count;
      machine.physical().set_limit(machine.physical().used_pages());
      break;
    case What::folio_lock:
      on_folio(planned, RuleId::inject_folio_lock);
      break;
    case What::pin:
      on_folio(planned, RuleId::inject_pin);
      break;
    case What::poison:
      poison(planned);
      break;
    case What::invalidation: {
      machine.step(RuleId::inject_invalidate, {rule, occurrence, planned.addr});
      NotifierSubscriptions& notifiers = world_.space().notifiers();
      const Invalidation running = notifiers.start({planned.addr, planned.addr + planned.decl->pages * page_bytes});
      if (!running.failed) notifiers.end(running);
      break;
    }
    case What::signal:
      machine.step(RuleId::inject_signal, {rule, occurrence});
      world_.set_signal_pending();
      break;
  }
}

namespace {

/// The pfn that whatever stands at addr names; nothing for none and for entries without one.
std::optional<uint64_t> pfn_at(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  const WordIndex word = space.find_entry(Level::pte, addr);
  const uint64_t entry = word == no_word ? 0 : machine.load(word);
  if (x86::pte_none(entry)) return std::nullopt;
  if (x86::pte_present(entry)) return x86::pte_pfn(entry);
  const SwapFormat& format = machine.entry_format().swap;
  return is_pfn_entry(format.kind(entry)) ? std::optional(format.pfn(entry)) : std::nullopt;
}

}  // namespace

void Injector::on_folio(const Planned& planned, RuleId rule) {
  Machine& machine = world_.machine();
  const auto pfn = pfn_at(machine, world_.space(), planned.addr);
  const Folio folio = pfn ? Folio::of(machine, *pfn) : Folio();
  if (!folio || folio.refcount() == 0) return;
  const bool lock = rule == RuleId::inject_folio_lock;
  if (lock && folio.locked()) return;
  machine.step(rule, {static_cast<uint64_t>(planned.rule), planned.decl->occurrence, planned.addr, folio.pfn()});
  folio.take();
  if (lock) folio.lock(FolioLocker::other);
  ++world_.holds(folio.word(FolioWord::pfn), lock ? HoldOp::What::lock : HoldOp::What::get);
}

void Injector::poison(const Planned& planned) {
  Machine& machine = world_.machine();
  AddressSpace& space = world_.space();
  const WordIndex word = space.find_entry(Level::pte, planned.addr);
  const uint64_t old = word == no_word ? 0 : machine.load(word);
  if (!x86::pte_present(old)) return;   // memory_failure finds no mapping here
  const uint64_t pfn = x86::pte_pfn(old);
  const Invalidation running = space.notifiers().start({planned.addr, planned.addr + page_bytes});
  machine.step(RuleId::inject_poison, {static_cast<uint64_t>(planned.rule), planned.decl->occurrence, planned.addr, pfn});
  SwapEntry entry;
  entry.kind = SwapKind::hwpoison;
  entry.pfn = pfn;
  if (const auto encoded = encode_swap(machine.entry_format().swap, entry)) {
    machine.store(word, *encoded);
    if (const Folio folio = Folio::of(machine, pfn); folio && folio.mapped()) {
      folio.set_flag(folio_flag::hwpoison);
      folio.remove_rmap();   // the reference stays: nobody may use the page again
    }
  }
  if (!running.failed) space.notifiers().end(running);
}

bool Injector::has_memory(MigrateMemory, uint64_t, uint64_t) {
  if (no_memory_ == 0) return true;
  if (--no_memory_ == 0) world_.machine().physical().set_limit(~0ull);
  return false;
}

}  // namespace hmmscope::scenario
