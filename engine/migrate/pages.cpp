// migrate_vma_pages: the source page's identity moves to the destination (mm/migrate_device.c).
#include "engine/migrate/migrate_internal.h"

namespace hmmscope {

namespace {

class Pages {
 public:
  explicit Pages(const Migration& migration) : migration_(migration), machine_(migration.machine) {}

  void run() {
    Invalidation running;
    bool notified = false;
    for (uint64_t k = 0; k < migration_.pages; ++k) {
      const uint64_t src = migration_.src_word(k), dst = migration_.dst_word(k);
      const Folio folio = migration_.folio(src), target = migration_.folio(dst);
      if (!target) {
        machine_.step(RuleId::pages_no_dst, {k, src, dst});
        migration_.clear_migrate(k);
      } else if (folio) {
        name_used(k, target);
        move(k, folio, target);
      } else if (!migration_.format.migrates(src)) {
        machine_.step(RuleId::pages_skip, {k, src, dst});
      } else {
        if (!notified) running = notify(k);
        notified = true;
        name_used(k, target);
        insert_page(migration_, k, target);
      }
    }
    if (notified) end_invalidation(*migration_.args->mm, running, migration_.hooks);
  }

 private:
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

  void move(uint64_t k, const Folio& folio, const Folio& target) {
    const bool had_mapping = folio.in_a_cache();
    if (had_mapping && target.zone_device() && !leave_cache(k, folio)) {
      migration_.clear_migrate(k);
      return;
    }
    // folio_migrate_mapping(): every reference must be accounted for. The mapping is the one seen before the
    // swap cache was left, so a page that has just left it is one reference short.
    const uint64_t fault = migration_.fault_page != 0 && folio.pfn() == migration_.fault_page ? 1 : 0;
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
