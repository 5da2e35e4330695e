// DMA_MAPPED, P2PDMA and P2PDMA_BUS through every way a slot is written, under every layout of the thread.

#include "engine/dma_map/dma_map.h"
#include "engine/encoding/hmm_pfn_helpers.h"
#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

/// What a path writes when nothing is sticky.
struct Path {
  const char* name;
  std::function<void(World&)> set_up;
  uint64_t first_page;
  uint64_t pfn;  ///< of the first slot; ~0: no pfn
  uint32_t order;
  bool valid, write, error;
};

constexpr uint64_t no_pfn = ~0ull;

std::vector<Path> paths() {
  return {
      {"hole inside a VMA", [](World& w) { w.vma(0, 8); }, 0, no_pfn, 0, false, false, false},
      {"no VMA", [](World&) {}, 0, no_pfn, 0, false, false, true},
      {"refused VMA", [](World& w) { w.vma(0, 8, vm::read | vm::io); }, 0, no_pfn, 0, false, false, true},
      {"empty pte",
       [](World& w) {
         w.vma(0, 8);
         w.table(0);
       },
       0, no_pfn, 0, false, false, false},
      {"present pte",
       [](World& w) {
         w.vma(0, 8);
         w.pte(0, pte_rw);
       },
       0, 0x12345, 0, true, true, false},
      {"special pte",
       [](World& w) {
         w.vma(0, 8);
         w.pte(0, (pte_ro & ~x86::pfn.mask()) | x86::special.mask() | 0x77000);
       },
       0, no_pfn, 0, false, false, true},
      {"pmd leaf",
       [](World& w) {
         w.vma(0, pages_2m);
         w.pmd(0, pmd_rw);
       },
       0, 0x12400, 9, true, true, false},
      {"pud leaf",
       [](World& w) {
         w.vma(0, pages_1g);
         w.pud(0, 0x80000000400008e5 | (w.machine().model().devmap ? x86::devmap.mask() : 0));
       },
       0, 0x40000, 18, true, false, false},
      {"hugetlb",
       [](World& w) {
         w.vma(0, pages_1g, vm::read | vm::write, 30);
         w.pud(0, 0x80000000400008e7);
       },
       0, 0x40000, 18, true, true, false},
  };
}

uint64_t expected(const Layout& layout, const Path& path) {
  uint64_t word = path.pfn == no_pfn ? 0 : path.pfn;
  if (path.valid) word |= layout.mask(Role::valid);
  if (path.write) word |= layout.mask(Role::write);
  if (path.error) word |= layout.mask(Role::error);
  if (const Field* order = layout.field(Role::order)) word |= order->put(path.order);
  return word;
}

TEST(StickyFlags, EveryPathKeepsThemUnderEveryLayout) {
  for (const char* model : {"6.12-v9", "6.12-first-repair", "6.12-genmask", "6.12-fixed", "6.16", "6.18",
                            "6.18-devpriv-posted", "6.18-devpriv", "7.3", "6.12", "5.9", "5.8"}) {
    for (const Path& path : paths()) {
      for (int tag = 0; tag < 4; ++tag) {
        World w(model);
        path.set_up(w);
        w.range(path.first_page, 3);
        const Layout& layout = *w.machine().model().hmm_pfn;
        constexpr Role roles[] = {Role::dma_mapped, Role::p2pdma, Role::p2pdma_bus};
        const uint64_t in = tag == 3 ? layout.sticky_mask() : layout.mask(roles[tag]);
        w.in(0, in);
        ASSERT_EQ(w.run().ret, 0) << model << ", " << path.name;
        EXPECT_EQ(w.out(0), expected(layout, path) | in) << model << ", " << path.name << ", tag " << tag;
      }
    }
  }
}

TEST(StickyFlags, NothingElseSurvives) {
  for (const char* model : {"6.12", "6.12-v9", "6.12-fixed", "6.16", "7.3"}) {
    for (const Path& path : paths()) {
      World w(model);
      path.set_up(w);
      w.range(path.first_page, 3);
      const Layout& layout = *w.machine().model().hmm_pfn;
      w.in(0, ~0ull);
      ASSERT_EQ(w.run().ret, 0);
      EXPECT_EQ(w.out(0), expected(layout, path) | layout.sticky_mask()) << model << ", " << path.name;
    }
  }
}

uint64_t read_back_order(const char* model, uint32_t order, bool tagged) {
  const Layout& layout = *kernel_model(model)->hmm_pfn;
  const uint64_t word = layout.mask(Role::valid) | layout.field(Role::order)->put(order) |
                        (tagged ? layout.mask(Role::dma_mapped) : 0);
  return hmm_pfn_to_map_order(layout, word);
}

