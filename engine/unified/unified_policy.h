#pragma once
/// What the forms of the unified fault-and-migrate patches do differently, as data: one row a form, one field a
/// documented change. Everything the fields do not name is the same in all forms.
///
/// Sources of the later form, none of which is merged (September 2026):
///   [tree]  migrate_hmm_range_setup() of mm/migrate_device.c in the mm tree (commit 08ea4eaefa56): the text itself;
///   [collector] the old collector's text in that file, which the later prepare functions are said to carry over;
///   [mail]  commit messages and documentation of the postings of 2026 on dri-devel: what they say, not their text.
/// Not documented, hence as posted: REQ_MIGRATE always selects system memory (finding 5.5), a driver without an owner
/// never ends its announcement (5.3), VMAs without VM_READ are not collected (5.16).
/// Pure data; any thread.

#include <cstdint>

#include "engine/model/kernel_model.h"

namespace hmmscope {

struct UnifiedPolicy {
  bool patched = false;
  uint8_t fault_bit = 0;        ///< of MIGRATE_VMA_FAULT: 3 as posted, 4 later [mail]
  uint8_t write_bit = 0;        ///< of MIGRATE_VMA_WRITE, 0: none. Its number was not found; 5 is the next free one
  bool current_owns = false;    ///< patch 1/4: splits and unmappings name `current` as owner; dropped later [mail]
  bool hole_is_valid = false;   ///< a hole is VALID and MIGRATE with pfn 0, recognised by that very word; later MIGRATE
                                ///< without VALID [tree]
  bool dst_cleared = false;     ///< migrate_hmm_range_setup clears dst in every slot [tree]
  bool array_cleared = false;   ///< a migrating call clears its array first and wants pfn_flags_mask 0; sticky bits do
                                ///< not survive it [mail]
  bool refuses_lock_drop = false;   ///< migrating and letting faults drop mmap_lock: an error [mail]
  bool carries_bits = false;    ///< A and D go into the migration entry, D into the folio [collector]
  bool flushes_per_part = false;    ///< one flush for the ptes of a part instead of one a page [collector]
  bool one_lock = false;        ///< the pte stays locked from the visit to the replacement [mail]
  bool faults_one_page = false;     ///< a migrating call faults the page that needs it, not the rest of the part [mail]
  bool anonymous_only = false;  ///< pages of files are left alone, so are swap-cache pages other entries refer to [mail]
  bool splits_mapped_large = false;   ///< a large folio mapped by ptes is split, not left alone [mail]
  bool huge_keeps_pfns = false; ///< a huge page that cannot be taken stays a VALID run; as posted it becomes ERROR [mail]
  bool takes_huge = false;      ///< huge pages [mail] and 2M holes [selftests of 6.19] go whole for SELECT_COMPOUND
  bool keeps_fault_lock = false;    ///< a failed sharing leaves the fault path's lock alone [collector]
  bool rolls_back = false;      ///< a failed walk puts back what it prepared before it returns [mail]
  bool driver_checks_late = false;  ///< the test driver takes mmap_lock once, looks at the sequence after
                                    ///< migrate_vma_pages and maps then [mail]
};

const UnifiedPolicy& unified_policy(UnifiedStyle style);

}  // namespace hmmscope
