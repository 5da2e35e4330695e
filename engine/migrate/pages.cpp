// migrate_vma_pages: the source page's identity moves to the destination (mm/migrate_device.c).
#include <algorithm>

#include "engine/migrate/migrate_internal.h"

namespace hmmscope {

namespace {

class Pages {
 public:
  explicit Pages(const Migration& migration)
      : migration_(migration), machine_(migration.machine), format_(migration.format) {}

  void run() {
    Invalidation running;
    bool notified = false;
    for (uint64_t k = 0; k < migration_.pages;) {
      const uint64_t src = migration_.src_word(k), dst = migration_.dst_word(k);
      const Folio folio = migration_.folio(src), target = migration_.folio(dst);
      uint64_t slots = 1;
      if (!target) {
        machine_.step(RuleId::pages_no_dst, {k, src, dst});
        migration_.clear_migrate(k);
      } else if (folio) {
        name_used(k, target);
        slots = move(k, folio, target);
      } else if (!format_.migrates(src)) {
        machine_.step(RuleId::pages_skip, {k, src, dst});
      } else {
        if (!notified) running = notify(k);
        notified = true;
        name_used(k, target);
        slots = insert(k, target);
      }
      k += slots;
      if (format_.is_compound(src) && slots == 1) k += tails(k);
    }
    if (notified) end_invalidation(*migration_.args->mm, running, migration_.hooks);
  }

 private:
  /// The kernel looks at each of the other slots of a 2M page and finds nothing. Returns how many that are.
  uint64_t tails(uint64_t k) {
    uint64_t count = 0;
    while (count + 1 < entries_per_table && k + count < migration_.pages && migration_.src_word(k + count) == 0 &&
           migration_.dst_word(k + count) == 0) {
      ++count;
    }
    if (count != 0) machine_.step(RuleId::pages_compound_tails, {k, count});
    return count;
  }

  /// A hole: one page, of 4K or 2M, or 512 small ones for a hole of 2M.
  uint64_t insert(uint64_t k, const Folio& target) {
    const uint64_t src = migration_.src_word(k), dst = migration_.dst_word(k);
    if (!format_.is_compound(src) || format_.is_compound(dst)) {
      insert_page(migration_, k, target);
      return 1;
    }
    machine_.step(RuleId::pages_hole_split, {k, src, dst});
    migration_.set_src(k, src & ~format_.compound);
    const uint64_t slots = std::min<uint64_t>(entries_per_table, migration_.pages - k);
    for (uint64_t j = k; j < k + slots; ++j) {
      if (const Folio small = migration_.folio(migration_.dst_word(j)); small) {
        migration_.set_src(j, migration_.src_word(j) | format_.migrate);
        insert_page(migration_, j, small);
      } else {
        no_small_destination(j);
      }
    }
    return slots;
  }
  void no_small_destination(uint64_t k) {
    machine_.step(RuleId::pages_no_small_dst, {k, migration_.src_word(k)});
    migration_.clear_migrate(k);
  }

  /// The first insertion opens one invalidation up to the end of the range; the last slot closes it.
  Invalidation notify(uint64_t k) {
    const MigrateVma& args = *migration_.args;
    const uint64_t addr = migration_.address(k);
    machine_.step(RuleId::pages_notify, {k, addr, args.end});
    return begin_invalidation(*args.mm, {addr, args.end, NotifyEvent::migrate, args.pgmap_owner},
                              migration_.hooks);
  }

  /// A destination nobody has locked comes from an array that was used before.
  void name_used(uint64_t k, const Folio& target) {
    if (target.locked()) return;
    machine_.step(RuleId::pages_dst_in_use, {k, target.pfn(), target.refcount(), target.mapcount()});
  }

