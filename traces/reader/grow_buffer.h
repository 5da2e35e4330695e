#pragma once
/// A byte buffer that grows by moving pages, not by copying them: large reallocations of the C library remap. Grows
/// without filling, so that unpacking touches each byte once.

#include <cstdint>
#include <cstdlib>

#include "traces/reader/bytes.h"

namespace hmmscope::traces {

class GrowBuffer final : public Bytes {
 public:
  GrowBuffer() = default;
  ~GrowBuffer() override { std::free(data_); }

  /// Room for at least `more` bytes after size(), in total at most `most` bytes. False when memory is out or the
  /// limit is reached.
  bool reserve_more(uint64_t more, uint64_t most) {
    if (size_ >= most) return false;
    if (capacity_ - size_ >= more) return true;
    uint64_t wanted = capacity_ * 2 > size_ + more ? capacity_ * 2 : size_ + more;
    if (wanted > most) wanted = most;
    void* grown = std::realloc(data_, wanted);
    if (grown == nullptr) return false;
    data_ = static_cast<char*>(grown);
    capacity_ = wanted;
    return true;
  }
  char* tail() { return data_ + size_; }
  uint64_t room() const { return capacity_ - size_; }
  uint64_t size() const { return size_; }
  void added(uint64_t bytes) { size_ += bytes; }
  /// Gives unused memory back and publishes the view.
  void finish() {
    if (size_ != 0 && size_ < capacity_) {
      if (void* shrunk = std::realloc(data_, size_); shrunk != nullptr) {
        data_ = static_cast<char*>(shrunk);
        capacity_ = size_;
      }
    }
    view_ = {data_, size_};
  }

 private:
  char* data_ = nullptr;
  uint64_t size_ = 0;
  uint64_t capacity_ = 0;
};

}  // namespace hmmscope::traces
