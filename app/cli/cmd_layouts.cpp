#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/layout_text.h"
#include "engine/encoding/geometry.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::ordered_json;

/// `hmmscope layouts [list|show ID|check ID --machine M]`.
class LayoutsCommand : public Command {
 public:
  std::string_view name() const override { return "layouts"; }
  std::string_view summary() const override {
    return "List bit layouts, show one, check one against a machine";
  }

  void declare(Arguments& arguments) override {
    list_ = arguments.subcommand("list", "Every layout (the default)");
    list_.option("--family", family_, "Only this family").type_name("NAME");
    show_ = arguments.subcommand("show", "The fields of one layout");
    show_.option("ID", id_, "Layout id").required();
    check_ =
        arguments.subcommand("check", "Which mapping orders of a machine the layout misreads; exit 1 if any");
    check_.option("ID", id_, "Layout id").required();
    check_.option("--machine", machine_, "Machine id (default: every machine)").type_name("M");
  }

  int run(const Output& output) override {
    if (show_.parsed()) return show(output);
    if (check_.parsed()) return check(output);
    return list(output);
  }

 private:
  int list(const Output& output) const {
    std::vector<const Layout*> chosen;
    if (family_.empty()) {
      for (const Layout& l : layouts()) chosen.push_back(&l);
    } else {
      const auto family = parse_family(family_);
      if (!family) return output.bad_input(family.error());
      for (const Layout& l : layouts())
        if (l.family == *family) chosen.push_back(&l);
    }
    if (output.json) {
      Json all = Json::array();
      for (const Layout* l : chosen) all.push_back(layout_json(*l));
      output.print(Json{{"layouts", std::move(all)}}.dump(2) + "\n");
      return exit_ok;
    }
    std::string text;
    for (const Layout* l : chosen)
      fmt::format_to(std::back_inserter(text), "{:<24} {:<13} {:<8} {}\n", l->id, family_name(l->family),
                     status_name(l->status), l->title);
    output.print(text);
    return exit_ok;
  }

  int show(const Output& output) const {
    const auto found = layout_or_error(id_);
    if (!found) return output.bad_input(found.error());
    output.print(output.json ? show_json(**found) : show_text(**found));
    return exit_ok;
  }

  static std::string show_text(const Layout& l) {
    std::string text;
    auto out = std::back_inserter(text);
    fmt::format_to(out, "{}: {}\n", l.id, l.title);
    fmt::format_to(out, "  {} bits, {}, {} ({})\n", l.word_bits, family_name(l.family), l.versions,
                   status_name(l.status));
    for (const Field& f : l.fields)
      fmt::format_to(out, "  {:>6}  {:>8}  {:<20} {}{}\n", bit_range(f), bit_range_from_top(l, f), f.name,
                     f.meaning, f.sticky ? " [sticky]" : "");
    for (const SpecialWord& s : l.specials)
      fmt::format_to(out, "  value {:#018x}  {:<12} {}\n", s.word, s.name, s.meaning);
    fmt::format_to(out, "  flags {}  sticky {}\n", hex_word(l.flags_mask(), l.word_bits),
                   hex_word(l.sticky_mask(), l.word_bits));
    for (const std::string& line : overlap_lines(l)) fmt::format_to(out, "  overlap: {}\n", line);
    fmt::format_to(out, "  source: {}\n", l.source);
    if (*l.note != '\0') fmt::format_to(out, "  {}\n", l.note);
    return text;
  }

  static std::string show_json(const Layout& l) {
    Json j = layout_json(l);
    j["flags_mask"] = hex_word(l.flags_mask(), l.word_bits);
    j["sticky_mask"] = hex_word(l.sticky_mask(), l.word_bits);
    j["fields"] = Json::array();
    for (const Field& f : l.fields) j["fields"].push_back(field_json(l, f));
    j["values"] = Json::array();
    for (const SpecialWord& s : l.specials)
      j["values"].push_back(
          {{"name", s.name}, {"symbol", s.symbol}, {"word", hex_word(s.word, 64)}, {"meaning", s.meaning}});
    j["overlaps"] = overlaps_json(l);
    return j.dump(2) + "\n";
  }

