#include "tests/migrate/direct.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "engine/migrate/device_exclusive.h"
#include "engine/migrate/device_migration.h"

namespace hmmscope::test {

namespace {

Recording recorded(Direct& direct, const std::function<void(Direct&)>& act) {
  direct.record();
  act(direct);
  return direct.finish();
}

void expect_refused(MigrateVma args, Machine& machine) { EXPECT_EQ(migrate_vma_setup(machine, args), -EINVAL); }

Recording setup_checks() {
  Direct direct;
  return recorded(direct, [](Direct& d) {
    MigrateVma empty = d.args();
    empty.end = empty.start;
    expect_refused(empty, d.machine());
    MigrateVma reversed = d.args();
    std::swap(reversed.start, reversed.end);
    expect_refused(reversed, d.machine());
    MigrateVma before = d.args();
    before.start -= page_bytes;
    expect_refused(before, d.machine());
    MigrateVma no_dst = d.args();
    no_dst.dst = no_word;
    expect_refused(no_dst, d.machine());
    MigrateVma system_page = d.args();
    system_page.fault_page = 0x12345;
    expect_refused(system_page, d.machine());
  });
}

Recording unlocked_fault_page() {
  Direct direct("6.15");
  make_allocated_folio(direct.machine(), 0xfc00000, 0);
  return recorded(direct, [](Direct& d) {
    MigrateVma args = d.args();
    args.fault_page = 0xfc00000;
    expect_refused(args, d.machine());
  });
}

/// page->mapping is NULL: neither anonymous nor a file's.
Recording page_of_nobody() {
  Direct direct;
  direct.page(0).set(FolioWord::mapping, 0);
  return recorded(direct, [](Direct& d) {
    MigrateVma args = d.args();
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    EXPECT_EQ(args.cpages, 0u);
  });
}

/// migrate_device_unmap with a large folio: no walk of ours collects one, a driver's own array may.
Recording large_folio() {
  Direct direct;
  const Folio folio = make_allocated_folio(direct.machine(), direct.machine().physical().allocate(9), 9);
  folio.set_flag(folio_flag::anon | folio_flag::lru);
  folio.set(FolioWord::mapping, anon_mapping);
  folio.lock(FolioLocker::migration);
  const MigrateFormat format = MigrateFormat::from(direct.machine().model());
  direct.machine().store(direct.arrays().src, format.make(folio.pfn()) | format.migrate);
  return recorded(direct, [&](Direct& d) {
    EXPECT_EQ(unmap_collected({d.machine(), format, d.arrays().src, d.arrays().dst, 1}), 0u);
    EXPECT_FALSE(folio.locked());
  });
}

/// A driver that gives a destination for a slot that was not selected, and one that asks to fill a file's hole.
Recording unselected_slots() {
  Direct direct("6.12", vm::read | vm::write | vm::shared, VmaKind::shmem);
  const MigrateFormat format = MigrateFormat::from(direct.machine().model());
  return recorded(direct, [&](Direct& d) {
    MigrateVma args = d.args(2);
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    EXPECT_EQ(args.cpages, 0u);
    d.machine().step(RuleId::driver_allocate, {0, 0, 0});
    for (uint32_t k = 0; k < 2; ++k) {
      const uint64_t pfn = d.machine().physical().allocate_device_page(d.machine().physical().devices()[0]);
      make_allocated_folio(d.machine(), pfn, 0).lock(FolioLocker::driver);
      d.machine().store(args.dst + k, format.make(pfn));
    }
    d.machine().store(args.src + 1, format.migrate);
    migrate_vma_pages(d.machine(), args);
    EXPECT_EQ(d.machine().load(args.src + 1), 0u);
    migrate_vma_finalize(d.machine(), args);
  });
}

/// Two mappings of one folio, of which the other is read-only: ours becomes exclusive, and so does the other.
Recording exclusive_with_reader() {
  Direct direct;
  const Folio folio = direct.page(0);
  AddressSpace& other = direct.machine().add_address_space("other");
  VmaSpec spec;
  spec.start = base;
  spec.end = base + 0x400000;
  spec.name = "vma";
  const Vma vma = other.add_vma(spec).value();
  other.set_entry(Level::pte, base, EntryFormat::make(folio.pfn(), mapping_flags(vma, false)));
  folio.take();
  folio.add_rmap();
  return recorded(direct, [&](Direct& d) {
    EXPECT_EQ(make_device_exclusive_range(d.machine(), d.mm(), base, base + page_bytes, gpu_owner,
                                          [](uint64_t, uint64_t) {}), 1);
    EXPECT_EQ(folio.mapcount(), 0u);
    EXPECT_EQ(folio.refcount(), 2u);   // one for each entry
  });
}

/// A long-term pin of a device-coherent page that somebody else refers to.
Recording busy_coherent_page() {
  Direct direct;
  direct.machine().physical().add_device({0xfb00000, 8, gpu_owner, true, "apu", nullptr});
  const Folio folio = direct.page(0, true, 0xfb00007);
  folio.take(2);   // the pinning caller's, and somebody else's
  return recorded(direct, [&](Direct& d) {
    EXPECT_EQ(migrate_device_coherent_folio(d.machine(), d.mm(), 0xfb00007,
                                            [&] { return d.machine().physical().allocate(0); }), -EBUSY);
    EXPECT_FALSE(folio.locked());
    EXPECT_EQ(folio.refcount(), 2u);   // the mapping's and somebody else's
    EXPECT_EQ(folio.mapcount(), 1u);
  });
}

/// No memory for the page tables of an insertion.
Recording insertion_without_memory() {
  struct NoMemory : MigrateHooks {
    bool has_memory(MigrateMemory what, uint64_t, uint64_t) override { return what != MigrateMemory::insertion; }
  };
  NoMemory hooks;
  Direct direct;
  return recorded(direct, [&](Direct& d) {
    MigrateVma args = d.args();
    args.hooks = &hooks;
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    allocate_device_pages(d.machine(), args, d.machine().physical().devices()[0]);
    migrate_vma_pages(d.machine(), args);
    EXPECT_EQ(d.machine().load(args.src), 0u);
    migrate_vma_finalize(d.machine(), args);
  });
}

}  // namespace

std::vector<Recording> direct_recordings() {
  std::vector<Recording> all;
  all.push_back(setup_checks());
  all.push_back(unlocked_fault_page());
  all.push_back(page_of_nobody());
  all.push_back(large_folio());
  all.push_back(unselected_slots());
  all.push_back(exclusive_with_reader());
  all.push_back(busy_coherent_page());
  all.push_back(insertion_without_memory());
  return all;
}

}  // namespace hmmscope::test
