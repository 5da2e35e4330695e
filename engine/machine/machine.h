#pragma once
/// The machine an engine run happens on: words, the kernel model, physical memory, devices' memory, swap and address
/// spaces. Every change of state goes through store() and its kin, which write into the open step of the recorder
/// when there is one and straight into memory otherwise; the words come out the same either way.
///
/// Ownership: owns the Memory and everything made from it; refers to the Recorder and the FaultHandler, which the
/// caller owns and which must outlive their use. Not movable once address spaces exist (they refer to it): keep it in
/// a unique_ptr. Threads: one at a time.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/machine/address_space.h"
#include "engine/machine/entry_format.h"
#include "engine/machine/pfn_format.h"
#include "engine/machine/physical_memory.h"
#include "engine/machine/spin_lock.h"
#include "engine/machine/words.h"
#include "engine/model/kernel_model.h"
#include "engine/recording/memory.h"
#include "engine/recording/recorder.h"

namespace hmmscope {

class FaultHandler;  // engine/fault/handle_mm_fault.h
class PageData;      // engine/machine/page_data.h

/// Told of everything a recording machine is about to do: schedulers, injected failures and checks of the whole state
/// hang here. Called before the step is opened or the call entered, when the writes of the step before are complete.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual void before_step(RuleId rule, std::initializer_list<uint64_t> operands) = 0;
  virtual void before_enter(Function function) = 0;
  /// A spinlock is to be taken (here the running task may have to wait), or has been let go.
  virtual void spin_lock(const SpinLock&) {}
  virtual void spin_unlock(const SpinLock&) noexcept {}
  /// What follows up to atomic_end is one operation of the kernel. `may_wait`: others may come in before it.
  virtual void atomic_begin(bool /*may_wait*/) {}
  virtual void atomic_end() noexcept {}
};

class Machine {
 public:
  /// Error when the model has no hmm_pfn layout or asks for page tables other than x86-64's 4 or 5 levels of 4K pages.
  static Result<std::unique_ptr<Machine>> create(KernelModel model);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  const KernelModel& model() const { return model_; }
  const PfnFormat& pfn_format() const { return pfn_; }
  const EntryFormat& entry_format() const { return entry_; }

  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }

  /// nullptr = not recording. Make the Recorder from memory() first; switch only between calls.
  void set_recorder(Recorder* recorder) { recorder_ = recorder; }
  Recorder* recorder() const { return recorder_; }
  /// Index of the recorder's task that following calls belong to (0 when there is one).
  void set_task(uint32_t task) { task_ = task; }

  // reading and writing words
  uint64_t load(WordIndex word) const { return memory_.load(word); }
  void store(WordIndex word, uint64_t value) {
    if (recorder_ != nullptr) recorder_->write(word, value);
    else memory_.store(word, value);
  }
  /// value(k) = (old & keep) | (base + k * stride) for k in [0, count): one write whatever the count.
  void fill_keeping(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep);

  // recording; nothing happens without a recorder
  void enter(Function function, std::initializer_list<uint64_t> arguments = {}) {
    if (recorder_ == nullptr) return;
    if (observer_ != nullptr) [[unlikely]] observer_->before_enter(function);
    recorder_->enter(function, arguments, task_);
  }
  void leave(int64_t result) {
    if (recorder_ != nullptr) recorder_->leave(result);
  }
  void leave() {
    if (recorder_ != nullptr) recorder_->leave();
  }
  void step(RuleId rule, std::initializer_list<uint64_t> operands = {}) {
    if (recorder_ == nullptr) return;
    if (observer_ != nullptr) [[unlikely]] observer_->before_step(rule, operands);
    recorder_->step(rule, operands);
  }
  // engine/machine/spin_guard.h has the guards that call these
  void spin_lock(const SpinLock& lock) {
    if (observer_ != nullptr) [[unlikely]] observer_->spin_lock(lock);
  }
  void spin_unlock(const SpinLock& lock) {
    if (observer_ != nullptr) [[unlikely]] observer_->spin_unlock(lock);
  }
  void atomic_begin(bool may_wait) {
    if (observer_ != nullptr) [[unlikely]] observer_->atomic_begin(may_wait);
  }
  void atomic_end() {
    if (observer_ != nullptr) [[unlikely]] observer_->atomic_end();
  }
  /// nullptr: nobody watches. Only a recording machine tells its observer.
  void set_observer(StepObserver* observer) { observer_ = observer; }
  bool observed() const { return observer_ != nullptr; }

  // regions, address spaces and arrays
  /// Memory::add_region, but returns the first word.
  WordIndex add_region(Region region);
  /// When recording, a step must be open (the new space's counters are written).
  AddressSpace& add_address_space(std::string name);
  const std::vector<std::unique_ptr<AddressSpace>>& address_spaces() const { return spaces_; }
  /// An hmm_pfns array for `pages` pages from virtual address `start`; returns its first word. Slots are zero.
  WordIndex add_hmm_pfns(const AddressSpace& space, uint64_t start, uint32_t pages, std::string name = "hmm_pfns");

  /// From now on pages have content. Before this page_data() is nullptr and content costs nothing.
  void keep_page_data();
  PageData* page_data() { return page_data_.get(); }
  const PageData* page_data() const { return page_data_.get(); }

  PhysicalMemory& physical() { return physical_; }
  const PhysicalMemory& physical() const { return physical_; }

  /// Who handles CPU faults; nullptr until set. The walk asks its hooks first, then this.
  void set_fault_handler(FaultHandler* handler) { fault_handler_ = handler; }
  FaultHandler* fault_handler() const { return fault_handler_; }

 private:
  explicit Machine(KernelModel model);

  KernelModel model_;
  PfnFormat pfn_;
  EntryFormat entry_;
  Memory memory_;
  Recorder* recorder_ = nullptr;
  StepObserver* observer_ = nullptr;
  uint32_t task_ = 0;
  PhysicalMemory physical_;
  std::vector<std::unique_ptr<AddressSpace>> spaces_;
  FaultHandler* fault_handler_ = nullptr;
  std::unique_ptr<PageData> page_data_;
};

}  // namespace hmmscope
