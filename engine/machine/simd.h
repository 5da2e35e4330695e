#pragma once
/// The same loop compiled for the baseline and for AVX2, chosen at run time. (target_clones would say this in one
/// word, but its resolvers run before the sanitizers' start-up code.)

#if defined(__x86_64__) && defined(__GNUC__)
#define HMMSCOPE_HAS_AVX2_CLONES 1
#define HMMSCOPE_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define HMMSCOPE_HAS_AVX2_CLONES 0
#define HMMSCOPE_TARGET_AVX2
#endif
#define HMMSCOPE_INLINE_BODY inline __attribute__((always_inline))

namespace hmmscope {

inline bool cpu_has_avx2() {
#if HMMSCOPE_HAS_AVX2_CLONES
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
#else
  return false;
#endif
}

}  // namespace hmmscope
