#include "engine/scenario/world.h"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "engine/base/too_large.h"
#include "engine/model/kernel_model.h"
#include "engine/model/kernel_release.h"

namespace hmmscope::scenario {

namespace {

/// Owners are tokens that only need to differ; a kernel would use an address.
constexpr uint64_t owner_token(uint32_t id) { return 0xffffffffa0000000ull + (uint64_t{id} + 1) * 0x100; }

/// What a machine may use, about 1 GiB.
constexpr WordIndex most_words = 1u << 26;
constexpr RegionId most_regions = 1u << 21;

}  // namespace

Result<std::unique_ptr<World>> World::build(const Scenario& scenario, std::string_view kernel) {
  Result<KernelModel> model = kernel_model(kernel.empty() ? std::string_view(scenario.kernel) : kernel);
  if (!model) return fail(model.error());
  if (!scenario.config.empty()) {
    const auto config = parse_config(scenario.config, Release{model->version, {}});
    if (!config) return fail(Error{config.error().message, scenario.file, 0, 0, false});
    model->config = *config;
    model->types = swap_types(model->version, *config);
  }
  model->config.levels = scenario.levels;
  std::unique_ptr<World> world(new World());
  world->scenario_ = &scenario;
  auto machine = Machine::create(std::move(*model));
  if (!machine) return fail(machine.error());
  world->machine_ = std::move(*machine);
  world->machine_->memory().limit(most_words, most_regions);
  world->faults_ = std::make_unique<CpuFault>(CpuFaultOptions{.hugetlb_2m_pages = scenario.hugetlb_2m_pages,
                                                                  .hugetlb_1g_pages = scenario.hugetlb_1g_pages,
                                                                  .keeps_swap_cache = scenario.keeps_swap_cache});
  if (scenario.page_data) world->machine_->keep_page_data();
  // Interleavings are compared by the states they reach: what is allocated next must follow from what is in use.
  if (scenario.has_tasks()) world->machine_->physical().reuse_freed_pages();
  world->machine_->set_fault_handler(world->faults_.get());
  world->space_ = &world->machine_->add_address_space("process");
  if (scenario.zero_pfn) world->machine_->physical().set_zero_pfn(*scenario.zero_pfn);

  uint32_t file = 0;
  for (const VmaDecl& decl : scenario.vmas) {
    hmmscope::VmaSpec spec;
    spec.start = decl.start;
    spec.end = decl.start + decl.bytes;
    spec.flags = decl.flags;
    spec.kind = decl.kind;
    spec.page_shift = decl.page_shift;
    spec.name = decl.name;
    const bool backed = decl.kind == VmaKind::file_private || decl.kind == VmaKind::file_shared || decl.kind == VmaKind::shmem;
    if (backed) spec.file = ++file;
    // As the kernel numbers anonymous memory: no two places of a process share a page offset.
    if (decl.kind == VmaKind::anonymous) spec.pgoff = spec.start / page_bytes;
    const bool shadow_stacks = world->machine_->model().shadow_stacks() && decl.kind == VmaKind::anonymous;
    if (!shadow_stacks) spec.flags &= ~vm::shadow_stack;
    if (decl.shadow_stack && !shadow_stacks) {
      return fail(world->error(decl.line, "a shadow stack is anonymous memory of a kernel from 6.6 on, with \"config\" "
                                          "X86_USER_SHADOW_STACK=y"));
    }
    if (spec.end < spec.start) return fail(world->error(decl.line, "the VMA wraps around the end of the address space"));
    if (auto added = world->space_->add_vma(spec); !added) return fail(world->error(decl.line, added.error().message));
    if (decl.file_pages) world->faults_->page_cache().set_size(file, *decl.file_pages);
  }
  uint32_t id = 0;
  uint64_t device_pfn = 0xfd00000;   // high, as memremap_pages places it, well above system memory
  for (const DeviceDecl& decl : scenario.devices) {
    if (!decl.pfn) device_pfn -= decl.pages;
    const uint64_t first_pfn = decl.pfn.value_or(device_pfn);
    const uint64_t limit = world->machine_->entry_format().swap.pfn_mask();
    if (decl.pages > limit || first_pfn > limit - decl.pages) return fail(world->error(decl.line, "the device's pfns are beyond physical memory"));
    auto device = std::make_unique<Device>(*world->machine_, *world->space_, decl.name, owner_token(id), id);
    world->machine_->physical().add_device({first_pfn, decl.pages, owner_token(id), decl.coherent, decl.name, device.get(), decl.p2pdma});
    world->devices_[decl.name] = std::move(device);
    ++id;
  }
  for (const PageDecl& page : scenario.pages) try {
    if (auto ok = world->set_pages(page); !ok) return fail(ok.error());
  } catch (const TooLarge& reason) {
    return fail(world->error(page.line, std::string(reason.what()) + "; ask for fewer pages"));
  }
  return world;
}

Device* World::device(const std::string& name) {
  const auto found = devices_.find(name);
  return found == devices_.end() ? nullptr : found->second.get();
}

OpenFile& World::file(const std::string& name, const std::string& process_name) {
  const auto [place, fresh] = descriptors_.try_emplace({name, process_name}, nullptr);
  if (place->second != nullptr) return *place->second;
  Device& base = *device(name);
  auto file = std::make_unique<OpenFile>();
  const bool first = fresh && process_name.empty();   // opened with the device
  if (!first) {
    const auto id = static_cast<uint32_t>(devices_.size()) + ++opened_;
    file->own = std::make_unique<Device>(*machine_, process(process_name), name, base.owner(), id);
  }
  file->table = first ? &base : file->own.get();
  file->table->set_locks(locks_);
  file->ioctls = std::make_unique<Dmirror>(*machine_, *file->table, memory_of(base));
  place->second = file.get();
  files_.push_back(std::move(file));
  return *place->second;
}

void World::set_migrate_hooks(MigrateHooks* hooks) {
  migrate_hooks_ = hooks;
  faults_->set_migrate_hooks(hooks);
}

void World::set_locks(DriverLocks* locks) {
  locks_ = locks;
  for (const auto& [name, device] : devices_) device->set_locks(locks);
  for (const auto& file : files_) {
    if (file->own != nullptr) file->own->set_locks(locks);
  }
}

void World::close_file(const std::string& name, const std::string& process_name) {
  OpenFile& closing = file(name, process_name);
  descriptors_[{name, process_name}] = nullptr;
  closing.closed = true;
  release_if_unused(closing);
}

void World::release_if_unused(OpenFile& file) {
  if (!file.closed || file.users != 0) return;
  file.table->close();
  if (file.own != nullptr) closed_.push_back(std::move(file.own));
  std::erase_if(files_, [&file](const auto& one) { return one.get() == &file; });
}

bool World::file_closed(const std::string& name, const std::string& process_name) const {
  const auto found = descriptors_.find({name, process_name});
  return found != descriptors_.end() && found->second == nullptr;
}

Result<uint64_t> World::resolve(const Address& at, Line line) const {
  if (at.vma.empty()) {
    if (at.value % page_bytes != 0) return fail(error(line, "the address is not page aligned"));
    return at.value;
  }
  for (const VmaDecl& decl : scenario_->vmas) {
    if (decl.name == at.vma) return decl.start + at.value * page_bytes;
  }
  return fail(error(line, "no VMA is named '" + at.vma + "'"));
}

std::string World::running_migration() const {
  for (const auto& [name, migration] : migrations_) {
    if (migration.set_up) return name;
  }
  return {};
}

const DeviceMemory& World::memory_of(const Device& device) const {
  for (const DeviceMemory& memory : machine_->physical().devices()) {
    if (memory.owner == device.owner()) return memory;
  }
  assert(false && "every device has memory");
  return machine_->physical().devices().front();
}

Result<uint64_t> World::flags(const FlagText& text, Line line, const Layout& layout) const {
  std::string_view rest = text.text;
  if (rest == "~0") return ~0ull;
  if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    const bool hex = rest.starts_with("0x");
    uint64_t value = 0;
    const auto parsed = std::from_chars(rest.data() + (hex ? 2 : 0), rest.data() + rest.size(), value, hex ? 16 : 10);
    if (parsed.ec != std::errc() || parsed.ptr != rest.data() + rest.size()) {
      return fail(error(line, "'" + text.text + "' does not fit 64 bits"));
    }
    return value;
  }
  uint64_t value = 0;
  while (!rest.empty()) {
    const size_t bar = rest.find('|');
    std::string_view name = rest.substr(0, bar);
    rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
    if (name == "REQ_FAULT" || name == "HMM_PFN_REQ_FAULT") name = "VALID";
    if (name == "REQ_WRITE" || name == "HMM_PFN_REQ_WRITE") name = "WRITE";
    const Field* field = layout.field_named(name);
    if (field == nullptr) {
      return fail(error(line, "layout " + std::string(layout.id) + " of kernel " + machine_->model().id + " has no flag '" +
                                  std::string(name) + "'"));
    }
    value |= field->mask();
  }
  return value;
}

}  // namespace hmmscope::scenario