TEST(StickyFlags, WhoReadsTheOrderWrong) {
  EXPECT_EQ(read_back_order("6.12-v9", 0, true), 2u);
  EXPECT_EQ(read_back_order("6.12-v9", 9, true), 11u);
  for (const char* model :
       {"6.12-first-repair", "6.12-genmask", "6.12-fixed", "6.18-devpriv-posted", "6.18-devpriv"}) {
    EXPECT_EQ(read_back_order(model, 0, true), 0u) << model;
    EXPECT_EQ(read_back_order(model, 9, true), 9u) << model;
  }
}

TEST(StickyFlags, WhoForgesTheFlag) {
  const auto forged = [](const char* model) {
    World w(model);
    w.vma(0, pages_1g, vm::read | vm::write, 30);
    w.pud(0, 0x80000000400008e7);
    w.range(0, 1);
    w.run();
    return (w.out(0) & w.machine().model().hmm_pfn->mask(Role::dma_mapped)) != 0;
  };
  EXPECT_TRUE(forged("6.12-v9"));
  for (const char* model :
       {"6.12-first-repair", "6.12-genmask", "6.12-fixed", "6.16", "6.18-devpriv-posted"}) {
    EXPECT_FALSE(forged(model)) << model;
  }
}

TEST(StickyFlags, WhoNamesTheWrongPage) {
  const auto tagged = [](const char* model) {
    World w(model);
    w.vma(0, 2);
    w.pte(0, pte_rw);
    w.range(0, 1);
    w.in(0, w.machine().model().hmm_pfn->mask(Role::dma_mapped));
    w.run();
    return w.out(0);
  };
  const auto pfn = [&](const char* model) {
    return kernel_model(model)->hmm_pfn->field(Role::pfn)->get(tagged(model));
  };
  const auto phys = [&](const char* model) {
    return hmm_pfn_to_phys(*kernel_model(model)->hmm_pfn, tagged(model));
  };
  EXPECT_EQ(pfn("6.12-first-repair"), 0x12345u | 1ull << 55) << "what hmm_pfn_to_page makes of it";
  EXPECT_EQ(phys("6.12-first-repair"), 0x12345000u) << "shifted by a page, the bit leaves the word";
  for (const char* model : {"6.12-v9", "6.12-genmask", "6.12-fixed", "6.16"}) {
    EXPECT_EQ(pfn(model), 0x12345u) << model;
    EXPECT_EQ(phys(model), 0x12345000u) << model;
  }
}

TEST(StickyFlags, TheSameMistakeAgain) {
  const auto device_page = [](const char* model) {
    World w(model);
    w.vma(0, pages_2m);
    w.device(0x12000, 0x1000, 7);
    w.call.dev_private_owner = 7;
    SwapEntry entry;
    entry.kind = SwapKind::device_write;
    entry.pfn = 0x12400;
    w.pmd(0, encode_swap(w.machine().entry_format().swap, entry).value());
    w.range(0, 1);
    w.run();
    return w.out(0);
  };
  const Layout& posted = *find_layout("hmm-devpriv-posted");
  const Layout& repaired = *find_layout("hmm-devpriv");
  EXPECT_EQ(hmm_pfn_to_map_order(posted, device_page("6.18-devpriv-posted")), 25u) << "order 9 and the flag";
  EXPECT_EQ(hmm_pfn_to_map_order(repaired, device_page("6.18-devpriv")), 9u);
  EXPECT_NE(device_page("6.18-devpriv") & repaired.mask(Role::device_private), 0u);
  EXPECT_EQ(device_page("6.18") & find_layout("hmm-6.16")->mask(Role::order), 9ull << 53);
}

/// Three slots of a machine, the first two VALID.
struct Mapped {
  explicit Mapped(bool iova, bool need_unmap, const char* model = "6.16") : w(model) {
    w.vma(0, 4);
    w.pte(0, pte_rw);
    w.pte(1, pte_ro);
    w.range(0, 3);
    w.run();
    map = make_dma_map(w.machine(), w.call.pfns, 3, iova, need_unmap, "dma_list");
  }
  uint64_t flags(uint32_t slot) const { return w.out(slot) & 0x1c00000000000000; }
  std::vector<std::string> record(const std::function<void()>& body) {
    w.start_recording();
    body();
    return fired_rules(*w.stop_recording());
  }
  World w;
  DmaMap map;
};

constexpr uint64_t DMA = 1ull << 60, P2P = 1ull << 59, BUS = 1ull << 58;

