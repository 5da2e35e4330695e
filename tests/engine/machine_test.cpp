// Address spaces, page tables and physical memory.

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

TEST(Words, NamesMatchTheOrderOfTheWords) {
  EXPECT_EQ(word_names(RegionKind::vma).size(), static_cast<size_t>(VmaWord::count_));
  EXPECT_EQ(word_names(RegionKind::folio).size(), static_cast<size_t>(FolioWord::count_));
  EXPECT_EQ(word_names(RegionKind::notifier).size(), static_cast<size_t>(NotifierWord::count_));
  EXPECT_EQ(word_names(RegionKind::mm).size(), static_cast<size_t>(MmWord::count_));
  EXPECT_EQ(word_names(RegionKind::range).size(), static_cast<size_t>(RangeWord::count_));
  EXPECT_EQ(word_names(RegionKind::folio)[static_cast<size_t>(FolioWord::mapcount)], "mapcount");
  EXPECT_EQ(word_names(RegionKind::range)[static_cast<size_t>(RangeWord::last)], "last");
  EXPECT_EQ(word_names(RegionKind::mm)[static_cast<size_t>(MmWord::rss_anon)], "rss_anon");
}

TEST(Vmas, AreFoundAsTheKernelFindsThem) {
  World w("6.12");
  const Vma low = w.vma(10, 5), high = w.vma(20, 5), middle = w.vma(15, 2);
  EXPECT_EQ(w.mm().find_vma(0), low);
  EXPECT_EQ(w.mm().find_vma(addr_of(14) + 0xfff), low);
  EXPECT_EQ(w.mm().find_vma(addr_of(15)), middle);
  EXPECT_EQ(w.mm().find_vma(addr_of(17)), high);
  EXPECT_FALSE(w.mm().find_vma(addr_of(25)));
  EXPECT_FALSE(w.mm().vma_at(addr_of(17)));
  w.mm().remove_vma(middle);
  EXPECT_EQ(w.mm().find_vma(addr_of(15)), high);
  EXPECT_EQ(middle.end(), 0u);
  EXPECT_EQ(w.mm().vmas().size(), 2u);
}

TEST(Vmas, SplitKeepsWhatTheyMap) {
  World w("6.12");
  VmaSpec spec;
  spec.start = base;
  spec.end = base + 0x8000;
  spec.pgoff = 100;
  spec.kind = VmaKind::file_private;
  const Vma lower = w.mm().add_vma(spec).value();
  const Vma upper = w.mm().split_vma(lower, base + 0x3000).value();
  EXPECT_EQ(lower.end(), base + 0x3000);
  EXPECT_EQ(upper.start(), base + 0x3000);
  EXPECT_EQ(upper.end(), base + 0x8000);
  EXPECT_EQ(upper.pgoff(), 103u);
  EXPECT_EQ(upper.kind(), VmaKind::file_private);
  EXPECT_FALSE(w.mm().split_vma(lower, base));
  EXPECT_FALSE(w.mm().split_vma(upper, base + 0x3800));
}

TEST(Vmas, BadSpecsAreRefusedWithAReason) {
  World w("6.12");
  w.vma(10, 5);
  const auto refused = [&](uint64_t start, uint64_t end, uint64_t flags = vm::read, uint32_t shift = 12) {
    VmaSpec spec;
    spec.start = start;
    spec.end = end;
    spec.flags = flags;
    spec.page_shift = shift;
    const auto result = w.mm().add_vma(spec);
    return result ? std::string() : result.error().message;
  };
  EXPECT_NE(refused(base + 1, base + 0x1000).find("aligned"), std::string::npos);
  EXPECT_NE(refused(base, base).find("empty"), std::string::npos);
  EXPECT_NE(refused(0, 1ull << 49).find("above"), std::string::npos);
  EXPECT_NE(refused(addr_of(14), addr_of(16)).find("overlaps"), std::string::npos);
  EXPECT_NE(refused(addr_of(8), addr_of(11)).find("overlaps"), std::string::npos);
  EXPECT_NE(refused(addr_of(512), addr_of(513), vm::read | vm::hugetlb, 21).find("aligned"), std::string::npos);
  EXPECT_NE(refused(addr_of(512), addr_of(1024), vm::read | vm::hugetlb, 12).find("21 or 30"), std::string::npos);
  EXPECT_NE(refused(addr_of(512), addr_of(1024), vm::read, 21).find("12"), std::string::npos);
}

