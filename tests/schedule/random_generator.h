#pragma once
/// Random machines, tasks and operations for the property tests.

#include <initializer_list>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/model/kernel_model.h"
#include "tests/support/random_sample.h"

namespace hmmscope::scenario {

/// Which family of kernels a sample runs under.
enum class Era { range_only, migrating, unified };

struct Wanted {
  Era era = Era::migrating;
  bool tasks = false;
  bool huge = false;      ///< with a 2M VMA, used often
  bool injects = false;   ///< with failures at random steps
};

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}
  Sample sample(const Wanted& wanted);

  /// Below `below`, which must not be 0.
  uint32_t number(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  uint64_t word() { return uint64_t{static_cast<uint32_t>(random_())} << 32 | static_cast<uint32_t>(random_()); }
  std::string pick(std::initializer_list<const char*> from) { return *(from.begin() + number(static_cast<uint32_t>(from.size()))); }

 private:
  struct Place {
    std::string vma;
    uint32_t pages;
    std::vector<std::string> states;   ///< JSON members of a page declaration
    uint32_t unit = 1;                 ///< pages one declaration stands for
  };
  using Group = std::vector<Item>;   ///< operations that one task performs one after the other

  void choose_kernel();
  void add_places();
  void add_vma(const char* name, const char* start, const char* size, std::initializer_list<std::pair<const char*, const char*>> more,
               Place place);
  void declare_pages();
  void add_inject();
  std::vector<std::string> states_of_memory();
  bool later_than(uint32_t version) const { return model_.version >= version; }

  Item op(const std::string& name) { return Item().with("op", name); }
  Item in_place(Item item, const Place& place);
  Item anywhere(const std::string& name) { return in_place(op(name), place()); }
  Item in_heap(const std::string& name) { return in_place(op(name), places_.front()); }
  Item& on_device(Item& item) { return item.with("device", pick({"gpu0", "gpu0", "gpu1"})); }
  const Place& place();
  void maybe_named(Item& item);

  Group group();
  Group group_of_any_kernel();
  Group group_of_migration();
  Group group_of_driver();
  Group group_of_unified();
  Group unified_in_steps();
  Group range_fault();
  void maybe_scripted(Item& range, const Place& where);
  Group three_calls();
  Group hold();
  Group change_of_vmas();
  Item touch();

  std::mt19937 random_;
  Wanted wanted_;
  KernelModel model_;
  Sample sample_;
  std::vector<Place> places_;
  int names_ = 0, moved_ = 0;
  bool forked_ = false, reaped_ = false, vmas_change_ = true;
};

}  // namespace hmmscope::scenario
