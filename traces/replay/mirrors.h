#pragma once
/// What the devices of a trace have mapped, as far as its events prove it. No event shows a device's page table; what does is
/// how a driver that uses hmm_range_fault works (Documentation/mm/hmm.rst): it maps what the walk returned unless the
/// sequence has moved, in which case it walks the same range again, and its interval callback takes away what is invalidated.
///
/// A mirror is the words that a subscription's driver has, one a page, in the words of hmm_pfns that are VALID; all of it is
/// inferred. Threads: one.

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "traces/replay/world.h"

namespace hmmscope::traces {

class Mirrors {
 public:
  Mirrors(World& world, size_t tasks) : world_(world), walks_(tasks) {}

  /// A walk of a range, over the address space that the subscription `notifier` is of.
  struct Walk {
    AddressSpace* space = nullptr;
    uint64_t notifier = 0, start = 0, end = 0;
    WordIndex pfns = no_word;                              ///< the words as the kernel left them
    std::vector<std::pair<uint64_t, uint32_t>> shown;      ///< slots of which an event shows that, first and count
  };
  /// The task begins a walk. The same again: the one before was not used. Another: it was.
  void begins(uint32_t task, uint64_t notifier, uint64_t start, uint64_t end);
  /// It came back with 0.
  void walked(uint32_t task, Walk walk);
  /// The task is back from its system call: without an error it has used its last walk.
  void back(uint32_t task, bool good);
  /// A callback of the subscription for [start, end). `drops`: it takes away what is mapped; else it leaves that to whoever
  /// caused it, the driver's own migration, of whose end no event tells.
  void invalidated(uint64_t notifier, uint64_t start, uint64_t end, bool drops);
  /// The subscription ends, and what was mapped by it.
  void removed(uint64_t notifier);
  /// What is mapped, and whether a walk was used, may have changed unseen.
  void lose_events();

 private:
  struct Table {
    uint64_t start = 0, end = 0;
    WordIndex first = no_word;
  };
  void use(Walk& walk);
  static void take_out(Walk& walk, uint64_t start, uint64_t end);
  void write(const Table& table, const Walk& walk);
  /// visit(first word, count) for the parts of the subscription's tables in [start, end) that hold something.
  template <class Visit>
  void each_part(uint64_t notifier, uint64_t start, uint64_t end, Visit visit);

  World& world_;
  std::vector<Walk> walks_;   ///< by task: not used yet; without a space: none
  std::unordered_map<uint64_t, std::vector<Table>> tables_;   ///< by subscription
};

}  // namespace hmmscope::traces
