#pragma once
/// A case states one thing hmm_range_fault (or a notifier) does: the machine, the call, the exact words that come out
/// and the rules that decided. Every case runs recorded and unrecorded; together they must fire every rule.

#include <functional>
#include <string>
#include <vector>

#include "tests/engine/world.h"

namespace hmmscope::test {

struct Case {
  std::string name;
  std::string model;
  std::function<void(World&)> build;           ///< before recording
  int ret = 0;
  std::vector<uint64_t> out = {};              ///< the first slots afterwards
  std::vector<std::string> rules = {};         ///< must appear in this order, others may stand between
  std::function<void(KernelModel&)> change = {};
  std::function<void(World&)> act = {};        ///< instead of the range call
};

std::vector<Case> pte_cases();
std::vector<Case> pmd_cases();
std::vector<Case> walk_cases();
std::vector<Case> hugetlb_cases();
std::vector<Case> fault_cases();
std::vector<Case> notifier_cases();
std::vector<Case> all_cases();

}  // namespace hmmscope::test
