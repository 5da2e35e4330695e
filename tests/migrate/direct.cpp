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
    MigrateVma inside = d.args();
    inside.start += 2 * page_bytes;
    inside.end = inside.start - page_bytes;
    EXPECT_EQ(migrate_vma_setup(d.machine(), inside), -EFAULT) << "nothing in the kernel refuses it";
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
                                            [&](uint32_t order) { return d.machine().physical().allocate(order); }), -EBUSY);
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

constexpr uint64_t large_pages = 512;

/// A machine of 7.3 whose first 2M are a huge page, and a device with room for 2M pages.
struct DirectHuge {
  Direct direct{"7.3"};
  const DeviceMemory* memory;
  Folio folio;

  explicit DirectHuge(bool mapped = true) {
    Machine& m = direct.machine();
    m.physical().add_device({0xfa00000, 4 * large_pages, gpu_owner, false, "large", nullptr});
    memory = &m.physical().devices()[1];
    if (!mapped) return;
    const uint64_t pfn = m.physical().allocate(9);
    add_anon_folio(m, direct.vma(), base, pfn, 9, true);
    direct.mm().set_entry(Level::pmd, base, EntryFormat::make(pfn, mapping_flags(direct.vma(), true) | bit::huge));
    folio = Folio::of(m, pfn);
  }
  MigrateVma args() { return direct.args(large_pages, migrate_select::system | migrate_select::compound); }
  /// A 2M destination for slot 0, whatever its source is.
  Folio give_large(const MigrateVma& args) {
    Machine& m = direct.machine();
    const MigrateFormat format = MigrateFormat::from(m.model());
    const uint64_t pfn = m.physical().allocate_device_page(*memory, 9);
    m.step(RuleId::driver_compound, {0, m.load(args.src), pfn});
    const Folio target = make_allocated_folio(m, pfn, 9);
    target.lock(FolioLocker::driver);
    m.store(args.dst, format.make(pfn) | format.compound);
    return target;
  }
};

/// A 2M destination for a small page: it is not used, the page keeps its mapping.
Recording large_destination_for_a_small_page() {
  DirectHuge huge(false);
  const Folio page = huge.direct.page(0);
  return recorded(huge.direct, [&](Direct& d) {
    MigrateVma args = d.args();
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    const Folio target = huge.give_large(args);
    migrate_vma_pages(d.machine(), args);
    EXPECT_FALSE(MigrateFormat::from(d.machine().model()).migrates(d.machine().load(args.src)));
    migrate_vma_finalize(d.machine(), args);
    EXPECT_EQ(target.refcount(), 0u);
    EXPECT_EQ(page.mapcount(), 1u);
    EXPECT_EQ(page.refcount(), 1u);
  });
}

/// A 2M destination for a hole that does not begin at a 2M boundary.
Recording large_destination_off_the_boundary() {
  DirectHuge huge(false);
  return recorded(huge.direct, [&](Direct& d) {
    MigrateVma args = d.args();
    args.start += page_bytes;
    args.end += page_bytes;
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    const Folio target = huge.give_large(args);
    migrate_vma_pages(d.machine(), args);
    EXPECT_EQ(d.machine().load(args.src), 0u);
    migrate_vma_finalize(d.machine(), args);
    EXPECT_EQ(target.refcount(), 0u);
  });
}

Recording large_insertion_without_memory() {
  struct NoMemory : MigrateHooks {
    bool has_memory(MigrateMemory what, uint64_t, uint64_t) override { return what != MigrateMemory::insertion; }
  };
  NoMemory hooks;
  DirectHuge huge(false);
  return recorded(huge.direct, [&](Direct& d) {
    MigrateVma args = huge.args();
    args.hooks = &hooks;
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    EXPECT_EQ(args.cpages, 1u);
    allocate_device_pages(d.machine(), args, *huge.memory);
    migrate_vma_pages(d.machine(), args);
    EXPECT_EQ(d.machine().load(args.src), MigrateFormat::from(d.machine().model()).compound);
    migrate_vma_finalize(d.machine(), args);
    EXPECT_EQ(d.mm().find_entry(Level::pte, base), no_word);
  });
}

/// The driver empties its memory and has only small pages for a large one: without a VMA it cannot be split.
Recording eviction_with_small_pages() {
  DirectHuge huge;
  return recorded(huge.direct, [&](Direct& d) {
    MigrateVma args = huge.args();
    EXPECT_EQ(migrate_vma_setup(d.machine(), args), 0);
    allocate_device_pages(d.machine(), args, *huge.memory);
    const uint64_t pfn = MigrateFormat::from(d.machine().model()).pfn(d.machine().load(args.dst));
    migrate_vma_pages(d.machine(), args);
    migrate_vma_finalize(d.machine(), args);
    EXPECT_EQ(evict_device(d.machine(), d.arrays(), pfn, large_pages,
                           [&](uint32_t order) { return order != 0 ? 0 : d.machine().physical().allocate(0); }), 0u);
    const Folio still = Folio::of(d.machine(), pfn);
    EXPECT_EQ(still.order(), 9u);
    EXPECT_EQ(still.refcount(), 1u);
    EXPECT_EQ(still.mapcount(), 1u);
    EXPECT_FALSE(still.locked());
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
  all.push_back(large_destination_for_a_small_page());
  all.push_back(large_destination_off_the_boundary());
  all.push_back(large_insertion_without_memory());
  all.push_back(eviction_with_small_pages());
  return all;
}

}  // namespace hmmscope::test
