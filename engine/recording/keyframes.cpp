#include "engine/recording/keyframes.h"

#include <algorithm>
#include <cstring>
#include <future>

#include "engine/recording/pattern.h"
#include "engine/recording/replay.h"

namespace hmmscope {
namespace {

constexpr uint32_t words_a_piece = 3;
/// More pieces than this save too little over the plain words.
constexpr uint32_t max_pieces = PagedState::page_words / 4 / words_a_piece;

size_t default_budget(const Recording& recording) {
  constexpr size_t floor = size_t{64} << 20;
  // Only states of tens of megabytes that change everywhere come near it: a seek among them copies a whole state,
  // and the writes it then replays must not cost more than that.
  return std::max({floor, recording.bytes() / 4 * 5, 4 * sizeof(uint64_t) * recording.word_count()});
}

}  // namespace

Keyframes::StoredPage Keyframes::encode(std::span<const uint64_t> words) {
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
  StoredPage stored;
  stored.pieces = count;
  stored.size = count != 0 ? count * words_a_piece : static_cast<uint32_t>(words.size());
  stored.words = std::make_unique<uint64_t[]>(stored.size);
  std::memcpy(stored.words.get(), count != 0 ? pieces : words.data(), stored.size * sizeof(uint64_t));
  return stored;
}

void Keyframes::decode(const StoredPage& stored, std::span<uint64_t> words) {
  if (stored.pieces == 0) {
    std::memcpy(words.data(), stored.words.get(), words.size_bytes());
    return;
  }
  for (uint32_t i = 0; i < stored.pieces; ++i) {
    const uint64_t* piece = stored.words.get() + i * words_a_piece;
    const uint64_t end = i + 1 < stored.pieces ? piece[words_a_piece] : words.size();
    fill_linear(&words[piece[0]], static_cast<uint32_t>(end - piece[0]), piece[1], piece[2]);
  }
}

/// One forward pass. Page versions live in a list a page while keyframes are still being added and dropped.
class Keyframes::Builder {
 public:
  Builder(Keyframes& out, Options options)
      : out_(out),
        recording_(*out.recording_),
        distance_(std::max<uint64_t>(options.distance, 1)),
        budget_(options.budget != 0 ? options.budget : default_budget(recording_)),
        state_(recording_.initial()),
        versions_(state_.pages()) {}

  bool run(const Proceed& proceed) {
    add_frame(0, 0);
    uint64_t cost = 0;
    uint64_t next = distance_;
    for (StepIndex step = 0; step < recording_.steps(); ++step) {
      if (!may_proceed(proceed, step)) return false;
      const uint32_t begin = recording_.first_write(step);
      const uint32_t end = begin + recording_.write_count(step);
      for (uint32_t w = begin; w < end; ++w) cost += replay_cost(recording_.write_at(w));
      apply_writes(recording_, begin, end, state_, true);
      if (cost >= next) {
        add_frame(step + 1, cost);
        while (stored_bytes_ > budget_ && out_.frames_.size() > 2) thin();
        next = cost + distance_;
      }
    }
    out_.total_cost_ = cost;
    flatten();
    return true;
  }

 private:
  void add_frame(StepIndex position, uint64_t cost) {
    state_.settle();
    const auto keyframe = static_cast<uint32_t>(out_.frames_.size());
    state_.drain_touched([&](uint32_t page) {
      auto& list = versions_[page];
      StoredPage stored = encode(state_.page(page));
      if (!list.empty() && same(out_.stored_[list.back().page], stored)) return;
      if (!list.empty() && list.back().keyframe == keyframe) {  // inherited from a keyframe that was dropped
        release(list.back());
        list.pop_back();
      }
      list.push_back({keyframe, keep(std::move(stored))});
    });
    out_.frames_.push_back({position, version_count_, cost});
  }

  /// Written, but back to what it was.
  static bool same(const StoredPage& a, const StoredPage& b) {
    return a.pieces == b.pieces && a.size == b.size &&
           std::memcmp(a.words.get(), b.words.get(), a.size * sizeof(uint64_t)) == 0;
  }

  static size_t cost_of(const StoredPage& stored) {
    constexpr size_t allocation = 16;
    return stored.size * sizeof(uint64_t) + allocation + sizeof(StoredPage) + sizeof(Version);
  }

  uint32_t keep(StoredPage stored) {
    stored_bytes_ += cost_of(stored);
    ++version_count_;
    if (free_.empty()) {
      out_.stored_.push_back(std::move(stored));
      return static_cast<uint32_t>(out_.stored_.size() - 1);
    }
    const uint32_t slot = free_.back();
    free_.pop_back();
    out_.stored_[slot] = std::move(stored);
    return slot;
  }

  void release(const Version& version) {
    stored_bytes_ -= cost_of(out_.stored_[version.page]);
    out_.stored_[version.page] = {};
    free_.push_back(version.page);
  }

  /// Drops every second keyframe. A version of a dropped keyframe belongs to the next one that stays (or to
  /// the next one that will be added) unless the page has a newer version there.
  void thin() {
    auto& frames = out_.frames_;
    for (auto& list : versions_) {
      size_t kept = 0;
      for (Version& version : list) {
        version.keyframe = (version.keyframe + 1) / 2;
        if (kept > 0 && list[kept - 1].keyframe == version.keyframe) {
          release(list[kept - 1]);
          list[kept - 1] = version;
        } else {
          list[kept++] = version;
        }
      }
      list.resize(kept);
    }
    size_t kept = 0;
    for (size_t i = 0; i < frames.size(); i += 2) frames[kept++] = frames[i];
    frames.resize(kept);
    distance_ *= 2;
  }

