// Fibers: who runs next is what was said, stacks and exceptions are kept apart, and stacks are used again.
#include "engine/base/fiber.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hmmscope {
namespace {

TEST(FiberTest, TheOrderIsWhoSwitchedToWhom) {
  std::string order;
  Fiber outside;
  std::unique_ptr<Fiber> a, b;
  a = std::make_unique<Fiber>([&]() -> Fiber& {
    order += "a1 ";
    a->switch_to(*b);
    order += "a2 ";
    a->switch_to(outside);
    order += "a3 ";
    return *b;
  });
  b = std::make_unique<Fiber>([&]() -> Fiber& {
    order += "b1 ";
    b->switch_to(*a);
    order += "b2 ";
    return outside;
  });
  outside.switch_to(*a);
  order += "out ";
  EXPECT_FALSE(a->over());
  outside.switch_to(*a);
  EXPECT_EQ(order, "a1 b1 a2 out a3 b2 ");
  EXPECT_TRUE(a->over());
  EXPECT_TRUE(b->over());
}

/// Each fiber handles an exception of its own while the other one does.
TEST(FiberTest, ExceptionsStayWhereTheyAreHandled) {
  Fiber outside;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<std::string> caught;
  const auto handle = [&](size_t self, size_t other) -> Fiber& {
    try {
      throw std::runtime_error("of " + std::to_string(self));
    } catch (const std::runtime_error&) {
      fibers[self]->switch_to(self == 0 ? *fibers[other] : outside);
      try {
        throw;
      } catch (const std::runtime_error& again) {
        caught.push_back(again.what());
      }
    }
    return self == 0 ? *fibers[other] : outside;
  };
  fibers.push_back(std::make_unique<Fiber>([&]() -> Fiber& { return handle(0, 1); }));
  fibers.push_back(std::make_unique<Fiber>([&]() -> Fiber& { return handle(1, 0); }));
  outside.switch_to(*fibers[0]);   // 0 handles, then 1 does
  outside.switch_to(*fibers[0]);
  EXPECT_EQ(caught, (std::vector<std::string>{"of 0", "of 1"}));
  EXPECT_EQ(std::current_exception(), nullptr);
}

/// Deep frames, on more fibers than stacks are kept for.
TEST(FiberTest, StacksAreUsedAgain) {
  Fiber outside;
  const auto deep = [](auto& self, int depth) -> uint64_t {
    volatile uint64_t here[16] = {};
    here[depth % 16] = static_cast<uint64_t>(depth);
    return here[depth % 16] + (depth == 0 ? 0 : self(self, depth - 1));
  };
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<uint64_t> sums(40);
    for (size_t k = 0; k < sums.size(); ++k) {
      fibers.push_back(std::make_unique<Fiber>([&, k]() -> Fiber& {
        sums[k] = deep(deep, 500);
        fibers[k]->switch_to(outside);
        sums[k] += deep(deep, 100);
        return outside;
      }));
    }
    for (int turn = 0; turn < 2; ++turn)
      for (const auto& fiber : fibers) outside.switch_to(*fiber);
    for (const uint64_t sum : sums) EXPECT_EQ(sum, 500u * 501 / 2 + 100u * 101 / 2);
  }
}

}  // namespace
}  // namespace hmmscope