  int check(const Output& output) const {
    const auto found = layout_or_error(id_);
    if (!found) return output.bad_input(found.error());
    std::vector<LayoutCheck> checks;
    if (machine_.empty()) {
      for (const Geometry& g : geometries()) checks.push_back(check_layout(**found, g));
      // A layout of one machine says nothing about the others.
      std::erase_if(checks, [](const LayoutCheck& c) { return !c.applies; });
    } else {
      const auto machine = geometry_or_error(machine_);
      if (!machine) return output.bad_input(machine.error());
      checks.push_back(check_layout(**found, **machine));
      if (!checks.back().applies)
        return output.bad_input(
            {fmt::format("{} words do not exist on {}", (*found)->id, machine_), {}, 0, 0, false});
    }
    bool ok = true;
    for (const LayoutCheck& c : checks) ok = ok && c.ok();
    output.print(output.json ? check_json(**found, checks, ok) : check_text(checks));
    return ok ? exit_ok : exit_check_failed;
  }

  static std::string orders_of(const Geometry& g) {
    std::string text;
    for (const MappingOrder& m : g.orders)
      if (m.from_hmm) text += fmt::format("{}{}", text.empty() ? "" : ", ", m.order);
    return text;
  }

  static std::string check_text(const std::vector<LayoutCheck>& checks) {
    std::string text;
    auto out = std::back_inserter(text);
    for (const LayoutCheck& c : checks) {
      fmt::format_to(
          out, "{} on {} (orders {}): {}\n", c.layout->id, c.geometry->id, orders_of(*c.geometry),
          c.ok() ? "sound"
                 : fmt::format("{} collision{}", c.collisions.size(), c.collisions.size() == 1 ? "" : "s"));
      for (const Collision& collision : c.collisions)
        fmt::format_to(out, "  {:<14} {}  e.g. {}\n", collision_name(collision.kind), collision.text,
                       hex_word(collision.example, c.layout->word_bits));
    }
    return text;
  }

  static Json collision_json(const LayoutCheck& c, const Collision& collision) {
    Json j = {{"kind", std::string(collision_name(collision.kind))}};
    if (collision.flag != nullptr) j["flag"] = collision.flag->name;
    if (collision.kind != CollisionKind::pfn_overflow && collision.kind != CollisionKind::wrong_pfn) j["order"] = collision.order;
    j["read_order"] = collision.read_order;
    if (collision.mapping != nullptr) j["mapping"] = collision.mapping->name;
    j["example"] = hex_word(collision.example, c.layout->word_bits);
    j["text"] = collision.text;
    return j;
  }

  static std::string check_json(const Layout& asked, const std::vector<LayoutCheck>& checks, bool ok) {
    Json machines = Json::array();
    for (const LayoutCheck& c : checks) {
      Json orders = Json::array();
      for (const MappingOrder& m : c.geometry->orders)
        if (m.from_hmm) orders.push_back({{"order", m.order}, {"mapping", m.name}});
      Json collisions = Json::array();
      for (const Collision& collision : c.collisions) collisions.push_back(collision_json(c, collision));
      machines.push_back({{"machine", c.geometry->id},
                          {"layout", c.layout->id},
                          {"ok", c.ok()},
                          {"orders", std::move(orders)},
                          {"collisions", std::move(collisions)}});
    }
    return Json{{"layout", asked.id}, {"ok", ok}, {"machines", std::move(machines)}}.dump(2) + "\n";
  }

  Arguments list_, show_, check_;
  std::string id_, machine_, family_;
};

}  // namespace

std::unique_ptr<Command> make_layouts_command() { return std::make_unique<LayoutsCommand>(); }

}  // namespace hmmscope::app
