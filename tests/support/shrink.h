#pragma once
/// Makes a sample smaller while the same kind of complaint stays, until nothing can be left out any more.

#include <cctype>
#include <string>

#include "tests/support/random_sample.h"

namespace hmmscope::scenario {

/// The complaint without its numbers: a smaller scenario has other addresses and counts, but the same thing is wrong.
inline std::string kind_of(const std::string& complaint) {
  std::string kind;
  for (size_t k = 0; k < complaint.size(); ++k) {
    const bool hex = complaint[k] == '0' && k + 1 < complaint.size() && complaint[k + 1] == 'x';
    if (std::isdigit(static_cast<unsigned char>(complaint[k])) == 0) {
      kind += complaint[k];
      continue;
    }
    kind += '#';
    if (hex) k += 2;
    const auto belongs = [&](char c) {
      return hex ? std::isxdigit(static_cast<unsigned char>(c)) != 0 : std::isdigit(static_cast<unsigned char>(c)) != 0;
    };
    while (k + 1 < complaint.size() && belongs(complaint[k + 1])) ++k;
  }
  return kind;
}

/// `complains(Sample&)` says what is wrong, nothing when nothing is or the sample is no scenario, and fills in the schedule.
template <class Complains>
class Shrinker {
 public:
  Shrinker(Sample sample, Complains complains) : sample_(std::move(sample)), complains_(std::move(complains)) {
    kind_ = kind_of(complains_(sample_));
  }

  Sample run() {
    constexpr std::vector<Item> Sample::*lists[] = {&Sample::operations, &Sample::inject, &Sample::pages, &Sample::vmas, &Sample::devices};
    do {
      smaller_ = false;
      for (const auto list : lists) leave_out(list);
      for (const auto list : lists) simplify(list);
      simplify_the_rest();
    } while (smaller_ && tries_ < most_tries);
    return sample_;
  }

 private:
  static constexpr int most_tries = 1500;

  template <class Change>
  bool attempt(Change change) {
    if (tries_++ >= most_tries) return false;
    Sample changed = sample_;
    change(changed);
    if (changed.text() == sample_.text() || kind_of(complains_(changed)) != kind_) return false;
    sample_ = std::move(changed);
    smaller_ = true;
    return true;
  }

  void leave_out(std::vector<Item> Sample::*list) {
    for (size_t part = (sample_.*list).size(); part > 0; part /= 2) {
      for (size_t k = (sample_.*list).size() / part * part; k + part > part;) {
        k -= part;
        if (k + part > (sample_.*list).size()) continue;
        attempt([&](Sample& s) {
          const auto first = (s.*list).begin() + static_cast<std::ptrdiff_t>(k);
          (s.*list).erase(first, first + static_cast<std::ptrdiff_t>(part));
        });
      }
    }
  }

  void simplify(std::vector<Item> Sample::*list) {
    for (size_t k = 0; k < (sample_.*list).size(); ++k) {
      for (size_t key = (sample_.*list)[k].keys().size(); key-- > 0;) {
        if (attempt([&](Sample& s) { (s.*list)[k].erase(key); })) continue;
        make_less(list, k, key);
      }
    }
  }

  void make_less(std::vector<Item> Sample::*list, size_t k, size_t key) {
    for (;;) {
      const std::string value = (sample_.*list)[k].keys()[key].second;
      if (value.empty() || std::isdigit(static_cast<unsigned char>(value[0])) == 0) return;
      const uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
      const auto becomes = [&](uint64_t less) {
        return less < number && attempt([&](Sample& s) { (s.*list)[k].keys()[key].second = std::to_string(less); });
      };
      if (number == 0 || !(becomes(1) || becomes(number / 2) || becomes(number - 1))) return;
    }
  }

  void simplify_the_rest() {
    attempt([](Sample& s) { s.kernel = "6.12"; });
    attempt([](Sample& s) { s.keeps_swap_cache = false; });
    attempt([](Sample& s) { s.numa_balancing = false; });
    attempt([](Sample& s) { s.by_rule = false; });
    attempt([](Sample& s) { s.schedule.clear(), s.seed.reset(); });
    for (size_t end = sample_.schedule.size(); end > 0 && tries_ < most_tries;) {   // word by word from the end
      const size_t start = sample_.schedule.rfind(' ', end - 1);
      const size_t from = start == std::string::npos ? 0 : start;
      attempt([&](Sample& s) { s.schedule.erase(from, end - from); });
      end = std::min(from, sample_.schedule.size());
    }
  }

  Sample sample_;
  Complains complains_;
  std::string kind_;
  bool smaller_ = false;
  int tries_ = 0;
};

template <class Complains>
Sample shrunk(const Sample& sample, Complains complains) {
  return Shrinker<Complains>(sample, std::move(complains)).run();
}

}  // namespace hmmscope::scenario
