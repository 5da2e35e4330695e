#include "engine/recording/keyframes.h"

#include <algorithm>
#include <cstring>

#include "engine/recording/pattern.h"
#include "engine/recording/replay.h"

namespace hmmscope {
namespace {

constexpr uint32_t words_a_piece = 3;
/// More pieces than this save too little over the plain words.
constexpr uint32_t max_pieces = state_page_words / 4 / words_a_piece;

/// How many writes ahead a write is asked for: those of one page lie anywhere in a recording that is larger than the
/// processor's caches.
constexpr size_t lookahead = 12;

size_t default_budget(const Recording& recording) {
  constexpr size_t floor = size_t{64} << 20;
  return std::max(floor, recording.bytes() / 4);
}

/// What replaying a write on one page costs, in units of a single write (some tens of nanoseconds).
uint64_t replay_cost(const WriteView& write) {
  constexpr uint32_t words_a_unit = 100;
  return 1 + std::min(write.count, state_page_words) / words_a_unit;
}

}  // namespace

void Keyframes::store(uint32_t write, std::span<const uint64_t> words) {
  uint64_t pieces[max_pieces * words_a_piece];
  uint32_t count = 0;
  for (size_t start = 0; start < words.size();) {
    if (count == max_pieces) {
      count = 0;
      break;
    }
    const auto rest = words.subspan(start);
    uint64_t* piece = pieces + count++ * words_a_piece;
    piece[0] = start;
    piece[1] = rest[0];
    piece[2] = rest.size() > 1 ? rest[1] - rest[0] : 0;
    start += linear_prefix(rest);
  }
  stored_.push_back({write, count, data_.size()});
  if (count != 0)
    data_.append(pieces, count * words_a_piece);
  else
    data_.append(words.data(), words.size());
}

void Keyframes::load(const StoredPage& stored, std::span<uint64_t> words) const {
  const uint64_t* const data = data_.data() + stored.data;
  if (stored.pieces == 0) {
    std::memcpy(words.data(), data, words.size_bytes());
    return;
  }
  for (uint32_t i = 0; i < stored.pieces; ++i) {
    const uint64_t* piece = data + i * words_a_piece;
    const uint64_t end = i + 1 < stored.pieces ? piece[words_a_piece] : words.size();
    fill_linear(&words[piece[0]], static_cast<uint32_t>(end - piece[0]), piece[1], piece[2]);
  }
}

bool Keyframes::replay(uint32_t page, uint32_t from, uint32_t to, std::span<uint64_t> words) const {
  const WordIndex first = first_word(page);
  bool changed = false;
  if (const uint32_t cover = writes_.last_cover(page, from, to); cover != no_write) {
    const WriteView write = recording_->write_at(cover);
    put(write, new_values(write), first, words);
    from = cover + 1;
    changed = true;
  }
  const auto all = writes_.partial(page);
  const auto begin = std::lower_bound(all.begin(), all.end(), from);
  const auto list = std::span(begin, std::lower_bound(begin, all.end(), to));
  for (size_t i = 0; i < std::min(lookahead, list.size()); ++i) recording_->prefetch_write(list[i]);
  for (size_t i = 0; i < list.size(); ++i) {
    if (i + lookahead < list.size()) recording_->prefetch_write(list[i + lookahead]);
    const WriteView write = recording_->write_at(list[i]);
    if (write.new_shape == WriteShape::single) [[likely]] {
      words[write.first - first] = write.new_base;
    } else {
      put(write, new_values(write), first, words);
    }
  }
  return changed || !list.empty();
}

bool Keyframes::bring(uint32_t page, uint32_t from, uint32_t to, std::span<uint64_t> words) const {
  const auto stored = stored_of(page);
  const auto after = std::upper_bound(stored.begin(), stored.end(), to,
                                      [](uint32_t write, const StoredPage& one) { return write < one.write; });
  const uint32_t nearest = after == stored.begin() ? 0 : (after - 1)->write;
  if (from <= to && nearest <= from) return replay(page, from, to, words);
  if (to < from && !writes_.touched(page, to, from)) return false;
  if (after == stored.begin()) {
    const auto initial = state_page(recording_->initial(), page);
    std::memcpy(words.data(), initial.data(), initial.size_bytes());
  } else {
    load(*(after - 1), words);
  }
  replay(page, nearest, to, words);
  return true;
}

bool Keyframes::make(Options options, const Proceed& proceed) {
  const Recording& recording = *recording_;
  if (!writes_.build(recording, proceed)) return false;
  const double budget =
      static_cast<double>(options.budget != 0 ? options.budget : default_budget(recording));
  const auto all = static_cast<double>(std::max<uint64_t>(writes_.partials(), 1));
  std::vector<uint64_t> words;
  stored_begin_.reserve(size_t{pages()} + 1);
  uint64_t before = 0;  // partial writes of the pages that are done
  for (uint32_t page = 0; page < pages(); ++page) {
    stored_begin_.push_back(count());
    const auto initial = state_page(recording.initial(), page);
    words.assign(initial.begin(), initial.end());
    const auto list = writes_.partial(page);
    uint32_t at = 0;
    // Pages that are written alike are not all stored at the same positions: no seek is then the dearest for all.
    uint64_t cost = page * uint64_t{2654435761} % std::max<uint64_t>(options.distance, 1);
    for (size_t i = 0; i < list.size(); ++i) {
      const double part = static_cast<double>(before + i) / all;
      if ((before + i) % proceed_every == 0 && proceed &&
          !proceed(uint64_t{2} * recording.writes() + static_cast<uint64_t>(part * recording.writes())))
        return false;
      if (i + lookahead < list.size()) recording.prefetch_write(list[i + lookahead]);
      cost += replay_cost(recording.write_at(list[i]));
      if (cost < options.distance || static_cast<double>(stored_bytes()) > part * budget) continue;
      replay(page, at, list[i] + 1, words);
      at = list[i] + 1;
      cost = 0;
      store(at, words);
    }
    before += list.size();
  }
  stored_begin_.push_back(count());
  stored_.shrink_to_fit();
  data_.shrink_to_fit();
  return true;
}

Keyframes::Keyframes(std::shared_ptr<const Recording> recording)
    : Keyframes(std::move(recording), Options{}) {}

Keyframes::Keyframes(std::shared_ptr<const Recording> recording, Options options)
    : recording_(std::move(recording)) {
  make(options, {});
}

std::unique_ptr<const Keyframes> Keyframes::build(std::shared_ptr<const Recording> recording,
                                                  const Proceed& proceed) {
  std::unique_ptr<Keyframes> made(new Keyframes);
  made->recording_ = std::move(recording);
  if (!made->make(Options{}, proceed)) return nullptr;
  return made;
}

size_t Keyframes::bytes() const {
  return writes_.bytes() + data_.bytes() + stored_.capacity() * sizeof(StoredPage) +
         stored_begin_.capacity() * sizeof(uint32_t);
}

}  // namespace hmmscope
