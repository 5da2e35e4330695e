#include <png.h>

#include <span>
#include <string>
#include <vector>

#include "engine/base/output_file.h"
#include "ui/canvas/canvas.h"

namespace hmmscope::ui {

Result<void> save_png(const Image& image, const std::string& path) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGBA;
  const auto encode = [&](std::vector<uint8_t>& bytes, png_alloc_size_t& size) {
    return png_image_write_to_memory(&header, bytes.empty() ? nullptr : bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) != 0;
  };
  std::vector<uint8_t> bytes;
  png_alloc_size_t size = 0;
  if (encode(bytes, size)) {   // how many bytes it takes
    bytes.resize(size);
    if (encode(bytes, size)) return write_output_file(path, std::span(bytes).first(size));
  }
  return fail(Error{std::string("cannot write the picture: ") + header.message, path});
}

}  // namespace hmmscope::ui
