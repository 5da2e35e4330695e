#pragma once
/// Thrown where a machine or a recording would outgrow what a run may use. It passes through the engine's functions, which
/// have no error to return there, up to the operation that asked for too much (engine/scenario/run.cpp).

#include <stdexcept>

namespace hmmscope {

class TooLarge : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace hmmscope
