#pragma once
/// Small hash tables that give event names and tasks their indices while a trace is scanned. Open addressing, no
/// allocation a look-up.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "traces/reader/text_line.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

/// Event names as printed -> kinds with canonical names.
class KindTable {
 public:
  static constexpr uint32_t limit = 0xfffe;

  KindTable() : slots_(256, empty) {}

  /// no_kind when there are more than `limit` different names.
  KindId find_or_add(const EventName& name) {
    const uint32_t prefix = name.add_enter ? 1 : name.add_exit ? 2 : 0;
    const uint64_t hash = hash_of(name.name, prefix);
    for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      const uint32_t index = slots_[slot];
      if (index == empty) return add(name, prefix, hash);
      const Row& row = rows_[index];
      if (row.hash == hash && row.prefix == prefix && row.printed == name.name) return row.kind;
    }
  }
  /// For names that another table has made canonical.
  KindId find_or_add_canonical(std::string name) {
    const auto found = by_name_.find(name);
    if (found != by_name_.end()) return found->second;
    if (kinds_.size() >= limit) return no_kind;
    const auto kind = static_cast<KindId>(kinds_.size());
    kinds_.push_back(name);
    by_name_.emplace(std::move(name), kind);
    return kind;
  }
  const std::vector<std::string>& kinds() const { return kinds_; }
  std::vector<std::string> take() { return std::move(kinds_); }

 private:
  static constexpr uint32_t empty = ~uint32_t{0};
  struct Row {
    uint64_t hash;
    uint32_t prefix;
    KindId kind;
    std::string printed;
  };

  static uint64_t hash_of(std::string_view name, uint32_t prefix) {
    uint64_t first = 0, last = 0;
    const size_t n = name.size() < 8 ? name.size() : 8;
    std::memcpy(&first, name.data(), n);
    std::memcpy(&last, name.data() + name.size() - n, n);
    uint64_t h = (first ^ (last * 0x9e3779b97f4a7c15ull)) + name.size() * 8 + prefix;
    h *= 0xff51afd7ed558ccdull;
    return h ^ (h >> 32);
  }

  KindId add(const EventName& name, uint32_t prefix, uint64_t hash) {
    std::string canonical = (prefix == 1 ? "sys_enter_" : prefix == 2 ? "sys_exit_" : "") + std::string(name.name);
    if (rows_.size() >= limit && !by_name_.contains(canonical)) return no_kind;
    const KindId kind = find_or_add_canonical(std::move(canonical));
    if (kind == no_kind) return no_kind;
    rows_.push_back({hash, prefix, kind, std::string(name.name)});
    if (rows_.size() * 2 > slots_.size()) grow();
    else place(static_cast<uint32_t>(rows_.size() - 1));
    return rows_.back().kind;
  }
  void place(uint32_t index) {
    size_t slot = rows_[index].hash & (slots_.size() - 1);
    while (slots_[slot] != empty) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = index;
  }
  void grow() {
    slots_.assign(slots_.size() * 2, empty);
    for (uint32_t i = 0; i < rows_.size(); ++i) place(i);
  }

  std::vector<uint32_t> slots_;
  std::vector<Row> rows_;
  std::vector<std::string> kinds_;
  std::unordered_map<std::string, KindId> by_name_;   ///< of kinds_
};

/// Pids -> tasks. One task a pid: the kernel resolves names late, so the last real name printed is the best one.
class TaskTable {
 public:
  TaskTable() : slots_(256, empty) {}

  uint32_t find_or_add(int32_t pid, int32_t tgid, std::string_view name) {
    for (size_t slot = slot_of(pid);; slot = (slot + 1) & (slots_.size() - 1)) {
      const uint32_t index = slots_[slot];
      if (index == empty) return add(pid, tgid, name);
      TraceTask& task = tasks_[index];
      if (task.pid != pid) continue;
      if (task.name != name && name != "<...>") {
        task.name = name;
        ++changes_;
      }
      if (tgid != 0 && task.tgid != tgid) {
        task.tgid = tgid;
        ++changes_;
      }
      return index;
    }
  }
  /// Grows when a task that is known already gets another name or thread group.
  uint32_t changes() const { return changes_; }
  const std::vector<TraceTask>& tasks() const { return tasks_; }
  std::vector<TraceTask> take() { return std::move(tasks_); }

 private:
  static constexpr uint32_t empty = ~uint32_t{0};

  size_t slot_of(int32_t pid) const {
    const uint64_t h = static_cast<uint32_t>(pid) * 0x9e3779b97f4a7c15ull;
    return static_cast<size_t>(h >> 40) & (slots_.size() - 1);
  }
  uint32_t add(int32_t pid, int32_t tgid, std::string_view name) {
    tasks_.push_back({pid, tgid, std::string(name)});
    if (tasks_.size() * 2 > slots_.size()) {
      slots_.assign(slots_.size() * 2, empty);
      for (uint32_t i = 0; i < tasks_.size(); ++i) place(i);
    } else {
      place(static_cast<uint32_t>(tasks_.size() - 1));
    }
    return static_cast<uint32_t>(tasks_.size() - 1);
  }
  void place(uint32_t index) {
    size_t slot = slot_of(tasks_[index].pid);
    while (slots_[slot] != empty) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = index;
  }

  std::vector<uint32_t> slots_;
  std::vector<TraceTask> tasks_;
  uint32_t changes_ = 0;
};

}  // namespace hmmscope::traces
