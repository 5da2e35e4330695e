#include "engine/scenario/parse_device.h"

namespace hmmscope::scenario {
namespace {

IoctlOp ioctl(const json& object) {
  IoctlOp op;
  op.device = text(object, "device");
  op.command = text(object, "command");
  op.process = text(object, "process");
  if (object.contains("at")) op.at = address(object.at("at"));
  op.pages = object.value("pages", uint64_t{1});
  if (object.contains("expect")) op.expect = text(object, "expect");
  op.may_fail = object.value("may_fail", false);
  op.cpages = maybe<uint64_t>(object, "cpages");
  op.faults = maybe<uint64_t>(object, "faults");
  op.data = page_content(object);
  op.uffd = page_content(object, "uffd_data");
  for (const json& byte : object.value("bytes", json::array())) op.bytes.push_back(byte.get<std::string>());
  return op;
}

}  // namespace

std::optional<PageContent> page_content(const json& object, const char* key) {
  if (!object.contains(key)) return std::nullopt;
  const json& step = object.value("data_step", json(0));
  return PageContent{number(object.at(key)), number(step)};
}

std::optional<OpBody> device_operation(const std::string& name, const json& object) {
  if (name == "ioctl") return ioctl(object);
  if (name == "write-file" || name == "expect-file") {
    return FileDataOp{text(object, "vma"), object.value("page", uint64_t{0}), object.value("pages", uint64_t{1}),
                      *page_content(object), name == "write-file"};
  }
  if (name == "mremap") {
    return MremapOp{address(object.at("at")), object.value("pages", uint64_t{1}), address(object.at("to")),
                    object.value("dontunmap", false), text(object, "process")};
  }
  if (name == "madvise-free") {
    return MadviseFreeOp{address(object.at("at")), object.value("pages", uint64_t{1}), text(object, "process")};
  }
  return std::nullopt;
}

}  // namespace hmmscope::scenario
