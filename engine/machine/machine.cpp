#include "engine/machine/machine.h"

#include <utility>

#include "engine/machine/page_data.h"
#include "engine/machine/word_runs.h"

namespace hmmscope {

Result<std::unique_ptr<Machine>> Machine::create(KernelModel model) {
  if (model.hmm_pfn == nullptr) return fail("kernel model \"" + model.id + "\" names no hmm_pfn layout");
  if (model.config.levels != 4 && model.config.levels != 5) {
    return fail("page tables have 4 or 5 levels, not " + std::to_string(model.config.levels));
  }
  if (model.config.page_shift != page_bits) {
    return fail("the engine walks x86-64 tables of 4K pages, not pages of 2^" +
                std::to_string(model.config.page_shift) + " bytes");
  }
  const PfnFormat format = PfnFormat::from(model);
  if (format.valid == 0 || format.write == 0 || format.error == 0) {
    return fail("layout " + std::string(model.hmm_pfn->id) + " lacks VALID, WRITE or ERROR and cannot be walked with");
  }
  return std::unique_ptr<Machine>(new Machine(std::move(model)));
}

Machine::Machine(KernelModel model)
    : model_(std::move(model)), pfn_(PfnFormat::from(model_)), entry_(model_), physical_(*this) {}

Machine::~Machine() = default;

void Machine::keep_page_data() {
  if (page_data_ == nullptr) page_data_ = std::make_unique<PageData>(*this);
}

void Machine::fill_keeping(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep) {
  memory_.log_run(first, count);
  if (recorder_ != nullptr) recorder_->fill_keeping(first, count, base, stride, keep);
  else fill_run(memory_.data() + first, count, base, stride, keep);
}

WordIndex Machine::add_region(Region region) {
  return memory_.region(memory_.add_region(std::move(region))).first;
}

AddressSpace& Machine::add_address_space(std::string name) {
  const auto id = static_cast<uint32_t>(spaces_.size());
  spaces_.push_back(std::make_unique<AddressSpace>(*this, id, std::move(name)));
  return *spaces_.back();
}

WordIndex Machine::add_hmm_pfns(const AddressSpace& space, uint64_t start, uint32_t pages, std::string name) {
  Region region;
  region.kind = RegionKind::hmm_pfns;
  region.owner = space.id();
  region.count = pages;
  region.address = start;
  region.stride = page_bytes;
  region.name = std::move(name);
  return add_region(std::move(region));
}

}  // namespace hmmscope
