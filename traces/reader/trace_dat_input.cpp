#include "traces/reader/trace_dat_input.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "traces/reader/trace_dat_formats.h"
#include "traces/reader/trace_dat_pages.h"

namespace hmmscope::traces {
namespace {

bool write_all(int fd, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return true;
}

/// The library reads from a descriptor that it closes itself: an anonymous file holding the bytes, changed.
int anonymous_file(std::string_view bytes, const std::vector<DatPatch>& patches) {
  const int fd = ::memfd_create("trace.dat", MFD_CLOEXEC);
  if (fd < 0) return fd;
  bool written = write_all(fd, bytes, 0);
  for (const DatPatch& patch : patches) written = written && write_all(fd, patch.bytes, patch.offset);
  if (written) return fd;
  ::close(fd);
  return -1;
}

Error without_place(std::string message, std::string_view name) { return Error{std::move(message), std::string(name), 0, 0, false}; }

Error refused(std::string_view name) {
  return without_place("is no complete trace.dat file: libtracecmd cannot open it (truncated or damaged)", name);
}

/// The library crashes when it gets no memory for the descriptions of events. What it takes is a few times their size.
bool has_room_for(const std::vector<DatPatch>& descriptions) {
  size_t room = size_t{8} << 20;
  for (const DatPatch& each : descriptions) room += 4 * each.bytes.size();
  void* const probe = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return false;
  ::munmap(probe, room);
  return true;
}

/// Of version 6 the library finds where the headers end, and how many CPUs there are.
Result<RecordPages> pages_behind_headers(tracecmd_input* handle, int fd, std::string_view file, std::string_view name) {
  const off_t table = ::lseek(fd, 0, SEEK_CUR);
  const int cpus = tracecmd_cpus(handle);
  return record_pages_of_table(file, name, static_cast<uint64_t>(std::max<off_t>(table, 0)), static_cast<uint32_t>(std::max(cpus, 0)));
}

}  // namespace

/// tracecmd_open_fd in its three steps, with the pages checked in between. libtracecmd 1.3 crashes when it closes a file
/// whose data could not be set up, so such a handle is given up instead, but for the file behind it.
Result<OpenTraceDat> open_trace_dat(std::string_view file, std::string_view name, const std::optional<SymbolTablePlace>& symbols,
                                     const Progress& progress) {
  uint64_t records = 0;
  const auto check = [&](const Result<RecordPages>& pages) -> Result<void> {
    if (!pages) return tl::unexpected(pages.error());
    const auto counted = check_record_pages(file, name, *pages, progress);
    if (!counted) return tl::unexpected(counted.error());
    records = *counted;
    return {};
  };
  const auto header = dat_header(file);
  if (!header) return fail(refused(name));
  // Of version 7 in front of the library, which has room for as many CPUs as the file claims, and uses it unasked.
  if (header->has_sections) {
    if (const auto checked = check(record_pages_of_sections(file, name)); !checked) return tl::unexpected(checked.error());
  }
  auto patches = patches_for_library(file, name, *header);
  if (!patches) return tl::unexpected(patches.error());
  if (symbols && header->has_sections) patches->push_back(without_option(symbols->option));
  const int fd = anonymous_file(file, *patches);
  if (fd < 0) return fail(without_place("cannot be handed to libtracecmd (no anonymous file)", name));
  if (!has_room_for(*patches)) {
    ::close(fd);
    return fail(without_place("cannot be read: memory is out", name));
  }
  TraceDatInput input(tracecmd_alloc_fd(fd, tracecmd_load_no_plugins));
  if (input == nullptr || tracecmd_read_headers(input.get(), 0) < 0) return fail(refused(name));
  if (!header->has_sections) {
    if (const auto checked = check(pages_behind_headers(input.get(), fd, file, name)); !checked) return tl::unexpected(checked.error());
  }
  if (tracecmd_init_data(input.get()) < 0) {
    (void)input.release();
    ::close(fd);
    return fail(refused(name));
  }
  return OpenTraceDat{std::move(input), records};
}

}  // namespace hmmscope::traces
