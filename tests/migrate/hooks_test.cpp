// What hooks are asked and in which order, and that their answers are taken as what somebody else did.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/migrate/device_migration.h"
#include "tests/migrate/direct.h"

namespace hmmscope::test {
namespace {

/// Answers as told and writes down what it is asked.
class Told : public MigrateHooks {
 public:
  std::optional<bool> lock, pinned, on_lru;
  uint64_t references[2] = {0, 0};
  std::set<MigrateMemory> no_memory;
  std::vector<std::string> log;

  void before_vma(uint64_t, uint64_t) override { log.push_back("vma"); }
  void before_p4d(uint64_t, uint64_t) override { log.push_back("p4d"); }
  void before_pud(uint64_t, uint64_t) override { log.push_back("pud"); }
  void before_pmd(uint64_t, uint64_t) override { log.push_back("pmd"); }
  void before_pte(uint64_t, uint64_t) override { log.push_back("pte"); }
  void before_insert(uint64_t, uint64_t) override { log.push_back("insert"); }
  std::optional<bool> trylock(uint64_t, uint64_t) override { return log.push_back("lock"), lock; }
  std::optional<bool> maybe_pinned(uint64_t, uint64_t) override { return log.push_back("pin"), pinned; }
  std::optional<bool> isolate(uint64_t, uint64_t) override { return log.push_back("isolate"), on_lru; }
  uint64_t unseen_references(ReferenceCheck where, uint64_t, uint64_t) override {
    log.push_back(where == ReferenceCheck::unmap ? "references at unmap" : "references at pages");
    return references[static_cast<size_t>(where)];
  }
  bool has_memory(MigrateMemory what, uint64_t, uint64_t) override { return !no_memory.contains(what); }
  void invalidating(AddressSpace&, const InvalidateRange& range) override {
    log.push_back(range.event == NotifyEvent::migrate ? "start migrate" : "start clear");
  }
  void invalidated(AddressSpace&, const InvalidateRange&) override { log.push_back("end"); }
  void replaced(AddressSpace&, uint64_t, uint64_t old, uint64_t now) override {
    EXPECT_NE(old, now);
    log.push_back("replaced");
  }
  void entered(Function function, uint64_t, uint64_t, uint64_t) override {
    log.push_back("> " + std::string(function_name(function)));
  }
  void left(Function function, uint64_t, int64_t) override {
    log.push_back("< " + std::string(function_name(function)));
  }
};

/// A migration of page 0 to the device under these hooks; the src word after every call.
struct Migrated {
  explicit Migrated(Told& hooks, bool present = true, uint64_t destination = 0xfc0003f) {
    if (present) direct.page(0);
    args = direct.args();
    args.hooks = &hooks;
    format = MigrateFormat::from(direct.machine().model());
    EXPECT_EQ(migrate_vma_setup(direct.machine(), args), 0);
    after_setup = direct.machine().load(args.src);
    if (format.migrates(after_setup)) {
      allocate_device_pages(direct.machine(), args, direct.machine().physical().devices()[0]);
    }
    EXPECT_TRUE(direct.machine().load(args.dst) == 0 ||
                format.pfn(direct.machine().load(args.dst)) == destination);
    migrate_vma_pages(direct.machine(), args);
    after_pages = direct.machine().load(args.src);
    migrate_vma_finalize(direct.machine(), args);
    const WordIndex word = direct.mm().find_entry(Level::pte, base);
    pte = word == no_word ? 0 : direct.machine().load(word);
  }
  bool back() const { return x86::pte_present(pte) && x86::pte_write(pte); }
  bool home() const { return pte == 0; }

