#include "engine/base/errno_name.h"

#include <array>
#include <cerrno>

namespace hmmscope {

namespace {

struct NamedError {
  int number;
  std::string_view name;
};
constexpr std::array errors{
    NamedError{EPERM, "-EPERM"},   NamedError{ENOENT, "-ENOENT"}, NamedError{EINTR, "-EINTR"},   NamedError{EAGAIN, "-EAGAIN"},
    NamedError{ENOMEM, "-ENOMEM"}, NamedError{EFAULT, "-EFAULT"}, NamedError{EBUSY, "-EBUSY"},   NamedError{EINVAL, "-EINVAL"},
    NamedError{ERANGE, "-ERANGE"}, NamedError{EDEADLK, "-EDEADLK"}, NamedError{EBADF, "-EBADF"},
};

}  // namespace

std::optional<std::string_view> errno_name(int64_t result) {
  if (result == 0) return "0";
  for (const NamedError& error : errors) {
    if (result == -int64_t{error.number}) return error.name;
  }
  return std::nullopt;
}

}  // namespace hmmscope
