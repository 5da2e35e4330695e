#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "ui/canvas/canvas.h"

namespace hmmscope::ui {

Result<void> save_png(const Image& image, const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  if (file == nullptr)
    return fail(Error{std::string("cannot write the picture: ") + std::strerror(errno), path});
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGBA;
  if (png_image_write_to_stdio(&header, file.get(), 0, image.pixels.data(), 0, nullptr) == 0) {
    return fail(Error{std::string("cannot write the picture: ") + header.message, path});
  }
  if (std::fflush(file.get()) != 0)
    return fail(Error{std::string("cannot write the picture: ") + std::strerror(errno), path});
  return {};
}

}  // namespace hmmscope::ui
