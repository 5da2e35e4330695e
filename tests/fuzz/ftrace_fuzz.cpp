// Any bytes, read as text, plain and packed.
#include "tests/fuzz/read_all_fields.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hmmscope::traces::read_all_fields(data, size);
  return 0;
}
