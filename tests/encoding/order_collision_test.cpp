// Which mapping orders hit a flag, per machine: the table behind "two owners of one bit".

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/encoding/geometry.h"

namespace hmmscope {
namespace {

LayoutCheck check(const char* layout, const char* machine) {
  return check_layout(*find_layout(layout), *find_geometry(machine));
}

std::set<int> orders_with(const LayoutCheck& c, CollisionKind kind) {
  std::set<int> orders;
  for (const Collision& collision : c.collisions)
    if (collision.kind == kind) orders.insert(collision.order);
  return orders;
}

std::map<int, int> read_back(const LayoutCheck& c) {
  std::map<int, int> orders;
  for (const Collision& collision : c.collisions)
    if (collision.kind == CollisionKind::wrong_order) orders[collision.order] = collision.read_order;
  return orders;
}

/// Bits of the order field that an order sets, counted from the top as the mails do.
std::set<int> bits_from_top(uint64_t order) {
  const Field& f = *find_layout("hmm-v9-posted")->field(Role::order);
  std::set<int> bits;
  for (int bit = 0; bit < 64; ++bit)
    if ((f.put(order) >> bit & 1) != 0) bits.insert(bit - 64);
  return bits;
}

TEST(OrderCollision, BitsOfEveryOrderInTheField) {
  EXPECT_EQ(bits_from_top(2), (std::set<int>{-7}));
  EXPECT_EQ(bits_from_top(3), (std::set<int>{-8, -7}));
  EXPECT_EQ(bits_from_top(4), (std::set<int>{-6}));
  EXPECT_EQ(bits_from_top(5), (std::set<int>{-8, -6}));
  EXPECT_EQ(bits_from_top(7), (std::set<int>{-8, -7, -6}));
  EXPECT_EQ(bits_from_top(8), (std::set<int>{-5}));
  EXPECT_EQ(bits_from_top(9), (std::set<int>{-8, -5})) << "not -4 and -8: that would be order 17";
  EXPECT_EQ(bits_from_top(11), (std::set<int>{-8, -7, -5}));
  EXPECT_EQ(bits_from_top(13), (std::set<int>{-8, -6, -5}));
  EXPECT_EQ(bits_from_top(14), (std::set<int>{-7, -6, -5}));
  EXPECT_EQ(bits_from_top(16), (std::set<int>{-4}));
  EXPECT_EQ(bits_from_top(17), (std::set<int>{-8, -4}));
  EXPECT_EQ(bits_from_top(18), (std::set<int>{-7, -4}));
  EXPECT_EQ(bits_from_top(19), (std::set<int>{-8, -7, -4}));
}

TEST(OrderCollision, V9ForgesDmaMappedFromTheseOrders) {
  const auto phantom = [](const char* machine) {
    return orders_with(check("hmm-v9-posted", machine), CollisionKind::phantom_flag);
  };
  EXPECT_EQ(phantom("x86-64"), (std::set<int>{18}));
  EXPECT_EQ(phantom("arm64-4k"), (std::set<int>{18}));
  EXPECT_EQ(phantom("arm64-16k"), (std::set<int>{7, 11}));
  EXPECT_EQ(phantom("arm64-64k"), (std::set<int>{18}));
  EXPECT_EQ(phantom("powerpc-64k"), (std::set<int>{14, 18}));
  EXPECT_EQ(phantom("s390"), (std::set<int>{19}));
}

TEST(OrderCollision, V9ChangesTheseOrders) {
  EXPECT_EQ(read_back(check("hmm-v9-posted", "x86-64")), (std::map<int, int>{{0, 2}, {9, 11}}));
  EXPECT_EQ(read_back(check("hmm-v9-posted", "arm64-4k")),
            (std::map<int, int>{{0, 2}, {4, 6}, {9, 11}, {13, 15}}));
  EXPECT_EQ(read_back(check("hmm-v9-posted", "arm64-16k")), (std::map<int, int>{{0, 2}, {16, 18}}));
  EXPECT_EQ(read_back(check("hmm-v9-posted", "s390")), (std::map<int, int>{{0, 2}, {8, 10}}));
}

TEST(OrderCollision, EveryExampleWordShowsItsCollision) {
  for (const Layout& l : layouts()) {
    for (const Geometry& g : geometries()) {
      const LayoutCheck c = check_layout(l, g);
      const Field* order = c.layout->field(Role::order);
      for (const Collision& x : c.collisions) {
        EXPECT_FALSE(x.text.empty());
        if (x.kind == CollisionKind::phantom_flag) {
          EXPECT_EQ(order->get(x.example), x.order) << l.id << " " << g.id;
          EXPECT_EQ(x.flag->get(x.example), 1u) << l.id << " " << g.id;
        }
        if (x.kind == CollisionKind::wrong_order) {
          EXPECT_EQ(order->get(x.example), x.read_order) << l.id << " " << g.id;
          EXPECT_NE(x.read_order, x.order);
        }
      }
    }
  }
}

TEST(OrderCollision, DevicePrivateAsPostedRepeatsTheMistake) {
  const LayoutCheck x86 = check("hmm-devpriv-posted", "x86-64");
  EXPECT_EQ(read_back(x86), (std::map<int, int>{{0, 16}, {9, 25}}));
  EXPECT_EQ(orders_with(x86, CollisionKind::phantom_flag), (std::set<int>{18}));
  EXPECT_EQ(orders_with(check("hmm-devpriv-posted", "s390"), CollisionKind::phantom_flag),
            (std::set<int>{19}));
  EXPECT_EQ(orders_with(check("hmm-devpriv-posted", "arm64-16k"), CollisionKind::phantom_flag),
            (std::set<int>{16}));
  EXPECT_TRUE(check("hmm-devpriv", "x86-64").ok());
}

/// The first repair keeps the order safe and puts the flag into the pfn instead.
TEST(OrderCollision, AFlagInsideThePfnIsOneWhateverTheOrder) {
  for (const Geometry& g : geometries()) {
    if (g.word_bits != 64) continue;
    const LayoutCheck repair = check_layout(*find_layout("hmm-first-repair"), g);
    ASSERT_EQ(repair.collisions.size(), 1u) << g.id;
    EXPECT_EQ(repair.collisions[0].kind, CollisionKind::wrong_pfn);
    EXPECT_EQ(repair.collisions[0].flag->role, Role::dma_mapped);
    EXPECT_EQ(repair.layout->field(Role::pfn)->get(repair.collisions[0].example), uint64_t{1} << 55);
  }
  EXPECT_TRUE(check("hmm-6.16", "x86-64").ok());
}

TEST(OrderCollision, ReleasedLayoutsAreSoundOn64BitMachines) {
  for (const Layout& l : layouts()) {
    if (l.status != Status::released || l.word_bits != 64) continue;
    for (const Geometry& g : geometries()) {
      if (g.word_bits == 64) {
        EXPECT_TRUE(check_layout(l, g).ok()) << l.id << " on " << g.id;
      }
    }
  }
}

TEST(OrderCollision, LpaePfnsOutgrowTheFieldFrom59On) {
  const auto overflow = [](const char* layout) {
    const LayoutCheck c = check(layout, "lpae");
    return std::any_of(c.collisions.begin(), c.collisions.end(),
                       [](const Collision& x) { return x.kind == CollisionKind::pfn_overflow; });
  };
  EXPECT_FALSE(overflow("hmm-5.8")) << "29 bits hold the 28 of a 40-bit address";
  EXPECT_TRUE(overflow("hmm-4.14")) << "25 bits";
  EXPECT_TRUE(overflow("hmm-5.9")) << "24 bits";
  EXPECT_TRUE(overflow("hmm-6.16")) << "21 bits";
  EXPECT_TRUE(overflow("hmm-unified-rfc")) << "20 bits";
  EXPECT_TRUE(overflow("migrate-5.16")) << "26 bits";
}

TEST(OrderCollision, SixGibOnLpaeSpillsIntoTheOrder) {
  const Layout& rfc = layout_on(*find_layout("hmm-unified-rfc"), *find_geometry("lpae"));
  ASSERT_STREQ(rfc.id, "hmm-unified-rfc-32");
  const uint64_t word = rfc.mask(Role::valid) | rfc.field(Role::pfn)->put(0x180000);
  EXPECT_EQ(rfc.field(Role::order)->get(word), 1u);
  EXPECT_EQ(rfc.field(Role::pfn)->get(word), 0x80000u);
}

TEST(OrderCollision, LayoutsFollowTheMachine) {
  EXPECT_STREQ(layout_on(*find_layout("hmm-6.16"), *find_geometry("lpae")).id, "hmm-6.16-32");
  EXPECT_STREQ(layout_on(*find_layout("hmm-genmask"), *find_geometry("arm64-16k")).id, "hmm-genmask-16k");
  EXPECT_STREQ(layout_on(*find_layout("hmm-genmask"), *find_geometry("powerpc-64k")).id, "hmm-genmask-64k");
  EXPECT_STREQ(layout_on(*find_layout("hmm-6.16"), *find_geometry("arm64-64k")).id, "hmm-6.16");
}

TEST(OrderCollision, EntriesOfOtherArchitecturesDoNotApply) {
  EXPECT_FALSE(check("pte-x86-64", "arm64-4k").applies);
  EXPECT_TRUE(check("pte-x86-64", "x86-64").applies);
  EXPECT_FALSE(check("hmm-6.16-32", "x86-64").applies);
}

TEST(OrderCollision, LargestImaginableOrdersStillFit) {
  for (const char* id : {"hmm-5.9", "hmm-6.16", "hmm-unified-later"})
    for (uint64_t order : {19u, 22u, 26u, 31u}) EXPECT_TRUE(find_layout(id)->field(Role::order)->fits(order));
  EXPECT_FALSE(find_layout("hmm-6.16")->field(Role::order)->fits(32));
}

TEST(OrderCollision, AnOrderThatDoesNotFitIsReported) {
  constexpr Field narrow{"order", "", 60, 3, Role::order, false, false, false, "narrow", 0};
  constexpr Field valid{"VALID", "", 63, 1, Role::valid, false, false, false, "valid", 0};
  constexpr Field pfn{"pfn", "", 0, 60, Role::pfn, false, false, false, "pfn", 0};
  constexpr std::array fields{valid, narrow, pfn};
  const Layout layout{
      "test-narrow", "narrow order", Family::hmm_pfn, Status::draft, "test", 64, 12, fields, "test", "", {}};
  const LayoutCheck c = check_layout(layout, *find_geometry("x86-64"));
  EXPECT_EQ(orders_with(c, CollisionKind::order_overflow), (std::set<int>{9, 18}));
}

TEST(OrderCollision, UnknownMachineNamesTheKnownOnes) {
  const auto missing = geometry_or_error("riscv");
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("arm64-16k"), std::string::npos);
}

}  // namespace
}  // namespace hmmscope
