#include "engine/recording/paged_state.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/recording/pattern.h"

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

void RunValues::write_to(uint64_t* words, uint32_t count) const {
  if (literal != nullptr) {
    std::memcpy(words, literal, count * sizeof(uint64_t));
  } else {
    fill_linear(words, count, base, stride);
  }
}

PagedState::PagedState(std::span<const uint64_t> initial) : words_(initial.begin(), initial.end()) {
  const size_t pages = (words_.size() + page_words - 1) >> page_shift;
  origin_.assign(pages, no_origin);
  deferred_.resize(pages);
  flags_.assign(pages, plain_touched);
  page_hash_.assign(pages, 0);
  touched_pages_.resize(pages);
  for (size_t page = 0; page < pages; ++page) touched_pages_[page] = static_cast<uint32_t>(page);
}

uint32_t PagedState::words_in(uint32_t page) const {
  return static_cast<uint32_t>(std::min<size_t>(page_words, words_.size() - first_word(page)));
}

void PagedState::mark(uint32_t page, uint8_t flags) {
  if ((flags_[page] & touched) == 0) touched_pages_.push_back(page);
  flags_[page] = static_cast<uint8_t>(flags | touched);
}

void PagedState::write_out(uint32_t page) {
  deferred_[page].write_to(&words_[first_word(page)], words_in(page));
}

void PagedState::touch(uint32_t page) {
  if ((flags_[page] & deferred) != 0) write_out(page);
  mark(page, modified);
}

void PagedState::store_run(WordIndex first, uint32_t count, RunValues values, bool defer) {
  assert(first <= words_.size() && count <= words_.size() - first);
  for (uint32_t done = 0; done < count;) {
    const WordIndex word = first + done;
    const uint32_t page = word >> page_shift;
    const uint32_t page_size = words_in(page);
    const uint32_t offset = word - first_word(page);
    const uint32_t part = std::min(count - done, page_size - offset);
    const bool whole = part == page_size;
    if (whole && defer) {
      if ((flags_[page] & deferred) == 0) deferred_pages_.push_back(page);
      deferred_[page] = values.from(done);
      mark(page, modified | deferred);
    } else {
      if (whole) {
        mark(page, modified);  // drops deferred values: all of them are replaced
      } else if (flags_[page] != plain_touched) {
        touch(page);
      }
      values.from(done).write_to(&words_[word], part);
    }
    done += part;
  }
}

void PagedState::settle() {
  for (const uint32_t page : deferred_pages_) {
    if ((flags_[page] & deferred) == 0) continue;
    write_out(page);
    flags_[page] &= static_cast<uint8_t>(~deferred);
  }
  deferred_pages_.clear();
}

std::span<uint64_t> PagedState::replace_page(uint32_t page, uint32_t origin) {
  assert(deferred_pages_.empty());
  mark(page, 0);
  origin_[page] = origin;
  return std::span(words_).subspan(first_word(page), words_in(page));
}

uint64_t PagedState::hash() const {
  for (const uint32_t page : touched_pages_) {
    flags_[page] &= static_cast<uint8_t>(~touched);
    const uint64_t fresh = hash_words(this->page(page), first_word(page));
    hash_ += fresh - page_hash_[page];
    page_hash_[page] = fresh;
  }
  touched_pages_.clear();
  return hash_;
}

}  // namespace hmmscope
