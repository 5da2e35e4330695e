#pragma once
/// The outer layer of a .hmmrec file: header, section table, checksums, decompression. Nothing is allocated before
/// its size has been checked against the file and the limit.

#include "engine/base/result.h"
#include "engine/recording/column.h"
#include "engine/recording/file_format.h"

namespace hmmscope {

class SectionReader {
 public:
  /// `limit`: most bytes that all sections together may take after decompression.
  static Result<SectionReader> open(std::span<const uint8_t> file, std::string_view name, uint64_t limit);

  /// A whole section as rows of T. Error when it is missing, damaged or not a whole number of rows.
  template <class T>
  Result<Column<T>> column(uint32_t tag) const {
    const auto found = entry(tag, sizeof(T));
    if (!found) return tl::unexpected(found.error());
    Column<T> rows;
    rows.resize_uninitialised((*found)->size / sizeof(T));
    const auto unpacked = unpack(**found, reinterpret_cast<uint8_t*>(rows.data()));
    if (!unpacked) return tl::unexpected(unpacked.error());
    return rows;
  }

  /// An error in the contents of a section.
  tl::unexpected<Error> bad(uint32_t tag, std::string_view what) const;

 private:
  SectionReader(std::span<const uint8_t> file, std::string_view name) : file_(file), name_(name) {}
  Result<void> read_table(uint64_t limit);
  Result<const file_format::SectionEntry*> entry(uint32_t tag, size_t row) const;
  Result<void> unpack(const file_format::SectionEntry& entry, uint8_t* out) const;

  std::span<const uint8_t> file_;
  std::string name_;
  std::vector<file_format::SectionEntry> table_;
};

/// Reads a section of mixed rows and strings; every read is checked.
class RowReader {
 public:
  explicit RowReader(const Column<uint8_t>& bytes) : rest_(bytes.span()) {}

  template <class T>
  bool get(T& value) {
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }
  bool get(std::string& text) {
    uint32_t size = 0;
    if (!get(size) || rest_.size() < size) return false;
    text.assign(reinterpret_cast<const char*>(rest_.data()), size);
    rest_ = rest_.subspan(size);
    return true;
  }
  /// A number of rows that take at least `smallest` bytes each: refused when the section cannot hold them.
  bool get_count(uint32_t& count, size_t smallest) { return get(count) && count <= rest_.size() / smallest; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace hmmscope
