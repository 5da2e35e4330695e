#include "engine/recording/section_reader.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

namespace hmmscope {
namespace format = file_format;

namespace {

constexpr uint64_t max_ratio = (128 << 10) / 4;
constexpr uint64_t max_shrink = 64;

}  // namespace

Result<SectionReader> SectionReader::open(std::span<const uint8_t> file, std::string_view name,
                                          uint64_t limit) {
  SectionReader reader(file, name);
  const auto read = reader.read_table(limit);
  if (!read) return tl::unexpected(read.error());
  return reader;
}

Result<void> SectionReader::read_table(uint64_t limit) {
  const auto at = [&](uint64_t offset, std::string message) {
    return fail(Error::at_offset(name_, offset, std::move(message)));
  };
  format::Header header{};
  if (file_.size() < sizeof header) return at(file_.size(), "this recording is cut off in its header");
  std::memcpy(&header, file_.data(), sizeof header);
  if (header.magic != format::magic) return at(0, "this is not an hmmscope recording");
  if (header.version != format::version) {
    return at(8, fmt::format("recording format version {} is not supported (this build reads version {})",
                             header.version, format::version));
  }
  if (header.sections > format::max_sections) {
    return at(12, fmt::format("{} sections are more than the {} a recording may have", header.sections,
                              format::max_sections));
  }
  const size_t table_size = header.sections * sizeof(format::SectionEntry);
  if (file_.size() - sizeof header < table_size)
    return at(file_.size(), "this recording is cut off in its section table");
  const uint32_t checksum = header.checksum;
  header.checksum = 0;
  if (format::crc(format::crc(0, &header, sizeof header), file_.data() + sizeof header, table_size) != checksum ||
      header.reserved != 0) {
    return at(16, "the header or section table of this recording is damaged (checksum differs)");
  }
  table_.resize(header.sections);
  if (table_size > 0) std::memcpy(table_.data(), file_.data() + sizeof header, table_size);

  uint64_t next = sizeof header + table_size;
  uint64_t total = 0;
  for (size_t i = 0; i < table_.size(); ++i) {
    const format::SectionEntry& entry = table_[i];
    const uint64_t where = sizeof header + i * sizeof entry;
    const std::string name = format::tag_name(entry.tag);
    if (entry.offset != next)
      return at(where, fmt::format("section {} does not follow the one before it", name));
    if (entry.stored_size > file_.size() - next) {
      return at(file_.size(), fmt::format("this recording is cut off in section {}", name));
    }
    next += entry.stored_size;
    if (entry.size > limit || (total += entry.size) > limit) {
      return at(where, fmt::format("this recording needs more than {} bytes of memory", limit));
    }
    // A small file may not cost a machine its memory; real recordings do not shrink like this.
    const uint64_t unsuspicious = limit / 16;
    if (total > unsuspicious && total / max_shrink > file_.size()) {
      return at(where, fmt::format("this recording of {} bytes claims to hold more than {} bytes: it is damaged or made "
                                   "to fill the memory", file_.size(), unsuspicious));
    }
    const bool packed = (entry.flags & format::SectionEntry::zstd) != 0;
    // A zstd block of 4 bytes unpacks to 128 KiB at the most: a larger claim is a lie, found before it costs
    // memory.
    if (packed && entry.size / max_ratio > entry.stored_size) {
      return at(where, fmt::format("section {} cannot unpack to the size it claims", name));
    }
    if (!packed && entry.size != entry.stored_size) {
      return at(where, fmt::format("section {} is not compressed but has two sizes", name));
    }
    if (format::crc(0, file_.data() + entry.offset, entry.stored_size) != entry.checksum) {
      return at(entry.offset, fmt::format("section {} is damaged (checksum differs)", name));
    }
    for (size_t k = 0; k < i; ++k) {
      if (table_[k].tag == entry.tag) return at(where, fmt::format("section {} appears twice", name));
    }
  }
  if (next != file_.size()) return at(next, "there are bytes after the last section");
  return {};
}

Result<const format::SectionEntry*> SectionReader::entry(uint32_t tag, size_t row) const {
  const auto found =
      std::find_if(table_.begin(), table_.end(), [&](const auto& entry) { return entry.tag == tag; });
  if (found == table_.end()) {
    return fail(Error::at_offset(name_, sizeof(format::Header),
                                 fmt::format("section {} is missing", format::tag_name(tag))));
  }
  if ((found->flags & ~format::SectionEntry::zstd) != 0) {
    return bad(tag, "it is stored in a way this build does not know");
  }
  if (found->size % row != 0) return bad(tag, fmt::format("its size is not a multiple of {}", row));
  return &*found;
}

Result<void> SectionReader::unpack(const format::SectionEntry& entry, uint8_t* out) const {
  const uint8_t* stored = file_.data() + entry.offset;
  if ((entry.flags & format::SectionEntry::zstd) == 0) {
    if (entry.size > 0) std::memcpy(out, stored, entry.size);
    return {};
  }
  const size_t unpacked = ZSTD_decompress(out, entry.size, stored, entry.stored_size);
  if (ZSTD_isError(unpacked) || unpacked != entry.size) return bad(entry.tag, "it cannot be decompressed");
  return {};
}

tl::unexpected<Error> SectionReader::bad(uint32_t tag, std::string_view what) const {
  const auto found =
      std::find_if(table_.begin(), table_.end(), [&](const auto& entry) { return entry.tag == tag; });
  const uint64_t offset = found != table_.end() ? found->offset : 0;
  return fail(Error::at_offset(name_, offset, fmt::format("section {}: {}", format::tag_name(tag), what)));
}

}  // namespace hmmscope
