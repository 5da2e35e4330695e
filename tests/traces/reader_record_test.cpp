// Binary records: every type of field, signs, bounds, symbols; and trace.dat files that are none.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "traces/reader/record_decoder.h"
#include "traces/reader/source.h"

namespace hmmscope::traces {
namespace {

using Type = RecordField::Type;

class Records : public testing::Test {
 protected:
  /// [8] s32 -16, [12] u64 address, [20] u64[2], [36] char[8] "comm", [44] dynamic string at 48, [48] "file\0"
  static std::string bytes() {
    std::string out(53, '\0');
    const int32_t ret = -16;
    const uint64_t address = 0xffffffff81000010, words[2] = {1, 0xc000000000000002};
    const uint32_t place = 5u << 16 | 48;
    std::memcpy(out.data() + 8, &ret, 4);
    std::memcpy(out.data() + 12, &address, 8);
    std::memcpy(out.data() + 20, words, 16);
    std::memcpy(out.data() + 36, "comm", 4);
    std::memcpy(out.data() + 44, &place, 4);
    std::memcpy(out.data() + 48, "file", 4);
    return out;
  }
  static RecordDecoder decoder(const std::string& records) {
    RecordFormat format;
    format.fields = {{"ret", 8, 4, 4, Type::number, true},        {"ops", 12, 8, 8, Type::symbol, false},
                     {"func", 12, 8, 8, Type::function, false},   {"pfns", 20, 16, 8, Type::array, false},
                     {"comm", 36, 8, 1, Type::string, false},     {"filename", 44, 4, 1, Type::dynamic_string, false},
                     {"outside", 50, 8, 8, Type::number, false},  {"far", 40, 64, 8, Type::array, false}};
    return {*copy_bytes(records, "records"), {format}, {{0xffffffff81000010, "hmm_walk_ops+0x10"}}};
  }
  static std::optional<uint64_t> number(const RecordDecoder& decoder, const TraceEvent& event, std::string_view name) {
    uint64_t value;
    if (!decoder.number(event, name, value)) return std::nullopt;
    return value;
  }
  static TraceEvent event(size_t size) {
    TraceEvent e;
    e.fields_at = static_cast<uint16_t>(size);
    return e;
  }
};

TEST_F(Records, EveryTypeOfField) {
  const std::string records = bytes();
  const RecordDecoder d = decoder(records);
  const TraceEvent e = event(records.size());
  EXPECT_EQ(number(d, e, "ret"), static_cast<uint64_t>(-16));
  EXPECT_EQ(number(d, e, "ops"), 0xffffffff81000010u);
  EXPECT_EQ(d.text(e, "ops"), "hmm_walk_ops+0x10");
  EXPECT_EQ(d.text(e, "func"), "hmm_walk_ops");
  EXPECT_EQ(d.text(e, "comm"), "comm");
  EXPECT_EQ(d.text(e, "filename"), "file");
  uint64_t words[1];
  EXPECT_EQ(d.array(e, "pfns", words), 2u);
  EXPECT_EQ(words[0], 1u);
  EXPECT_EQ(d.payload(e).substr(0, 28), "ret=-16 ops=hmm_walk_ops+0x1");
}

TEST_F(Records, WhatIsAbsentOrOutsideTheRecordIsNothing) {
  const std::string records = bytes();
  const RecordDecoder d = decoder(records);
  uint64_t words[8];
  const TraceEvent whole = event(records.size());
  EXPECT_EQ(number(d, whole, "outside"), std::nullopt);
  EXPECT_EQ(d.array(whole, "far", words), std::nullopt);
  EXPECT_EQ(number(d, whole, "nothing"), std::nullopt);
  EXPECT_EQ(number(d, whole, "pfns"), std::nullopt);
  EXPECT_EQ(d.array(whole, "ret", words), std::nullopt);
  EXPECT_EQ(d.text(whole, "ret"), std::nullopt);
  for (size_t size = 0; size < records.size(); ++size) {  // a record cut anywhere: no read past its end
    const RecordDecoder cut = decoder(records.substr(0, size));
    const TraceEvent e = event(size);
    EXPECT_EQ(number(cut, e, "ret").has_value(), size >= 12);
    EXPECT_EQ(cut.array(e, "pfns", words).has_value(), size >= 36);
    (void)cut.text(e, "filename");
    (void)cut.payload(e);
  }
}

TEST(TraceDat, WhatOnlyBeginsLikeOneIsAnError) {
  std::string head("\x17\x08\x44tracing", 10);
  for (const std::string& tail : {std::string(), std::string("7\0", 2), std::string("6\0\0\x08", 4), std::string(5000, '\0'), std::string(5000, '\xff')}) {
    const std::string bytes = head + tail;
    const auto read = read_trace({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "x.dat");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().file, "x.dat");
  }
}

}  // namespace
}  // namespace hmmscope::traces
