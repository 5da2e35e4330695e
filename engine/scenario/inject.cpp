#include "engine/scenario/inject.h"

#include <algorithm>

#include "engine/machine/folio.h"
#include "engine/scenario/entry_at.h"
#include "engine/scenario/poison.h"

namespace hmmscope::scenario {
namespace {

using What = InjectDecl::What;

/// The pfn that whatever stands at addr names; nothing for none and for entries without one.
std::optional<uint64_t> pfn_at(const Machine& machine, const AddressSpace& space, uint64_t addr, bool present_only) {
  const EntryAt entry = entry_at(machine, space, addr);
  if (x86::pte_none(entry.value)) return std::nullopt;
  if (entry.present())
    return !entry.huge() && x86::pte_special(entry.value) ? std::nullopt : std::optional(entry.first_pfn());
  const SwapFormat& format = machine.entry_format().swap;
  return !present_only && is_pfn_entry(format.kind(entry.value)) ? std::optional(format.pfn(entry.value)) : std::nullopt;
}

StepIndex steps_recorded(const Machine& machine) { return machine.recorder() == nullptr ? 0 : machine.recorder()->steps(); }

}  // namespace

Result<std::unique_ptr<Injector>> Injector::create(World& world) {
  std::unique_ptr<Injector> injector(new Injector(world));
  for (const InjectDecl& decl : world.scenario().inject) {
    Planned planned;
    planned.decl = &decl;
    if (!decl.rule.empty()) {
      const Rule* rule = find_rule(decl.rule);
      if (rule == nullptr) return fail(world.error(decl.line, "no rule is called '" + decl.rule + "'; `hmmscope rules` lists them"));
      planned.rule = rule->rule;
    }
    if (decl.what != What::allocation && decl.what != What::signal && decl.array.empty()) {
      const auto addr = world.resolve(decl.at, decl.line);
      if (!addr) return fail(addr.error());
      planned.addr = *addr;
    }
    injector->planned_.push_back(planned);
  }
  return injector;
}

void Injector::before_step(RuleId rule, std::initializer_list<uint64_t>) {
  ++recorded_;
  if (inside_) return;
  ++steps_;
  inside_ = true;
  const bool refused = rule == RuleId::anon_oom || rule == RuleId::thp_fallback || rule == RuleId::driver_no_memory ||
                       rule == RuleId::driver_compound_failed;
  if (no_memory_ != 0 && refused) {
    if (--no_memory_ == 0) world_.machine().physical().set_limit(~0ull);
  }
  for (Planned& planned : planned_) {
    if (planned.done) continue;
    const uint64_t now = planned.decl->what == What::flip ? recorded_ : steps_;
    const bool here = planned.rule == RuleId::count_ ? now == planned.decl->step
                                                     : planned.rule == rule && ++planned.seen == planned.decl->occurrence;
    if (!here || planned.due) continue;
    planned.due = true;
    planned.due_at = steps_recorded(world_.machine());
  }
  inside_ = false;
  happen_if_possible();
}

void Injector::before_enter(Function) { happen_if_possible(); }

void Injector::happen_if_possible() {
  if (inside_) return;
  inside_ = true;
  const StepIndex now = steps_recorded(world_.machine());
  for (Planned& planned : planned_) {
    if (!planned.due || planned.done) continue;
    if (possible(planned)) {
      planned.done_at = now;
      planned.step = steps_recorded(world_.machine());
      happen(planned);
    }
    if (!planned.done && planned.obstacle.empty()) planned.obstacle = obstacle(planned);
  }
  inside_ = false;
}

bool Injector::possible(const Planned& planned) const {
  Machine& machine = world_.machine();
  const bool has_mutex = world_.locks() != nullptr && world_.locks()->holds_driver_lock();
  const bool may_sleep = spinlocks_ == 0 && !has_mutex && atomic_ == 0;
  const auto pfn = [&](bool present_only) { return pfn_at(machine, world_.space(), planned.addr, present_only); };
  switch (planned.decl->what) {
    case What::allocation:
    case What::signal:
    case What::flip:
      return true;
    case What::invalidation:
      return may_sleep;
    case What::poison:
      return may_sleep && poison_obstacle(machine, world_.space(), planned.addr).empty();
    case What::pin: {
      const auto page = pfn(true);
      const Folio folio = page ? Folio::of(machine, *page) : Folio();
      return atomic_ == 0 && folio && folio.refcount() != 0;
    }
    case What::reference:
    case What::folio_lock:
      break;
  }
  const auto page = pfn(false);
  const Folio folio = page ? Folio::of(machine, *page) : Folio();
  const bool wants_lock = planned.decl->what == What::folio_lock;
  return atomic_ == 0 && folio && folio.refcount() != 0 && !(wants_lock && folio.locked());
}

std::vector<Injector::Missed> Injector::missed() const {
  std::vector<Missed> left;
  for (const Planned& planned : planned_) {
    if (planned.done) continue;
    if (!planned.due) {
      left.push_back({planned.decl, "the place of this injection never came"});
      continue;
    }
    const std::string why = obstacle(planned);
    left.push_back({planned.decl, "this injection never happened: its place came, but " +
                                      (why.empty() ? "no step after it was one at which the kernel could have done it" : why)});
  }
  return left;
}

std::vector<Injector::Postponed> Injector::postponed() const {
  std::vector<Postponed> later;
  for (const Planned& planned : planned_) {
    if (!planned.done || planned.done_at == planned.due_at) continue;
    const StepIndex steps = planned.done_at - planned.due_at;
    later.push_back({planned.decl, planned.step,
                     "this injection happened " + std::to_string(steps) + (steps == 1 ? " step" : " steps") +
                         " after its place, step " + std::to_string(planned.due_at + 1) + ": there " +
                         (planned.obstacle.empty() ? "the kernel could not have done it" : planned.obstacle)});
  }
  return later;
}

std::string Injector::obstacle(const Planned& planned) const {
  const What what = planned.decl->what;
  if (what == What::flip) return "the word does not exist";
  if (what == What::poison || what == What::invalidation) {
    if (spinlocks_ != 0) return "a spinlock was held";
    if (world_.locks() != nullptr && world_.locks()->holds_driver_lock()) return "the driver's lock was held";
  }
  if (atomic_ != 0) return "an atomic operation was under way";
  if (what == What::poison) return std::string(poison_obstacle(world_.machine(), world_.space(), planned.addr));
  const bool needs_page = what == What::pin || what == What::reference || what == What::folio_lock;
  if (needs_page && !pfn_at(world_.machine(), world_.space(), planned.addr, what == What::pin))
    return what == What::pin ? "no page is mapped there" : "there is no page there";
  if (what == What::folio_lock) return "the page was locked, or nobody's";
  return "";
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
    case What::reference:
      on_folio(planned, RuleId::inject_reference);
      break;
    case What::poison:
      planned.done = poison_page(machine, world_.faults().page_cache(), world_.space(), planned.addr, rule, occurrence);
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
    case What::flip:
      planned.done = flip(planned);
      break;
  }
}

