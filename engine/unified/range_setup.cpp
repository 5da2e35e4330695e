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
        policy_(unified_policy(machine.model().unified)),
        valid_(machine.pfn_format().valid),
        write_(machine.pfn_format().write),
        migrate_flag_(machine.model().hmm_pfn->mask(Role::migrate)),
        compound_flag_(machine.model().hmm_pfn->mask(Role::compound)),
        compound_(machine.model().migrate_pfn->mask(Role::compound)),
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
  /// As posted a hole is one exact word and everything else with both flags a page; later MIGRATE decides and VALID
  /// tells a page from a hole.
  bool slot(uint64_t k) {
    const auto at = static_cast<WordIndex>(k);
    const uint64_t word = machine_.load(hmm_pfns_ + at), both = valid_ | migrate_flag_;
    const bool hole = policy_.hole_is_valid ? word == both : (word & both) == migrate_flag_;
    if (!hole && (word & both) != both) {
      machine_.step(RuleId::convert_not_prepared, {k, word});
      set(at, 0, 0);
      return true;
    }
    ++migrate_.cpages;
    // The later form copies both flags whatever the slot is.
    const uint64_t write = (word & write_) != 0 && (!hole || !policy_.hole_is_valid) ? format_.write : 0;
    const uint64_t flags = write | ((word & compound_flag_) != 0 ? compound_ : 0);
    if (hole) {
      machine_.step(RuleId::convert_hole, {k, word});
      set_src(at, format_.migrate | flags);
      return true;
    }
    const uint64_t pfn = word & pfn_mask_;
    const uint64_t src = format_.make(pfn) | format_.migrate | flags;
    machine_.step(pfn == 0 ? RuleId::convert_page_zero : RuleId::convert_page, {k, word, src});
    set_src(at, src);
    return pfn != 0;
  }

  /// As posted dst is only cleared where nothing migrates; what an earlier round left there is used again.
  void set_src(WordIndex at, uint64_t src) {
    const uint64_t dst = machine_.load(migrate_.dst + at);
    if (policy_.dst_cleared || dst == 0) return set(at, src, 0);
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
  const UnifiedPolicy& policy_;
  const uint64_t valid_, write_, migrate_flag_, compound_flag_, compound_, pfn_mask_;
};

}  // namespace

void take_back(Machine& machine, WordIndex hmm_pfns, MigrateVma& migrate) {
  migrate_hmm_range_setup(machine, hmm_pfns, migrate);
  // No destination, so every page gets its mappings back.
  migrate_vma_pages(machine, migrate);
  migrate_vma_finalize(machine, migrate);
  const auto pages = static_cast<uint32_t>(migrate.npages);
  machine.fill_keeping(hmm_pfns, pages, 0, 0, 0);
  if (migrate.src != hmm_pfns) machine.fill_keeping(migrate.src, pages, 0, 0, 0);
  migrate.cpages = 0;
}

uint64_t select_fault(const KernelModel& model) {
  const uint8_t bit = unified_policy(model.unified).fault_bit;
  return bit == 0 ? 0 : uint64_t{1} << bit;
}

uint64_t select_write(const KernelModel& model) {
  const uint8_t bit = unified_policy(model.unified).write_bit;
  return bit == 0 ? 0 : uint64_t{1} << bit;
}

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
  const auto ret = static_cast<uint64_t>(static_cast<int64_t>(walked.ret));
  if (walked.ret != 0 && unified_policy(model.unified).rolls_back) {
    machine.step(RuleId::setup_error_clean, {ret, args.start, args.end});
    return walked.ret;
  }
  // The arrays were cleared, so no slot can hold a sticky bit and look like page 0.
  if (args.hooks == nullptr || !args.hooks->range_setup(args)) migrate_hmm_range_setup(machine, args.src, args);
  if (walked.ret != 0) machine.step(RuleId::setup_error_kept, {ret, args.npages, args.cpages});
  return walked.ret;
}

}  // namespace hmmscope