TEST(PageTables, EntriesAreFoundOnlyThroughTheEntriesAbove) {
  for (const uint8_t levels : {uint8_t{4}, uint8_t{5}}) {
    World w("6.12", [&](KernelModel& m) { m.config.levels = levels; });
    AddressSpace& mm = w.mm();
    EXPECT_EQ(mm.find_entry(Level::pte, base), no_word);
    EXPECT_NE(mm.find_entry(mm.tables().top(), base), no_word);
    const WordIndex word = mm.ensure_entry(Level::pte, base + 0x5000);
    EXPECT_EQ(mm.find_entry(Level::pte, base + 0x5000), word);
    EXPECT_EQ(mm.find_entry(Level::pte, base + 0x6fff), word + 1);
    EXPECT_EQ(mm.tables().table_count(), levels);
    const Region& region = w.machine().memory().region(w.machine().memory().region_of(word));
    EXPECT_EQ(region.kind, RegionKind::pte);
    EXPECT_EQ(region.address + (word - region.first) * region.stride, base + 0x5000);
    const Region& top = w.machine().memory().region(w.machine().memory().region_of(mm.find_entry(mm.tables().top(), 0)));
    EXPECT_EQ(top.kind, RegionKind::pgd);
    EXPECT_FALSE(x86::pmd_bad(w.machine().load(mm.find_entry(Level::pmd, base))));

    mm.set_entry(Level::pmd, base, pmd_rw);   // a leaf hides the table
    EXPECT_EQ(mm.find_entry(Level::pte, base), no_word);
    EXPECT_EQ(mm.tables().entry_word(Level::pte, base + 0x5000), word);
  }
}

TEST(PageTables, AFreedTableComesBackEmptyAndIsTheSameWords) {
  World w("6.12");
  const WordIndex word = w.mm().ensure_entry(Level::pte, base);
  w.machine().store(word, pte_rw);
  w.mm().set_entry(Level::pmd, base, 0);
  EXPECT_EQ(w.mm().ensure_entry(Level::pte, base), word);
  EXPECT_EQ(w.machine().load(word), 0u);
}

TEST(Entries, AreMadeAndReadAsInTheNotes) {
  EXPECT_EQ(EntryFormat::make(0x12345, 0x8000000000000867), pte_rw);
  EXPECT_EQ(EntryFormat::make(0x12345, 0x8000000000000120), pte_numa_hint);
  EXPECT_EQ(EntryFormat::make(0, 0), 0u);
  EXPECT_EQ(leaf_pfn(Level::pmd, pmd_rw), 0x12400u);
  EXPECT_EQ(leaf_pfn(Level::pud, 0x80000000400000e7), 0x40000u);
  EXPECT_EQ(level_end(Level::pmd, base + 0x1000, base + 0x400000), base + 0x200000);
  EXPECT_EQ(level_end(Level::pgd, base, ~0xfffull), 0x0001000000000000u);
  const EntryFormat format(kernel_model("6.12").value());
  EXPECT_EQ(format.swap.pfn(v612::migration_write_ad), 0x12345u);
}

TEST(PhysicalMemory, IsDeterministicAndAligned) {
  World a("6.12"), b("6.12");
  for (const uint32_t order : {0u, 9u, 0u, 18u, 4u}) {
    const uint64_t pfn = a.machine().physical().allocate(order);
    EXPECT_EQ(pfn % (1ull << order), 0u);
    EXPECT_EQ(pfn, b.machine().physical().allocate(order));
  }
  PhysicalMemory& memory = a.machine().physical();
  const uint64_t pfn = memory.allocate(0);
  memory.free(pfn, 0);
  EXPECT_EQ(memory.allocate(0), pfn);
  memory.set_limit(memory.used_pages() + 1);
  EXPECT_EQ(memory.allocate(1), 0u);
  EXPECT_NE(memory.allocate(0), 0u);
  EXPECT_EQ(memory.allocate(0), 0u);
}

TEST(PhysicalMemory, KnowsFoliosAndDevices) {
  World w("6.12");
  PhysicalMemory& memory = w.machine().physical();
  const WordIndex folio = memory.add_folio(0x200, 9);
  EXPECT_EQ(memory.folio_of(0x3ff), folio);
  EXPECT_EQ(memory.folio_of(0x400), no_word);
  EXPECT_EQ(memory.folio_of(0x1ff), no_word);
  w.device(0x12000, 0x10, 7);
  EXPECT_EQ(memory.owner_of(0x1200f), std::optional<uint64_t>(7));
  EXPECT_EQ(memory.owner_of(0x12010), std::nullopt);
  const DeviceMemory& device = memory.devices()[0];
  EXPECT_EQ(memory.allocate_device_page(device), 0x1200fu) << "from the top downwards, as the test driver does";
  EXPECT_EQ(memory.allocate_device_page(device), 0x1200eu);
  memory.free_device_page(0x1200f);
  EXPECT_EQ(memory.allocate_device_page(device), 0x1200fu);
}

TEST(Machine, RefusesModelsItCannotWalk) {
  KernelModel model = kernel_model("6.12").value();
  model.config.page_shift = 16;
  EXPECT_FALSE(Machine::create(model));
  model = kernel_model("6.12").value();
  model.config.levels = 3;
  EXPECT_FALSE(Machine::create(model));
  model = kernel_model("6.12").value();
  model.hmm_pfn = nullptr;
  EXPECT_FALSE(Machine::create(model));
}

}  // namespace
}  // namespace hmmscope::test
