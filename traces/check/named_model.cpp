#include "traces/check/named_model.h"

#include <fmt/format.h>

#include "engine/model/kernel_release.h"

namespace hmmscope::traces {

Result<void> apply_config(const std::string& config_text, const std::string& release_text, KernelModel& model) {
  const auto release = parse_release(release_text);
  if (!release || config_text.empty()) return {};
  const auto config = parse_config(config_text, *release);
  if (!config) return tl::unexpected(config.error());
  model.config = *config;
  model.types = swap_types(release->version, *config);
  return {};
}

Result<KernelModel> model_of(const TraceInfo& info, const std::string& kernel) {
  Result<KernelModel> model = fail("");
  if (!kernel.empty()) {
    model = kernel_model(kernel);
    if (model) {
      if (auto done = apply_config(info.config, kernel, *model); !done) return tl::unexpected(done.error());
    }
  } else {
    model = detect_model(info.kernel, info.patch, info.config);
  }
  if (!model) return model;
  if (model->has_driver_format()) {
    return fail(Error{"kernel " + model->id + " is older than 5.8: traces of its calls cannot be replayed", info.name, 0, 0, false});
  }
  if (info.page_shift != 0) model->config.page_shift = static_cast<uint8_t>(info.page_shift);
  if (info.page_table_levels != 0) model->config.levels = static_cast<uint8_t>(info.page_table_levels);
  return model;
}

std::string model_note(const KernelModel& model) {
  const KernelModel* newest = nullptr;
  for (const KernelModel& known : kernel_models())
    if (newest == nullptr || known.version > newest->version) newest = &known;
  if (newest == nullptr || model.version <= newest->version) return {};
  return fmt::format("kernel {} is newer than the newest model, {}: the layouts and rules of {} are used", model.id,
                     newest->id, newest->id);
}

}  // namespace hmmscope::traces