TEST(DmaMapPfn, IovaListAndDirect) {
  Mapped iova(true, true);
  EXPECT_EQ(iova.record([&] { hmm_dma_map_pfn(iova.w.machine(), iova.map, 1, P2pdma::none); }),
            std::vector<std::string>{"dma_map.iova"});
  EXPECT_EQ(iova.flags(1), DMA);
  uint64_t again = 0;
  EXPECT_EQ(iova.record([&] { again = hmm_dma_map_pfn(iova.w.machine(), iova.map, 1, P2pdma::none); }),
            std::vector<std::string>{"dma_map.existing.iova"});
  EXPECT_EQ(again, iova.map.iova + 0x1000);

  Mapped list(false, true);
  EXPECT_EQ(list.record([&] { hmm_dma_map_pfn(list.w.machine(), list.map, 0, P2pdma::none); }),
            std::vector<std::string>{"dma_map.list"});
  EXPECT_EQ(list.w.machine().load(list.map.dma_list), 0x12345000u);
  EXPECT_EQ(list.record([&] { hmm_dma_map_pfn(list.w.machine(), list.map, 0, P2pdma::none); }),
            std::vector<std::string>{"dma_map.existing.list"});

  Mapped direct(false, false);
  EXPECT_EQ(direct.record([&] { hmm_dma_map_pfn(direct.w.machine(), direct.map, 0, P2pdma::none); }),
            std::vector<std::string>{"dma_map.direct"});
  EXPECT_EQ(direct.record([&] { hmm_dma_map_pfn(direct.w.machine(), direct.map, 0, P2pdma::none); }),
            (std::vector<std::string>{"dma_map.remap", "dma_map.direct"}));
}

TEST(DmaMapPfn, PeerToPeer) {
  Mapped m(true, true);
  EXPECT_EQ(m.record([&] { hmm_dma_map_pfn(m.w.machine(), m.map, 0, P2pdma::host_bridge); }),
            (std::vector<std::string>{"dma_map.p2p.host_bridge", "dma_map.iova"}));
  EXPECT_EQ(m.flags(0), DMA | P2P);
  EXPECT_EQ(m.record([&] { hmm_dma_map_pfn(m.w.machine(), m.map, 1, P2pdma::bus_address); }),
            std::vector<std::string>{"dma_map.p2p.bus"});
  EXPECT_EQ(m.flags(1), DMA | BUS);
  // A bus address is not "existing": it is worked out again.
  EXPECT_EQ(hmm_dma_map_pfn(m.w.machine(), m.map, 1, P2pdma::bus_address), 0x12345000u + bus_offset);
  Mapped refused(true, true);
  EXPECT_EQ(hmm_dma_map_pfn(refused.w.machine(), refused.map, 0, P2pdma::not_supported), dma_mapping_error);
  EXPECT_EQ(
      refused.record([&] { hmm_dma_map_pfn(refused.w.machine(), refused.map, 0, P2pdma::not_supported); }),
      std::vector<std::string>{"dma_map.p2p.unsupported"});
  EXPECT_EQ(refused.record(
                [&] { hmm_dma_map_pfn(refused.w.machine(), refused.map, 0, P2pdma::host_bridge, true); }),
            (std::vector<std::string>{"dma_map.p2p.host_bridge", "dma_map.failed"}));
  EXPECT_EQ(refused.flags(0), 0u);
}

TEST(DmaUnmapPfn, ClearsTheThreeFlagsAndRefusesWhatIsNotMapped) {
  for (const auto& [iova, need_unmap, rule] :
       std::vector<std::tuple<bool, bool, const char*>>{{true, true, "dma_unmap.iova"},
                                                        {false, true, "dma_unmap.list"},
                                                        {false, false, "dma_unmap.nothing"}}) {
    Mapped m(iova, need_unmap);
    hmm_dma_map_pfn(m.w.machine(), m.map, 0, P2pdma::none);
    bool done = false;
    EXPECT_EQ(m.record([&] { done = hmm_dma_unmap_pfn(m.w.machine(), m.map, 0); }),
              std::vector<std::string>{rule});
    EXPECT_TRUE(done);
    EXPECT_EQ(m.flags(0), 0u);
    EXPECT_EQ(m.record([&] { done = hmm_dma_unmap_pfn(m.w.machine(), m.map, 0); }),
              std::vector<std::string>{"dma_unmap.refused"});
    EXPECT_FALSE(done);
  }
  Mapped bus(true, true);
  hmm_dma_map_pfn(bus.w.machine(), bus.map, 0, P2pdma::bus_address);
  EXPECT_EQ(bus.record([&] { hmm_dma_unmap_pfn(bus.w.machine(), bus.map, 0); }),
            std::vector<std::string>{"dma_unmap.bus"});
  EXPECT_EQ(bus.flags(0), 0u);
  bus.w.in(2, DMA);  // sticky on a hole: DMA_MAPPED without VALID
  EXPECT_FALSE(hmm_dma_unmap_pfn(bus.w.machine(), bus.map, 2));
  EXPECT_EQ(bus.w.out(2), DMA) << "a leak: the mapping can no longer be undone";
}

}  // namespace
}  // namespace hmmscope::test
