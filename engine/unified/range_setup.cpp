// migrate_hmm_range_setup and migrate_vma_setup on top of hmm_range_fault (mm/migrate_device.c of RFC 2/4).
#include <cerrno>

#include "engine/migrate/migrate_internal.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

std::optional<RangeFaultResult> MigrateHooks::range_fault(const RangeFaultCall&) { return std::nullopt; }

namespace {

class Convert {
 public:
  Convert(Machine& machine, WordIndex hmm_pfns, MigrateVma& migrate)
      : machine_(machine),
        hmm_pfns_(hmm_pfns),
        migrate_(migrate),
        format_(MigrateFormat::from(machine.model())),
        later_(machine.model().unified == UnifiedStyle::later),
        valid_(machine.pfn_format().valid),
        write_(machine.pfn_format().write),
        migrate_flag_(machine.model().hmm_pfn->mask(Role::migrate)),
        pfn_mask_(machine.model().hmm_pfn->mask(Role::pfn)) {}

  bool run() {
    migrate_.npages = (migrate_.end - migrate_.start) / page_bytes;
    migrate_.cpages = 0;
    for (uint64_t k = 0; k < migrate_.npages; ++k) {
      if (!slot(k)) return false;
    }
    const uint64_t collected = migrate_.cpages;
    if (collected != 0) {
      const Migration migration{machine_,     format_,         migrate_.src,
                                migrate_.dst, migrate_.npages, migrate_.fault_page,
                                &migrate_,    migrate_.hooks};
      migrate_.cpages = unmap_collected(migration);
    }
    machine_.step(RuleId::convert_done, {migrate_.npages, collected, migrate_.cpages});
    return true;
  }

 private:
  bool slot(uint64_t k) {
    const auto at = static_cast<WordIndex>(k);
    const uint64_t word = machine_.load(hmm_pfns_ + at);
    const bool hole =
        later_ ? (word & (valid_ | migrate_flag_)) == migrate_flag_ : word == (valid_ | migrate_flag_);
    if (!hole && (word & (valid_ | migrate_flag_)) != (valid_ | migrate_flag_)) {
      machine_.step(RuleId::convert_not_prepared, {k, word});
      set(at, 0, 0);
      return true;
    }
    ++migrate_.cpages;
    if (hole) {
      machine_.step(RuleId::convert_hole, {k, word});
      set_src(at, format_.migrate);
      return true;
    }
    const uint64_t pfn = word & pfn_mask_;
    const uint64_t src = format_.make(pfn) | format_.migrate | ((word & write_) != 0 ? format_.write : 0);
    machine_.step(pfn == 0 ? RuleId::convert_page_zero : RuleId::convert_page, {k, word, src});
    set_src(at, src);
    return pfn != 0;
  }

  /// As posted dst is only cleared where nothing migrates; what an earlier round left there is used again.
  void set_src(WordIndex at, uint64_t src) {
    const uint64_t dst = machine_.load(migrate_.dst + at);
    if (later_ || dst == 0) return set(at, src, 0);
    machine_.store(migrate_.src + at, src);
    machine_.step(RuleId::convert_stale_dst, {at, dst});
  }
  void set(WordIndex at, uint64_t src, uint64_t dst) {
    machine_.store(migrate_.src + at, src);
    if (machine_.load(migrate_.dst + at) != dst) machine_.store(migrate_.dst + at, dst);
  }

  Machine& machine_;
  WordIndex hmm_pfns_;
  MigrateVma& migrate_;
  const MigrateFormat format_;
  const bool later_;
  const uint64_t valid_, write_, migrate_flag_, pfn_mask_;
};

/// The later form takes back what was prepared: no destination, so every page gets its mappings back.
void undo(Machine& machine, MigrateVma& args) {
  machine.step(RuleId::setup_undo, {args.start, args.end, args.cpages});
  migrate_vma_pages(machine, args);
  migrate_vma_finalize(machine, args);
  machine.fill_keeping(args.src, static_cast<uint32_t>(args.npages), 0, 0, 0);
  args.cpages = 0;
}

}  // namespace

uint64_t select_fault(const KernelModel& model) {
  return model.unified == UnifiedStyle::rfc ? 1u << 3 : model.unified == UnifiedStyle::later ? 1u << 4 : 0;
}

uint64_t select_write(const KernelModel& model) { return model.unified == UnifiedStyle::later ? 1u << 5 : 0; }

bool migrate_hmm_range_setup(Machine& machine, WordIndex hmm_pfns, MigrateVma& migrate) {
  machine.enter(Function::migrate_hmm_range_setup, {migrate.start, migrate.end});
  const bool ok = Convert(machine, hmm_pfns, migrate).run();
  machine.leave();
  return ok;
}

int setup_by_range_fault(Machine& machine, MigrateVma& args) {
  const KernelModel& model = machine.model();
  const PfnFormat& pfn = machine.pfn_format();
  RangeFaultCall call;
  call.mm = args.mm;
  call.start = args.start;
  call.end = args.end;
  call.pfns = args.src;
  call.default_flags = model.hmm_pfn->mask(Role::migrate);
  if ((args.select & select_fault(model)) != 0) call.default_flags |= pfn.req_fault();
  if ((args.select & select_write(model)) != 0) call.default_flags |= pfn.req_fault() | pfn.req_write();
  call.dev_private_owner = args.pgmap_owner;
  call.migrate = &args;
  machine.step(RuleId::setup_by_range_fault, {args.start, args.end, call.default_flags, args.select});
  const auto run = args.hooks != nullptr ? args.hooks->range_fault(call) : std::nullopt;
  const RangeFaultResult walked = run ? *run : hmm_range_fault(machine, call);
  if (walked.stuck != Stuck::no) {
    args.stuck_at = walked.stuck_at;
    return -EDEADLK;
  }
  // The arrays were cleared, so no slot can hold a sticky bit and look like page 0.
  if (args.hooks == nullptr || !args.hooks->range_setup(args)) migrate_hmm_range_setup(machine, args.src, args);
  if (walked.ret != 0) {
    const auto ret = static_cast<uint64_t>(static_cast<int64_t>(walked.ret));
    if (model.unified == UnifiedStyle::later)
      undo(machine, args);
    else
      machine.step(RuleId::setup_error_kept, {ret, args.npages, args.cpages});
  }
  return walked.ret;
}

}  // namespace hmmscope
