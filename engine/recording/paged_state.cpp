#include "engine/recording/paged_state.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "engine/recording/replay.h"

namespace hmmscope {
namespace {

uint64_t mix(uint64_t index, uint64_t value) {
  uint64_t x = value + (index + 1) * 0x9e3779b97f4a7c15ull;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ull;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ull;
  x ^= x >> 32;
  return value == 0 ? 0 : x;
}

uint64_t hash_words(std::span<const uint64_t> words, WordIndex first) {
  uint64_t sum = 0;
  for (size_t i = 0; i < words.size(); ++i) sum += mix(first + i, words[i]);
  return sum;
}

}  // namespace

uint64_t state_hash(std::span<const uint64_t> words) { return hash_words(words, 0); }

PagedState::PagedState(const Keyframes& keyframes)
    : keyframes_(&keyframes),
      words_(keyframes.recording().initial().begin(), keyframes.recording().initial().end()),
      flags_(keyframes.pages(), stale_hash),
      at_(keyframes.pages()),
      stale_(keyframes.pages()),
      page_hash_(keyframes.pages()) {
  std::iota(stale_.begin(), stale_.end(), 0u);
}

void PagedState::changed(uint32_t page) const {
  if ((flags_[page] & stale_hash) == 0) stale_.push_back(page);
  flags_[page] |= stale_hash;
}

void PagedState::bring(uint32_t page) const {
  if (keyframes_->bring(page, at_[page], position_, state_page(std::span(words_), page))) changed(page);
  flags_[page] |= current;
  current_.push_back(page);
}

template <class Values>
void PagedState::put_everywhere(const WriteView& write, Values values) {
  const uint32_t last = (write.first + write.count - 1) >> state_page_shift;
  for (uint32_t page = write.first >> state_page_shift; page <= last; ++page) {
    if ((flags_[page] & current) == 0) continue;
    put(write, values(write), Keyframes::first_word(page), state_page(std::span(words_), page));
    changed(page);
  }
}

void PagedState::walk(uint32_t write) {
  const Recording& recording = keyframes_->recording();
  for (; position_ < write; ++position_) put_everywhere(recording.write_at(position_), new_values);
  for (; position_ > write; --position_) put_everywhere(recording.write_at(position_ - 1), old_values);
}

void PagedState::jump(uint32_t write) {
  for (const uint32_t page : current_) {
    flags_[page] &= static_cast<uint8_t>(~current);
    at_[page] = position_;
  }
  current_.clear();
  position_ = write;
}

std::span<const uint64_t> PagedState::words(WordIndex first, uint32_t count) const {
  assert(first <= words_.size() && count <= words_.size() - first);
  if (count == 0) return {};
  const uint32_t last = (first + count - 1) >> state_page_shift;
  for (uint32_t page = first >> state_page_shift; page <= last; ++page)
    if ((flags_[page] & current) == 0) bring(page);
  return std::span<const uint64_t>(words_).subspan(first, count);
}

uint64_t PagedState::hash() const {
  if (current_.size() < flags_.size()) words(0, size());
  for (const uint32_t page : stale_) {
    flags_[page] &= static_cast<uint8_t>(~stale_hash);
    const uint64_t fresh = hash_words(state_page(std::span(words_), page), Keyframes::first_word(page));
    hash_ += fresh - page_hash_[page];
    page_hash_[page] = fresh;
  }
  stale_.clear();
  return hash_;
}

}  // namespace hmmscope
