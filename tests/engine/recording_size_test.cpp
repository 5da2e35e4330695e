// What a recorded walk takes: at most 64 bytes a step, over ptes and over huge leaves, also where it is repeated.

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

constexpr uint64_t leaf_flags = x86::present.mask() | x86::user.mask() | x86::rw.mask() | x86::accessed.mask() | x86::dirty.mask();

/// Bytes a step of a snapshot of all the pages, the words themselves not counted.
double bytes_a_step(World& w, uint64_t pages) {
  w.range(0, pages);
  double most = 0;
  for (int round = 0; round < 2; ++round) {   // over an empty array, and over what the first has written
    w.start_recording();
    w.run();
    const auto recording = w.stop_recording();
    most = std::max(most, static_cast<double>(recording->bytes() - recording->word_count() * sizeof(uint64_t)) / recording->steps());
  }
  return most;
}

TEST(RecordingSize, OfAWalkOverPtes) {
  World w("6.12");
  w.vma(0, 8 * pages_2m);
  for (uint64_t page = 0; page < 8 * pages_2m; ++page) w.pte(page, EntryFormat::make(0x100000 + page, leaf_flags));
  EXPECT_LE(bytes_a_step(w, 8 * pages_2m), 64);
}

TEST(RecordingSize, OfAWalkOver2MLeaves) {
  World w("6.12");
  w.vma(0, pages_1g);
  for (uint64_t page = 0; page < pages_1g; page += pages_2m) w.pmd(page, EntryFormat::make(0x100000 + page, leaf_flags | x86::pse.mask()));
  EXPECT_LE(bytes_a_step(w, pages_1g), 64);
}

}  // namespace
}  // namespace hmmscope::test