  /// Returns how many slots were dealt with.
  uint64_t move(uint64_t k, const Folio& folio, const Folio& target) {
    const uint64_t src = migration_.src_word(k), dst = migration_.dst_word(k);
    uint64_t slots = 1;
    if (format_.migrates(src) && format_.is_compound(src) && !format_.is_compound(dst)) {
      slots = split(k, folio, dst);
      if (!format_.migrates(migration_.src_word(k))) return slots;
    } else if (format_.migrates(src) && format_.is_compound(dst) && !format_.is_compound(src)) {
      machine_.step(RuleId::pages_dst_compound, {k, src, dst});
      migration_.clear_migrate(k);
      return 1;
    }
    const Folio head = migration_.folio(migration_.src_word(k));   // another folio after a split
    if (target.has(folio_flag::device_other)) {
      machine_.step(RuleId::pages_dst_zone_device, {k, head.pfn(), target.pfn()});
      for (uint64_t j = k; j < k + slots && j < migration_.pages; ++j) migration_.clear_migrate(j);
      return slots;
    }
    const bool had_mapping = head.in_a_cache();
    if (had_mapping && target.zone_device() && !leave_cache(k, head)) {
      migration_.clear_migrate(k);
      return slots;
    }
    // Asked of the first page only: the kernel counts the fault's reference for all or for none.
    const uint64_t fault = migration_.fault_page != 0 && head.pfn() == migration_.fault_page ? 1 : 0;
    for (uint64_t j = k; j < k + slots && j < migration_.pages; ++j) {
      const Folio to = migration_.folio(migration_.dst_word(j));
      if (to)
        migrate_mapping(j, migration_.folio(migration_.src_word(j)), to, fault, had_mapping);
      else
        no_small_destination(j);
    }
    return slots;
  }

  /// Small destinations for a 2M page. Returns the slots it takes; MIGRATE is gone when it could not be split.
  uint64_t split(uint64_t k, const Folio& folio, uint64_t dst) {
    if (migration_.args == nullptr) {
      machine_.step(RuleId::pages_compound_no_vma, {k, folio.pfn(), dst});
      migration_.clear_migrate_and_compound(k);
      return 1;
    }
    const uint64_t slots = folio.pages();
    if (!split_unmapped_folio(migration_, k, folio)) {
      machine_.step(RuleId::pages_split_failed, {k, folio.pfn(), folio.refcount()});
      migration_.clear_migrate_and_compound(k);
    }
    return slots;
  }

  /// folio_migrate_mapping(): every reference must be accounted for. The mapping is the one seen before the
  /// swap cache was left, so a page that has just left it is one reference short.
  void migrate_mapping(uint64_t k, const Folio& folio, const Folio& target, uint64_t fault, bool had_mapping) {
    const uint64_t cache = had_mapping ? 1 + (folio.has(folio_flag::has_private) ? 1 : 0) : 0;
    const uint64_t expected = 1 + cache + fault;
    uint64_t refcount = folio.refcount();
    if (migration_.hooks != nullptr) {
      refcount += migration_.hooks->unseen_references(ReferenceCheck::pages, k, folio.pfn());
    }
    if (refcount != expected) {
      machine_.step(RuleId::pages_refcount, {k, folio.pfn(), refcount, expected, fault, cache});
      migration_.clear_migrate(k);
      return;
    }
    machine_.step(RuleId::pages_moved, {k, folio.pfn(), target.pfn(), refcount, expected});
    target.set(FolioWord::index, folio.index());
    target.set(FolioWord::mapping, folio.mapping());
    target.set_flag(folio.get(FolioWord::flags) & (folio_flag::anon | folio_flag::dirty));
  }

  /// Device memory takes anonymous pages only, and only outside the swap cache.
  bool leave_cache(uint64_t k, const Folio& folio) {
    if (!folio.has(folio_flag::anon)) {
      machine_.step(RuleId::pages_file, {k, folio.pfn(), folio.mapping()});
      return false;
    }
    if (folio.has(folio_flag::swap_shared)) {
      machine_.step(RuleId::pages_swap_shared, {k, folio.pfn()});
      return false;
    }
    machine_.step(RuleId::pages_swap_freed, {k, folio.pfn(), folio.refcount()});
    folio.set_flag(folio_flag::swapcache, false);
    folio.set_flag(folio_flag::dirty);
    folio.put();
    return true;
  }

  const Migration& migration_;
  Machine& machine_;
  const MigrateFormat& format_;
};

}  // namespace

void migrate_vma_pages(Machine& machine, const MigrateVma& args) {
  machine.enter(Function::migrate_vma_pages, {args.start, args.end, args.cpages, args.npages});
  if (args.hooks != nullptr) args.hooks->entered(Function::migrate_vma_pages, args.start, args.end, 0);
  Pages({machine, MigrateFormat::from(machine.model()), args.src, args.dst, args.npages, args.fault_page,
         &args, args.hooks})
      .run();
  if (args.hooks != nullptr) args.hooks->left(Function::migrate_vma_pages, args.start, 0);
  machine.leave();
}

void migrate_device_pages(Machine& machine, WordIndex src, WordIndex dst, uint64_t pages,
                          MigrateHooks* hooks) {
  machine.enter(Function::migrate_device_pages, {pages});
  Pages({machine, MigrateFormat::from(machine.model()), src, dst, pages, 0, nullptr, hooks}).run();
  machine.leave();
}

}  // namespace hmmscope