  void flatten() {
    out_.version_begin_.reserve(versions_.size() + 1);
    out_.version_begin_.push_back(0);
    std::vector<uint32_t> added(out_.frames_.size() + 1);
    for (auto& list : versions_) {
      out_.versions_.insert(out_.versions_.end(), list.begin(), list.end());
      out_.version_begin_.push_back(static_cast<uint32_t>(out_.versions_.size()));
      for (const Version& version : list) ++added[version.keyframe];
      std::vector<Version>().swap(list);
    }
    uint32_t total = 0;
    for (size_t i = 0; i < out_.frames_.size(); ++i) out_.frames_[i].versions = total += added[i];
    out_.versions_.shrink_to_fit();
    out_.frames_.shrink_to_fit();
    out_.stored_.shrink_to_fit();
  }

  Keyframes& out_;
  const Recording& recording_;
  uint64_t distance_;
  size_t budget_;
  size_t stored_bytes_ = 0;
  uint32_t version_count_ = 0;
  PagedState state_;
  std::vector<std::vector<Version>> versions_;
  std::vector<uint32_t> free_;
};

Keyframes::Keyframes(std::shared_ptr<const Recording> recording)
    : Keyframes(std::move(recording), Options{}) {}

Keyframes::Keyframes(std::shared_ptr<const Recording> recording, Options options)
    : recording_(std::move(recording)) {
  Builder(*this, options).run({});
}

std::unique_ptr<const Keyframes> Keyframes::build(std::shared_ptr<const Recording> recording,
                                                  const Proceed& proceed) {
  std::unique_ptr<Keyframes> made(new Keyframes);
  made->recording_ = std::move(recording);
  if (!Builder(*made, Options{}).run(proceed)) return nullptr;
  return made;
}

uint32_t Keyframes::before(StepIndex position) const {
  const auto after = std::upper_bound(frames_.begin(), frames_.end(), position,
                                      [](StepIndex p, const Frame& frame) { return p < frame.position; });
  return static_cast<uint32_t>(after - frames_.begin() - 1);
}

uint32_t Keyframes::stored_at(uint32_t page, uint32_t keyframe) const {
  const auto begin = versions_.begin() + version_begin_[page];
  const auto end = versions_.begin() + version_begin_[page + 1];
  const auto after = std::upper_bound(begin, end, keyframe,
                                      [](uint32_t k, const Version& version) { return k < version.keyframe; });
  return (after - 1)->page;
}

void Keyframes::restore(uint32_t keyframe, PagedState& state) const {
  struct Copy {
    const StoredPage* from;
    std::span<uint64_t> to;
  };
  std::vector<Copy> copies;
  for (uint32_t page = 0; page < state.pages(); ++page) {
    const uint32_t stored = stored_at(page, keyframe);
    if (state.origin(page) != stored) copies.push_back({&stored_[stored], state.replace_page(page, stored)});
  }
  const auto copy = [](std::span<const Copy> part) {
    for (size_t i = 0; i < part.size(); ++i) {
      if (i + 1 < part.size()) part[i + 1].from->prefetch();
      decode(*part[i].from, part[i].to);
    }
  };
  // Copying tens of megabytes takes longer than a frame allows one processor; few pages are not worth a thread.
  constexpr size_t pages_worth_a_thread = 1024;
  const auto all = std::span<const Copy>(copies);
  if (all.size() < 2 * pages_worth_a_thread) return copy(all);
  const auto half = std::async(std::launch::async | std::launch::deferred, copy, all.first(all.size() / 2));
  copy(all.subspan(all.size() / 2));
  half.wait();
}

uint64_t Keyframes::cost_to(StepIndex position) const {
  const uint32_t keyframe = before(position);
  const Frame& frame = frames_[keyframe];
  const bool last = keyframe + 1 == frames_.size();
  const StepIndex end = last ? recording_->steps() : frames_[keyframe + 1].position;
  const uint64_t cost = (last ? total_cost_ : frames_[keyframe + 1].cost) - frame.cost;
  const uint64_t first = recording_->first_write(frame.position);
  const uint64_t writes = recording_->first_write(end) - first;
  if (writes == 0) return frame.cost;
  const double part =
      static_cast<double>(recording_->first_write(position) - first) / static_cast<double>(writes);
  return frame.cost + static_cast<uint64_t>(part * static_cast<double>(cost));
}

uint64_t Keyframes::restore_cost(StepIndex from, uint32_t keyframe) const {
  constexpr uint64_t find_a_page = 5;
  constexpr uint64_t copy_a_page = 60;
  const uint64_t pages = version_begin_.size() - 1;
  const uint64_t a = frames_[before(from)].versions;
  const uint64_t b = frames_[keyframe].versions;
  return pages * find_a_page + std::min(pages, a > b ? a - b : b - a) * copy_a_page;
}

size_t Keyframes::bytes() const {
  size_t total = frames_.capacity() * sizeof(Frame) + stored_.capacity() * sizeof(StoredPage) +
                 version_begin_.capacity() * sizeof(uint32_t) + versions_.capacity() * sizeof(Version);
  for (const StoredPage& stored : stored_) total += stored.size * sizeof(uint64_t);
  return total;
}

}  // namespace hmmscope
