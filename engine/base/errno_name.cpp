#include "engine/base/errno_name.h"

#include <array>
#include <cerrno>

namespace hmmscope {

namespace {

struct Named {
  int number;
  std::string_view name;
};
constexpr std::array errors{
    Named{EPERM, "-EPERM"},   Named{ENOENT, "-ENOENT"}, Named{EINTR, "-EINTR"},   Named{EAGAIN, "-EAGAIN"},
    Named{ENOMEM, "-ENOMEM"}, Named{EFAULT, "-EFAULT"}, Named{EBUSY, "-EBUSY"},   Named{EINVAL, "-EINVAL"},
    Named{ERANGE, "-ERANGE"}, Named{EDEADLK, "-EDEADLK"},
};

}  // namespace

std::optional<std::string_view> errno_name(int64_t result) {
  if (result == 0) return "0";
  for (const Named& error : errors) {
    if (result == -int64_t{error.number}) return error.name;
  }
  return std::nullopt;
}

}  // namespace hmmscope