/// The same as the driver's own writing of requests, or as a page that changes behind everybody's back.
bool Injector::flip(const Planned& planned) {
  Machine& machine = world_.machine();
  const InjectDecl& decl = *planned.decl;
  WordIndex word = no_word;
  if (!decl.array.empty()) {
    const auto found = world_.arrays().find(decl.array);
    if (found == world_.arrays().end() || decl.index >= found->second.pages) return false;
    word = found->second.first + static_cast<WordIndex>(decl.index);
    machine.step(RuleId::scenario_array, {decl.index, 1, machine.load(word) ^ decl.bits});
  } else {
    const Level level = decl.level == "pmd" ? Level::pmd : decl.level == "pud" ? Level::pud : Level::pte;
    word = world_.space().find_entry(level, planned.addr);
    if (word == no_word) return false;
    machine.step(RuleId::scenario_set_page, {planned.addr, 1});
  }
  machine.store(word, machine.load(word) ^ decl.bits);
  return true;
}

void Injector::on_folio(const Planned& planned, RuleId rule) {
  Machine& machine = world_.machine();
  const Folio folio = Folio::of(machine, *pfn_at(machine, world_.space(), planned.addr, rule == RuleId::inject_pin));
  machine.step(rule, {static_cast<uint64_t>(planned.rule), planned.decl->occurrence, planned.addr, folio.pfn()});
  HoldOp::What how = HoldOp::What::get;
  if (rule == RuleId::inject_pin) {
    how = HoldOp::What::pin;
    folio.take(folio.large() ? 1 : Folio::pin_bias);
    if (folio.large()) folio.set(FolioWord::pincount, folio.get(FolioWord::pincount) + 1);
  } else {
    folio.take();
    if (rule == RuleId::inject_folio_lock) {
      how = HoldOp::What::lock;
      folio.lock(FolioLocker::other);
    }
  }
  ++world_.holds(folio.word(FolioWord::pfn), how);
}

bool Injector::has_memory(MigrateMemory, uint64_t, uint64_t) {
  if (no_memory_ == 0) return true;
  if (--no_memory_ == 0) world_.machine().physical().set_limit(~0ull);
  return false;
}

}  // namespace hmmscope::scenario
