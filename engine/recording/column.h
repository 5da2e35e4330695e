#pragma once
/// A growable array for one column of a recording. Unlike std::vector it grows with realloc, which for large blocks
/// moves pages instead of copying them: appending a 10-million-step recording never holds a column twice, and the
/// spare capacity is address space that was never touched.
///
/// Only for trivially copyable types. Copies copy the elements. Threads: as std::vector.

#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace hmmscope {

template <class T>
class Column {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Column() = default;
  Column(const Column& other) { append(other.data_, other.size_); }
  Column(Column&& other) noexcept { swap(other); }
  Column& operator=(Column other) noexcept {
    swap(other);
    return *this;
  }
  ~Column() { std::free(data_); }

  void swap(Column& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) {
    assert(i < size_);
    return data_[i];
  }
  const T& operator[](size_t i) const {
    assert(i < size_);
    return data_[i];
  }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }
  std::span<const T> span() const { return {data_, size_}; }

  void push(T value) {
    if (size_ == capacity_) [[unlikely]]
      grow(size_ + 1);
    data_[size_++] = value;
  }
  void append(const T* values, size_t count) {
    if (count == 0) return;
    if (capacity_ - size_ < count) grow(size_ + count);
    copy_to(data_ + size_, values, count);
    size_ += count;
  }
  void append(size_t count, T value) {
    if (capacity_ - size_ < count) grow(size_ + count);
    for (size_t i = 0; i < count; ++i) data_[size_ + i] = value;
    size_ += count;
  }
  /// Zeros. Where they are most of what there is then, their pages are not touched before they are written.
  void append_zeros(size_t count) {
    constexpr size_t lazy_bytes = size_t{1} << 18;
    if (count < size_ || count < lazy_bytes / sizeof(T) || count > static_cast<size_t>(-1) / sizeof(T) - size_) return append(count, T{});
    void* fresh = std::calloc(size_ + count, sizeof(T));
    if (fresh == nullptr) throw std::bad_alloc();
    if (size_ != 0) std::memcpy(fresh, data_, size_ * sizeof(T));
    std::free(data_);
    data_ = static_cast<T*>(fresh);
    capacity_ = size_ += count;
  }
  /// Room for as many: address space, until they come.
  void reserve(size_t count) {
    if (count > capacity_) reallocate(count);
  }
  /// New elements are not initialised: for readers that fill them at once.
  void resize_uninitialised(size_t count) {
    if (count > capacity_) reallocate(count);
    size_ = count;
  }
  void shrink_to_fit() {
    if (size_ != capacity_) reallocate(size_);
  }
  /// Heap held.
  size_t bytes() const { return capacity_ * sizeof(T); }

 private:
  /// A few elements, mostly just written one by one: read so again. A wider read would wait for all those writes.
  static void copy_to(T* to, const T* from, size_t count) {
    switch (count) {
      case 6: to[5] = from[5]; [[fallthrough]];
      case 5: to[4] = from[4]; [[fallthrough]];
      case 4: to[3] = from[3]; [[fallthrough]];
      case 3: to[2] = from[2]; [[fallthrough]];
      case 2: to[1] = from[1]; [[fallthrough]];
      case 1: to[0] = from[0]; return;
      default: std::memcpy(static_cast<void*>(to), from, count * sizeof(T));
    }
  }
  void grow(size_t needed) {
    const size_t doubled = capacity_ < 64 ? 64 : capacity_ * 2;
    reallocate(needed > doubled ? needed : doubled);
  }
  void reallocate(size_t capacity) {
    if (capacity == 0) {
      std::free(data_);
      data_ = nullptr;
    } else {
      if (capacity > static_cast<size_t>(-1) / sizeof(T)) throw std::bad_alloc();
      void* moved = std::realloc(static_cast<void*>(data_), capacity * sizeof(T));
      if (moved == nullptr) throw std::bad_alloc();
      data_ = static_cast<T*>(moved);
    }
    capacity_ = capacity;
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace hmmscope
