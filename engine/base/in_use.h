#pragma once
/// Counts its owner among the users of something for its life.

#include <cstdint>

namespace hmmscope {

class InUse {
 public:
  explicit InUse(uint32_t& users) : users_(users) { ++users_; }
  ~InUse() { --users_; }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  uint32_t& users_;
};

}  // namespace hmmscope
