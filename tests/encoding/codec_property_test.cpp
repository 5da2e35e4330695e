// encode and decode are inverse on every layout; where two fields share a bit, exactly that bit is what goes
// wrong.

#include <gtest/gtest.h>

#include <random>

#include "engine/encoding/layout.h"
#include "engine/encoding/swap_entry.h"

namespace hmmscope {
namespace {

constexpr int rounds = 200;

uint64_t random_value(const Field& f, std::mt19937_64& rng) {
  const uint64_t raw = rng() & (f.mask() >> f.shift);
  return raw << f.unit;
}

TEST(CodecProperty, EncodedFieldsReadBackWhereBitsHaveOneOwner) {
  std::mt19937_64 rng(20251120);
  for (const Layout& l : layouts()) {
    if (!overlaps(l).empty()) continue;
    for (int i = 0; i < rounds; ++i) {
      std::vector<FieldValue> values;
      for (const Field& f : l.fields) values.push_back({f.name, random_value(f, rng)});
      const auto word = encode(l, values);
      ASSERT_TRUE(word.has_value()) << l.id << ": " << word.error().message;
      const auto fields = decode(l, *word);
      ASSERT_EQ(fields.size(), values.size());
      for (size_t k = 0; k < fields.size(); ++k)
        ASSERT_EQ(fields[k].value, values[k].value) << l.id << " " << values[k].name;
    }
  }
}

TEST(CodecProperty, AnyWordDecodesAndEncodesBackToItsNamedBits) {
  std::mt19937_64 rng(5);
  for (const Layout& l : layouts()) {
    uint64_t named = 0;
    for (const Field& f : l.fields) named |= f.mask();
    for (int i = 0; i < rounds; ++i) {
      const uint64_t word = rng();
      std::vector<FieldValue> values;
      for (const DecodedField& d : decode(l, word)) values.push_back({d.field->name, d.value});
      const auto again = encode(l, values);
      ASSERT_TRUE(again.has_value()) << l.id;
      // With two owners of a bit both fields read it, so even there nothing is lost.
      ASSERT_EQ(*again, word & named) << l.id;
      ASSERT_FALSE(describe(l, word).empty());
    }
  }
}

TEST(CodecProperty, SharedBitsCorruptExactlyTheOtherOwner) {
  std::mt19937_64 rng(6);
  for (const Layout& l : layouts()) {
    for (const Overlap& o : overlaps(l)) {
      for (int i = 0; i < rounds; ++i) {
        const uint64_t a = random_value(*o.a, rng);
        const uint64_t b = random_value(*o.b, rng);
        const std::array values{FieldValue{o.a->name, a}, FieldValue{o.b->name, b}};
        const uint64_t word = encode(l, values).value();
        const uint64_t a_bits = o.a->put(a);
        const uint64_t b_bits = o.b->put(b);
        EXPECT_EQ(o.a->get(word), o.a->get(a_bits | (b_bits & o.mask)));
        EXPECT_EQ(o.b->get(word), o.b->get(b_bits | (a_bits & o.mask)));
      }
    }
  }
}

TEST(CodecProperty, ValuesThatDoNotFitAreRefused) {
  for (const Layout& l : layouts()) {
    for (const Field& f : l.fields) {
      if (f.width + f.unit >= 64) continue;
      const std::array too_big{FieldValue{f.name, f.max() + 1}};
      EXPECT_FALSE(encode(l, too_big).has_value()) << l.id << " " << f.name;
      const std::array largest{FieldValue{f.name, f.max()}};
      EXPECT_TRUE(encode(l, largest).has_value()) << l.id << " " << f.name;
    }
  }
}

TEST(CodecProperty, UnknownFieldsAndMisalignedPfnsAreRefused) {
  const std::array unknown{FieldValue{"COMPOUND", 1}};
  const auto missing = encode(*find_layout("hmm-6.16"), unknown);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("DMA_MAPPED"), std::string::npos) << "names the fields there are";
  const std::array odd{FieldValue{"pfn", 0x12345}};
  EXPECT_FALSE(encode(*find_layout("pmd-x86-64"), odd).has_value())
      << "a 2M leaf begins at a multiple of 512 pages";
}

TEST(CodecProperty, SwapEntriesReadBack) {
  std::mt19937_64 rng(7);
  for (const uint32_t version : {5009u, 5014u, 6001u, 6012u, 6015u}) {
    for (int mask = 0; mask < 8; ++mask) {
      KernelConfig config;
      config.device_private = (mask & 1) != 0;
      config.memory_failure = (mask & 2) != 0;
      config.pte_marker = (mask & 4) != 0;
      for (const uint8_t levels : {uint8_t{4}, uint8_t{5}}) {
        const SwapFormat format(swap_types(version, config), physmem_bits(levels));
        for (uint8_t type = 0; type < 32; ++type) {
          SwapEntry e;
          e.type = type;
          e.kind = format.kinds[type];
          ASSERT_NE(e.kind, SwapKind::unused) << "the type space is always used up";
          if (is_pfn_entry(e.kind)) {
            e.pfn = rng() & format.pfn_mask();
          } else {
            e.offset = rng() & x86::swp_offset.max();
          }
          if (is_migration(e.kind) && format.keeps_accessed_dirty()) {
            e.accessed = (rng() & 1) != 0;
            e.dirty = (rng() & 1) != 0;
          }
          e.soft_dirty = (rng() & 1) != 0;
          e.uffd_wp = (rng() & 1) != 0;
          e.exclusive = (rng() & 1) != 0;
          const auto word = encode_swap(format, e);
          ASSERT_TRUE(word.has_value()) << word.error().message;
          EXPECT_FALSE(x86::pte_present(*word));
          const SwapEntry back = decode_swap(format, *word);
          EXPECT_EQ(back.kind, e.kind);
          EXPECT_EQ(back.type, type);
          EXPECT_EQ(back.pfn, e.pfn);
          if (!is_pfn_entry(e.kind)) {
            EXPECT_EQ(back.offset, e.offset);
          }
          EXPECT_EQ(back.accessed, e.accessed);
          EXPECT_EQ(back.dirty, e.dirty);
          EXPECT_EQ(back.soft_dirty, e.soft_dirty);
          EXPECT_EQ(back.uffd_wp, e.uffd_wp);
          EXPECT_EQ(back.exclusive, e.exclusive);
          EXPECT_EQ(format.pfn(*word), is_pfn_entry(e.kind) ? e.pfn : e.offset & format.pfn_mask());
        }
      }
    }
  }
}

}  // namespace
}  // namespace hmmscope