  Direct direct;
  MigrateVma args;
  MigrateFormat format{};
  uint64_t after_setup = 0, after_pages = 0, pte = 0;
};

TEST(MigrateHooks, AreAskedInTheKernelsOrder) {
  Told hooks;
  const Migrated run(hooks);
  const std::vector<std::string> expected{
      "> migrate_vma_setup", "vma", "> migrate_vma_collect", "start migrate", "p4d", "pud", "pmd",
      "> migrate_vma_collect_pmd", "pte", "lock", "pin", "replaced", "< migrate_vma_collect_pmd", "end",
      "< migrate_vma_collect", "> migrate_device_unmap", "isolate", "references at unmap",
      "< migrate_device_unmap", "< migrate_vma_setup", "> migrate_vma_pages", "references at pages",
      "< migrate_vma_pages", "> migrate_vma_finalize", "> remove_migration_ptes", "replaced",
      "< remove_migration_ptes", "< migrate_vma_finalize"};
  EXPECT_EQ(hooks.log, expected);
  EXPECT_FALSE(run.back());
}

TEST(MigrateHooks, AreAskedWhenAPageIsInserted) {
  Told hooks;
  const Migrated run(hooks, false);
  const std::vector<std::string> expected{
      "> migrate_vma_setup", "vma", "> migrate_vma_collect", "start migrate", "p4d",
      "> migrate_vma_collect_hole", "< migrate_vma_collect_hole", "end", "< migrate_vma_collect",
      "> migrate_device_unmap", "< migrate_device_unmap", "< migrate_vma_setup", "> migrate_vma_pages",
      "start migrate", "> migrate_vma_insert_page", "insert", "replaced", "< migrate_vma_insert_page", "end",
      "< migrate_vma_pages", "> migrate_vma_finalize", "< migrate_vma_finalize"};
  EXPECT_EQ(hooks.log, expected);
}

TEST(MigrateHooks, ABusyLockLeavesThePageAlone) {
  Told hooks;
  hooks.lock = false;
  const Migrated run(hooks);
  EXPECT_EQ(run.after_setup, 0u);
  EXPECT_TRUE(run.back());
}

TEST(MigrateHooks, APinLeavesThePageAlone) {
  Told hooks;
  hooks.pinned = true;
  const Migrated run(hooks);
  EXPECT_EQ(run.after_setup, 0u);
  EXPECT_TRUE(run.back());
}

TEST(MigrateHooks, AFailedIsolationRestoresThePageInSetup) {
  Told hooks;
  hooks.on_lru = false;
  const Migrated run(hooks);
  EXPECT_EQ(run.after_setup, 0u);
  EXPECT_TRUE(run.back());
  EXPECT_EQ(run.args.cpages, 0u);
}

TEST(MigrateHooks, AReferenceAtUnmapRestoresThePageInSetup) {
  Told hooks;
  hooks.references[static_cast<size_t>(ReferenceCheck::unmap)] = 1;
  const Migrated run(hooks);
  EXPECT_EQ(run.after_setup, 0u);
  EXPECT_TRUE(run.back());
}

TEST(MigrateHooks, AReferenceAtPagesClearsMigrateOnly) {
  Told hooks;
  hooks.references[static_cast<size_t>(ReferenceCheck::pages)] = 1;
  const Migrated run(hooks);
  EXPECT_EQ(run.after_pages, run.after_setup & ~run.format.migrate);
  EXPECT_NE(run.after_pages, 0u);
  EXPECT_TRUE(run.back());
}

TEST(MigrateHooks, NoDeviceMemoryMeansNoDestination) {
  Told hooks;
  hooks.no_memory = {MigrateMemory::device_page};
  const Migrated run(hooks);
  EXPECT_FALSE(run.format.migrates(run.after_pages));
  EXPECT_TRUE(run.back());
}

TEST(MigrateHooks, NoMemoryForAnInsertionLeavesTheHole) {
  Told hooks;
  hooks.no_memory = {MigrateMemory::insertion};
  const Migrated run(hooks, false);
  EXPECT_EQ(run.after_pages, 0u);
  EXPECT_TRUE(run.home());
}

TEST(MigrateHooks, NoMemoryOnTheWayHomeEndsTheFaultBySigbus) {
  Told hooks;
  hooks.no_memory = {MigrateMemory::system_page};
  Direct direct;
  const Folio device = direct.page(0, true, 0xfc00003);
  SwapEntry entry;
  entry.kind = SwapKind::device_write;
  entry.pfn = device.pfn();
  direct.mm().set_entry(Level::pte, base, *encode_swap(direct.machine().entry_format().swap, entry));
  CpuFault faults;
  faults.set_migrate_hooks(&hooks);
  EXPECT_EQ(faults.handle_mm_fault(direct.machine(), direct.mm(), base, 0), vm_fault::sigbus);
  hooks.no_memory.clear();
  EXPECT_EQ(faults.handle_mm_fault(direct.machine(), direct.mm(), base, 0), 0u);
  EXPECT_TRUE(x86::pte_present(direct.machine().load(direct.mm().find_entry(Level::pte, base))));
}

/// Somebody takes a reference between two looks: the hook changes the folio itself instead of answering.
TEST(MigrateHooks, MayChangeTheMachine) {
  class Grab : public MigrateHooks {
   public:
    explicit Grab(Direct& direct) : direct_(direct) {}
    void before_pte(uint64_t, uint64_t) override { Folio::of(direct_.machine(), pfn).take(); }
    uint64_t pfn = 0;

   private:
    Direct& direct_;
  };
  Direct direct;
  Grab hooks(direct);
  hooks.pfn = direct.page(0).pfn();
  MigrateVma args = direct.args();
  args.hooks = &hooks;
  EXPECT_EQ(migrate_vma_setup(direct.machine(), args), 0);
  EXPECT_EQ(args.cpages, 0u);
  EXPECT_EQ(Folio::of(direct.machine(), hooks.pfn).refcount(), 2u);
}

}  // namespace
}  // namespace hmmscope::test
