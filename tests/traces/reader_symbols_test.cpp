// The symbol table of trace.dat, read without libtracecmd.
#include <gtest/gtest.h>

#include <utility>

#include "tests/traces/replay_support.h"
#include "traces/reader/trace_dat_sections.h"

namespace hmmscope::traces {
namespace {

const std::string table =
    "0000000000000000 A fixed_percpu_data\n"
    "ffffffff81000000 T _stext\n"
    "ffffffff81000100 t $x\n"
    "ffffffffa0000000 t late\t[module]\n"
    "ffffffff81000200 T walk\n"
    "ffffffff82000000 D ops\n"
    "nonsense\n";

TEST(SymbolTable, AddressesGetTheSymbolTheyLieIn) {
  const std::vector<uint64_t> addresses = {0x10,
                                           0xffffffff81000000,
                                           0xffffffff81000104,
                                           0xffffffff81000210,
                                           0xffffffff82000008,
                                           0xffffffffa0000000,
                                           0xffffffffa0000001};
  const std::vector<std::string> expected = {
      "", "_stext+0x0", "_stext+0x104", "walk+0x10", "ops+0x8", "late+0x0", ""};
  EXPECT_EQ(symbols_at(table, addresses), expected);
  EXPECT_EQ(symbols_at("", addresses), std::vector<std::string>(7));
}

std::string version_7_sample() { return sample_text(samples_dir / "dat" / "6.12-snapshot-v7.dat.xz"); }

TEST(SymbolTable, IsFoundInVersion7Only) {
  const std::string file = version_7_sample();
  const auto place = find_symbol_table(file);
  ASSERT_TRUE(place);
  const auto text = symbol_table_text(file, *place);
  ASSERT_TRUE(text) << text.error().to_string();
  EXPECT_NE(text->text.find(" hmm_range_fault"), std::string::npos);
  EXPECT_FALSE(find_symbol_table(sample_text(samples_dir / "dat" / "6.12-snapshot-v6.dat.xz")));
  EXPECT_FALSE(find_symbol_table(""));
}

/// Cut or altered anywhere, a file ends in a place, a text or an error.
TEST(SymbolTable, DamageIsHarmless) {
  std::string file = version_7_sample();
  const auto place = find_symbol_table(file);
  ASSERT_TRUE(place);
  for (size_t size = 0; size < file.size(); size += size < 600 ? 1 : 977) {
    const std::string_view cut = std::string_view(file).substr(0, size);
    if (const auto found = find_symbol_table(cut)) (void)symbol_table_text(cut, *found);
    EXPECT_FALSE(size <= place->section && symbol_table_text(cut, *place)) << size;
  }
  for (size_t at = place->option; at < place->option + 14; ++at) {
    const char kept = std::exchange(file[at], '\xff');
    if (const auto found = find_symbol_table(file)) (void)symbol_table_text(file, *found);
    file[at] = kept;
  }
  for (size_t at = place->section; at < place->section + 64; ++at) {
    const char kept = std::exchange(file[at], static_cast<char>(file[at] ^ 0x55));
    (void)symbol_table_text(file, *place);
    file[at] = kept;
  }
}

}  // namespace
}  // namespace hmmscope::traces
