#pragma once
/// A byte buffer that grows in place: what has been added keeps its address, so that it can be read while more is added
/// behind it. Grows without filling or copying, so that unpacking touches each byte once.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "traces/reader/bytes.h"

namespace hmmscope::traces {

/// Threads: one adds; others may read what part() gave them.
class GrowBuffer final : public Bytes, public std::enable_shared_from_this<GrowBuffer> {
 public:
  /// Takes address space for `most` bytes, memory only as it is filled. Where so much address space is not to be had
  /// (ulimit -v), the buffer gets what there is.
  explicit GrowBuffer(uint64_t most) : most_(most) {}
  ~GrowBuffer() override {
    if (data_ != nullptr) ::munmap(data_, reserved_);
  }

  /// Room for at least `more` bytes after size(). False when that is more than `most` bytes or than memory.
  bool reserve_more(uint64_t more) {
    if (more > most_ - size_) return false;
    if (data_ == nullptr) reserve();
    return more <= room();
  }
  char* tail() { return data_ + size_; }
  uint64_t room() const { return std::min(reserved_, most_) - size_; }
  uint64_t size() const { return size_; }
  void added(uint64_t bytes) { size_ += bytes; }
  /// Gives unused memory back and publishes the view. Nothing may be added afterwards.
  void finish() {
    const uint64_t used = whole_pages(size_);
    if (used < reserved_ && ::munmap(data_ + used, reserved_ - used) == 0) reserved_ = used;
    if (reserved_ == 0) data_ = nullptr;
    view_ = {data_, size_};
  }

  /// What has been added so far, readable while more is added. Keeps the buffer alive.
  std::shared_ptr<const Bytes> part() const { return std::make_shared<const Part>(shared_from_this(), data_, size_); }

 private:
  class Part final : public Bytes {
   public:
    Part(std::shared_ptr<const GrowBuffer> whole, const char* data, uint64_t size) : whole_(std::move(whole)) { view_ = {data, size}; }

   private:
    std::shared_ptr<const GrowBuffer> whole_;
  };

  static uint64_t whole_pages(uint64_t bytes) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
  }
  void reserve() {
    constexpr uint64_t least = uint64_t{1} << 20;
    for (uint64_t wanted = whole_pages(most_); wanted != 0; wanted = wanted > least ? whole_pages(wanted / 2) : 0) {
      void* const got = ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (got == MAP_FAILED) continue;
      data_ = static_cast<char*>(got);
      reserved_ = wanted;
      return fill_in_huge_pages();
    }
  }

  /// A long trace takes a page fault for 2 MB instead of 512 of them.
  void fill_in_huge_pages() {
#ifdef MADV_HUGEPAGE
    constexpr uint64_t from = uint64_t{8} << 20;
    if (reserved_ > from) (void)::madvise(data_ + from, reserved_ - from, MADV_HUGEPAGE);
#endif
  }

  const uint64_t most_;
  char* data_ = nullptr;
  uint64_t size_ = 0;
  uint64_t reserved_ = 0;
};

}  // namespace hmmscope::traces
