#pragma once
/// What the bits of an hmm_pfns slot mean to the engine under one kernel model: masks taken once from the model's
/// hmm_pfn layout. VALID doubles as REQ_FAULT and WRITE as REQ_WRITE (include/linux/hmm.h since 5.8).

#include <cstdint>

#include "engine/model/kernel_model.h"

namespace hmmscope {

struct PfnFormat {
  uint64_t valid = 0, write = 0, error = 0;
  uint64_t special = 0;         ///< what a special page without a struct page gives: ERROR since 5.8
  uint64_t device_private = 0;  ///< flag of a device-private page, in layouts that have one since 5.8
  uint64_t from_pfn = 0;        ///< what the helper that makes an entry of a pfn adds: VALID until 5.7
  uint64_t sticky = 0;          ///< bits of the old slot that every write keeps; 0 before 6.16
  uint32_t order_shift = 0;
  uint32_t pfn_shift = 0;
  bool reports_order = false;
  bool error_is_word = false;   ///< 4.17 to 5.7: `error` and `special` are whole words, and their bits are flags of others

  static PfnFormat from(const KernelModel& model);

  uint64_t req_fault() const { return valid; }
  uint64_t req_write() const { return write; }
  /// The slot says that its address cannot be used. To be asked before VALID: such a word may have any bits set.
  bool is_error(uint64_t slot) const {
    return error_is_word ? slot == error || slot == special : (slot & error) != 0;
  }
  uint64_t order(uint32_t order) const { return reports_order ? static_cast<uint64_t>(order) << order_shift : 0; }
  uint64_t pfn(uint64_t pfn) const { return (pfn << pfn_shift) | from_pfn; }
  uint64_t pfn_stride() const { return 1ull << pfn_shift; }
};

}  // namespace hmmscope
