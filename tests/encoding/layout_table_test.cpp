// The table itself: every row is usable, and no released layout gives a bit two owners.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>

#include "engine/encoding/geometry.h"
#include "engine/encoding/layout.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;

class EveryLayout : public ::testing::TestWithParam<const Layout*> {};

std::vector<const Layout*> all_layouts() {
  std::vector<const Layout*> all;
  for (const Layout& l : layouts()) all.push_back(&l);
  return all;
}

std::string test_name(const ::testing::TestParamInfo<const Layout*>& info) {
  std::string name = info.param->id;
  for (char& c : name)
    if (c == '-' || c == '.') c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryLayout, ::testing::ValuesIn(all_layouts()), test_name);

TEST_P(EveryLayout, FieldsLieInsideTheWord) {
  const Layout& l = *GetParam();
  ASSERT_FALSE(l.fields.empty());
  for (const Field& f : l.fields) {
    EXPECT_GE(f.width, 1) << f.name;
    EXPECT_LE(f.shift + f.width, l.word_bits) << f.name;
  }
}

TEST_P(EveryLayout, FieldsAreListedHighestBitFirst) {
  int last = 64;
  for (const Field& f : GetParam()->fields) {
    const int top = f.shift + f.width - 1;
    if (overlaps(*GetParam()).empty()) {
      EXPECT_LT(top, last) << f.name;
    } else {
      EXPECT_LE(top, last) << f.name;
    }
    last = top;
  }
}

TEST_P(EveryLayout, NamesAreUniqueAndFound) {
  const Layout& l = *GetParam();
  std::set<std::string> names;
  for (const Field& f : l.fields) {
    EXPECT_TRUE(names.insert(f.name).second) << f.name;
    EXPECT_EQ(l.field_named(f.name), &f);
    EXPECT_STRNE(f.meaning, "");
    if (*f.symbol != '\0') {
      EXPECT_NE(l.field_named(f.symbol), nullptr) << f.symbol;
    }
  }
}

TEST_P(EveryLayout, ReleasedOnesGiveEveryBitOneOwner) {
  const Layout& l = *GetParam();
  if (l.status == Status::released) {
    EXPECT_TRUE(overlaps(l).empty());
  }
}

TEST_P(EveryLayout, TextIsComplete) {
  const Layout& l = *GetParam();
  EXPECT_STRNE(l.title, "");
  EXPECT_STRNE(l.versions, "");
  EXPECT_STRNE(l.source, "");
  EXPECT_EQ(find_layout(l.id), &l);
}

TEST_P(EveryLayout, A32BitTwinHasTheSameFlagsCountedFromTheTop) {
  const Layout& l = *GetParam();
  const std::string id = l.id;
  if (!id.ends_with("-32")) return;
  const Layout* wide = find_layout(id.substr(0, id.size() - 3));
  ASSERT_NE(wide, nullptr);
  ASSERT_EQ(wide->fields.size(), l.fields.size());
  const bool high_flags = l.field(Role::pfn)->shift == 0;
  for (size_t i = 0; i < l.fields.size(); ++i) {
    EXPECT_STREQ(l.fields[i].name, wide->fields[i].name);
    if (l.fields[i].role == Role::pfn || l.fields[i].role == Role::none) continue;
    EXPECT_EQ(l.fields[i].shift + (high_flags ? 32 : 0), wide->fields[i].shift) << l.fields[i].name;
  }
}

TEST(LayoutTable, IdsAreUnique) {
  std::set<std::string> ids;
  for (const Layout& l : layouts()) EXPECT_TRUE(ids.insert(l.id).second) << l.id;
}

TEST(LayoutTable, HasTheLayoutsOthersAskForByName) {
  for (const char* id : {"hmm-5.8",           "hmm-5.9",         "hmm-v9-posted",      "hmm-genmask",
                         "hmm-6.16",          "hmm-unified-rfc", "hmm-devpriv-posted", "hmm-devpriv",
                         "hmm-compound-2020", "hmm-4.14",        "migrate-4.14",       "migrate-5.4",
                         "migrate-5.16",      "migrate-6.19",    "pte-x86-64",         "pmd-x86-64",
                         "pud-x86-64",        "table-x86-64",    "swap-x86-64-6.1",    "swap-x86-64-6.12",
                         "swap-x86-64-6.15",  "nouveau-5.1",     "pte-arm64",          "swap-arm64-6.12",
                         "mirror-pte-2015"})
    EXPECT_NE(find_layout(id), nullptr) << id;
}

TEST(LayoutTable, OnlyTheKnownDraftsOverlap) {
  std::set<std::string> overlapping;
  for (const Layout& l : layouts())
    if (!overlaps(l).empty()) overlapping.insert(l.id);
  EXPECT_EQ(overlapping, (std::set<std::string>{"hmm-v9-posted", "hmm-v9-posted-32", "hmm-devpriv-posted",
                                                "hmm-devpriv-posted-32", "hmm-first-repair"}));
}

TEST(LayoutTable, TheOverlapsAreTheBitsOfTheMailingList) {
  const auto v9 = overlaps(*find_layout("hmm-v9-posted"));
  ASSERT_EQ(v9.size(), 1u);
  EXPECT_EQ(v9[0].mask, 1ull << 57);
  EXPECT_STREQ(v9[0].a->name, "order");
  EXPECT_STREQ(v9[0].b->name, "DMA_MAPPED");
  const auto devpriv = overlaps(*find_layout("hmm-devpriv-posted"));
  ASSERT_EQ(devpriv.size(), 1u);
  EXPECT_EQ(devpriv[0].mask, 1ull << 57);
}

TEST(LayoutTable, UnknownIdNamesTheNearest) {
  const auto missing = layout_or_error("hmm-6.61");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, HasSubstr("'hmm-6.61'"));
  EXPECT_THAT(missing.error().message, HasSubstr("hmm-6.16"));
  EXPECT_EQ(layout_or_error("hmm-6.16").value(), find_layout("hmm-6.16"));
}

TEST(LayoutTable, FieldsAreFoundByKernelSymbolInAnyCase) {
  const Layout& l = *find_layout("hmm-6.16");
  EXPECT_EQ(l.field_named("HMM_PFN_DMA_MAPPED"), l.field(Role::dma_mapped));
  EXPECT_EQ(l.field_named("dma_mapped"), l.field(Role::dma_mapped));
  EXPECT_EQ(l.field_named(""), nullptr);
  EXPECT_EQ(l.field_named("nonsense"), nullptr);
  EXPECT_EQ(l.field(Role::swap_type), nullptr);
}

TEST(LayoutTable, FamilyNamesAreDistinct) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Family::plain); ++i)
    EXPECT_TRUE(names.insert(family_name(static_cast<Family>(i))).second) << i;
}

}  // namespace
}  // namespace hmmscope
