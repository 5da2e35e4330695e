#pragma once
/// How long work lets itself be watched and stopped, in rooms that know no threads and no windows.

#include <cstdint>
#include <functional>

namespace hmmscope {

/// Called now and then, from the working thread, with the units done so far (steps, writes). False: stop. What was
/// being made is then dropped by whoever asked for it. May be empty.
using Proceed = std::function<bool(uint64_t done)>;

/// How often to ask: rarely enough to cost nothing, often enough that Cancel is felt at once.
inline constexpr uint64_t proceed_every = 1u << 17;

inline bool may_proceed(const Proceed& proceed, uint64_t done) {
  return done % proceed_every != 0 || !proceed || proceed(done);
}

}  // namespace hmmscope
