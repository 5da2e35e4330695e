#pragma once
/// Bit layouts as data. One table describes every encoding hmmscope knows (hmm_pfn eras, MIGRATE_PFN, x86-64
/// pte/pmd/pud, swap and migration entries, arm64 entries, the 2015 mirror entries, driver formats).
/// Decoding, encoding, drawing, overlap checks and the command line all read this table; no bit position is
/// written anywhere else. All data is constant and immutable: any thread may read it.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace hmmscope {

/// Which kind of word a layout describes.
enum class Family : uint8_t {
  hmm_pfn,        ///< one slot of hmm_pfns[]
  migrate_pfn,    ///< one slot of migrate_vma.src / dst
  x86_pte,        ///< present x86-64 pte (4K leaf)
  x86_pmd,        ///< x86-64 pmd (table or 2M leaf)
  x86_pud,        ///< x86-64 pud (table or 1G leaf)
  x86_table,      ///< pgd / p4d entry
  x86_swap,       ///< non-present x86-64 entry
  arm64_pte,      ///< present arm64 pte
  arm64_swap,     ///< non-present arm64 entry
  mirror_entry,   ///< 2015 hmm_pt entries
  driver_format,  ///< 2018/2019 driver-defined array words
  plain,          ///< a counter, address or flags word without bit fields
};

/// What a field means to the engine and to the views (colour and legend follow the role).
enum class Role : uint8_t {
  none,
  pfn,
  valid,
  write,
  read,
  error,
  order,
  dma_mapped,
  p2pdma,
  p2pdma_bus,
  migrate,
  compound,
  device_private,
  special,
  empty,
  locked,
  present,
  user,
  accessed,
  dirty,
  huge,
  global,
  soft_dirty,
  uffd_wp,
  saved_dirty,
  devmap,
  pkey,
  no_execute,
  cache,
  exclusive,
  swap_type,
  swap_offset,
  table_address,
  hw,
  select,
};

struct Field {
  const char* name;    ///< short name drawn under the bits, e.g. "VALID"
  const char* symbol;  ///< the kernel's own name, e.g. "HMM_PFN_VALID"; "" when it has none
  uint8_t shift;       ///< lowest bit
  uint8_t width;       ///< number of bits, >= 1
  Role role;
  bool sticky;          ///< survives a call (the INOUT flags of 6.16)
  bool input;           ///< also a request on input (REQ_FAULT, REQ_WRITE, REQ_MIGRATE)
  bool inverted;        ///< stored inverted (x86-64 swap offset, L1TF)
  const char* meaning;  ///< one sentence
  uint8_t unit = 0;     ///< the stored number counts 2^unit: a 2M leaf keeps its pfn in units of 512 pages

  constexpr uint64_t mask() const { return (width >= 64 ? ~0ull : ((1ull << width) - 1)) << shift; }
  constexpr uint64_t get(uint64_t word) const {
    const uint64_t raw = (word & mask()) >> shift;
    return (inverted ? raw ^ (mask() >> shift) : raw) << unit;
  }
  constexpr uint64_t max() const { return (mask() >> shift) << unit; }  ///< largest value that fits
  constexpr bool fits(uint64_t value) const { return value <= max() && (value & ((1ull << unit) - 1)) == 0; }
  /// The bits that store `value`; what does not fit spills upwards, as a plain shift in C does.
  constexpr uint64_t put(uint64_t value) const {
    const uint64_t raw = value >> unit;
    return inverted ? ((raw << shift) ^ mask()) : raw << shift;
  }
};

/// A whole word with a meaning of its own, tested before any field (the driver tables of 4.17 .. 5.7).
struct SpecialWord {
  const char* name;    ///< "NONE"
  const char* symbol;  ///< "HMM_PFN_NONE"
  uint64_t word;
  const char* meaning;
};

enum class Status : uint8_t {
  released,
  posted,
  draft
};  ///< posted: on a mailing list; draft: an idea in a thread

struct Layout {
  const char*
      id;  ///< short and stable: "hmm-5.9", "hmm-v9-posted", "hmm-6.16", "pte-x86-64", "swap-x86-64-6.12"
  const char* title;  ///< one line for menus
  Family family;
  Status status;
  const char* versions;        ///< "5.9 .. 6.15"
  uint8_t word_bits;           ///< 64 or 32
  uint8_t default_page_shift;  ///< page size the positions were computed for (matters to GENMASK and driver
                               ///< formats)
  std::span<const Field> fields;
  const char* source;                          ///< kernel file and version, or thread
  const char* note;                            ///< what a reader should know, may be ""
  std::span<const SpecialWord> specials = {};  ///< in the order the kernel tests them

  const Field* field(Role role) const;  ///< nullptr when absent; first match
  const Field* field_named(
      std::string_view) const;  ///< by name or kernel symbol, case-insensitive; nullptr when absent
  /// All bits that some field other than the pfn owns.
  uint64_t flags_mask() const;
  uint64_t sticky_mask() const;
  uint64_t mask(Role role) const;  ///< 0 when absent
};

std::span<const Layout> layouts();
const Layout* find_layout(std::string_view id);  ///< nullptr when unknown
/// "hmm_pfn", "x86_swap", ...
std::string_view family_name(Family family);
std::string_view status_name(Status status);
/// Error message lists the nearest ids.
Result<const Layout*> layout_or_error(std::string_view id);

struct DecodedField {
  const Field* field;
  uint64_t value;
};

/// Every field with its value, highest bit first. Total: any 64-bit word decodes.
std::vector<DecodedField> decode(const Layout& layout, uint64_t word);
/// One line: "VALID WRITE order 9 pfn 0x12345". Zero flags are left out; a zero word gives "0".
std::string describe(const Layout& layout, uint64_t word);

struct FieldValue {
  std::string_view name;  ///< field name or kernel symbol
  uint64_t value;
};
/// Error when a name is unknown or a value does not fit its field. Overlapping fields are ORed, as the kernel
/// does.
Result<uint64_t> encode(const Layout& layout, std::span<const FieldValue> values);

/// Two fields of one layout that own a common bit.
struct Overlap {
  const Field* a;
  const Field* b;
  uint64_t mask;
};
std::vector<Overlap> overlaps(const Layout& layout);

/// The layout whose fields name the bits of this particular word: a pte word that is not present is read with
/// the swap layout, a pmd that is a table with the table fields, and so on. `pte_layout` and `swap_layout`
/// are the two layouts in force.
const Layout& layout_for_entry(const Layout& pte_layout, const Layout& swap_layout, uint64_t word);

}  // namespace hmmscope
