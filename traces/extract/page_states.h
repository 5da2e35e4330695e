#pragma once
/// Entries of a trace as page states of a scenario: what they mean instead of how one kernel writes them, so
/// that any kernel model can write them its own way.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "traces/extract/call_facts.h"

namespace hmmscope::traces {

class PageStates {
 public:
  using Json = nlohmann::ordered_json;
  static constexpr const char* caller = "driver";  ///< the device that calls

  PageStates(const KernelModel& model, const CallFacts& facts);

  /// The zero page, if an entry shows it.
  std::optional<uint64_t> zero_pfn() const { return zero_pfn_; }
  /// The caller's device with its pages, and devices that own the other device pages.
  Json devices() const;
  /// Declarations for entries; neighbours that continue each other become one. Call in the order of time.
  Json declare(std::vector<FactEntry> entries);
  /// Why the entries cannot be declared; empty when they can.
  const std::string& failure() const { return failure_; }

 private:
  struct State {
    std::string name;
    uint64_t addr = 0, pages = 1;
    uint64_t unit = 1;  ///< pages an entry covers
    std::optional<uint64_t> pfn;
    std::string device;
    bool writable = false, uffd_wp = false, protnone = false, devmap = false;
  };
  struct DeviceRun {
    uint64_t first = 0, pages = 0;
  };

  bool is_zero_page(const FactEntry& entry) const;
  std::optional<State> state_of(const FactEntry& entry);
  std::optional<State> present(const FactEntry& entry, State state);
  std::optional<State> nonpresent(const FactEntry& entry, State state);
  std::string device_of(uint64_t pfn) const;
  /// Notes the pages; true when some of them were declared before.
  bool declared_before(uint64_t pfn, uint64_t pages);
  const FactVma* vma_at(uint64_t addr) const;

  EntryFormat format_;
  uint64_t error_, valid_;  ///< bits of an hmm_pfns word
  const CallFacts& facts_;
  std::optional<uint64_t> zero_pfn_;
  DeviceRun own_;
  std::vector<DeviceRun> foreign_;
  std::vector<std::pair<uint64_t, uint64_t>> declared_;  ///< pfn ranges, [first, end)
  std::string failure_;
};

}  // namespace hmmscope::traces
