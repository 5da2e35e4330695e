// trace.dat files. What libtracecmd and libtraceevent would stumble over must be refused before they see it: they
// are not instrumented here, but what they read of ours and what they crash on is seen.
#include "tests/fuzz/read_all_fields.h"

/// The libraries ask for sizes that a damaged file names, and take no for an answer.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

/// What the libraries forget of event formats that end early, and handles that cannot be closed (trace_dat_input.cpp; one
/// that was forgotten leaves its file open, which the tests of damaged files notice).
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:__isoc99_vsscanf\n"
         "leak:libtraceevent.so.1\n"
         "leak:tracecmd_alloc_fd\n"
         "leak:tracecmd_init_data\n"
         "leak:tracecmd_read_headers\n";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hmmscope::traces::read_all_fields(data, size);
  return 0;
}
