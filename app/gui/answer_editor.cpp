#include "app/gui/answer_editor.h"

#include <QButtonGroup>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>
#include <utility>

#include "app/gui/bit_editor.h"
#include "app/gui/fonts.h"
#include "app/gui/text_format.h"
#include "lessons/number.h"

namespace hmmscope::app {
namespace {

/// A button whose text wraps.
class ChoiceRow : public QPushButton {
 public:
  ChoiceRow(const QString& text, QWidget* parent) : QPushButton(parent), label_(new QLabel(text, this)) {
    setCheckable(true);
    setProperty("look", "answer");
    setAccessibleName(text);
    label_->setWordWrap(true);
    label_->setAttribute(Qt::WA_TransparentForMouseEvents);
    auto* row = new QVBoxLayout(this);
    row->setContentsMargins(12, 7, 12, 7);
    row->addWidget(label_);
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
  }
  QSize sizeHint() const override { return layout()->sizeHint(); }
  QSize minimumSizeHint() const override { return {60, layout()->minimumSize().height()}; }
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override { return layout()->heightForWidth(width); }

 private:
  QLabel* label_;
};

class ChoiceEditor : public AnswerEditor {
 public:
  ChoiceEditor(const lessons::TaskView& view, QWidget* parent)
      : AnswerEditor(parent), group_(new QButtonGroup(this)) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(6);
    for (size_t i = 0; i < view.choices.size(); ++i) {
      ids_.push_back(view.task->choices[i].id);
      auto* button = new ChoiceRow(text_of(view.choices[i]), this);
      group_->addButton(button, static_cast<int>(i));
      column->addWidget(button);
    }
    connect(group_, &QButtonGroup::idClicked, this, &AnswerEditor::changed);
  }
  std::optional<lessons::Answer> answer() const override {
    if (group_->checkedId() < 0) return std::nullopt;
    lessons::Answer given;
    given.choice = ids_[static_cast<size_t>(group_->checkedId())];
    return given;
  }
  void set(const lessons::Answer& answer) override {
    for (size_t i = 0; i < ids_.size(); ++i) {
      if (ids_[i] == answer.choice) group_->button(static_cast<int>(i))->setChecked(true);
    }
  }

 private:
  QButtonGroup* group_;
  std::vector<std::string> ids_;
};

class NumberEditor : public AnswerEditor {
 public:
  NumberEditor(double zoom, QWidget* parent) : AnswerEditor(parent), field_(new QLineEdit(this)) {
    auto* row = new QVBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(field_);
    field_->setFont(mono_font(zoom));
    field_->setPlaceholderText(tr("a number: 18, 0x12 or 0b10010"));
    field_->setAccessibleName(tr("Your answer"));
    setFocusProxy(field_);
    connect(field_, &QLineEdit::textChanged, this, &AnswerEditor::changed);
    connect(field_, &QLineEdit::returnPressed, this, &AnswerEditor::submitted);
  }
  std::optional<lessons::Answer> answer() const override {
    const auto number = lessons::parse_number(field_->text().toStdString());
    if (!number) return std::nullopt;
    lessons::Answer given;
    given.number = *number;
    return given;
  }
  void set(const lessons::Answer& answer) override { field_->setText(QString::number(answer.number)); }

 private:
  QLineEdit* field_;
};

class WordEditor : public AnswerEditor {
 public:
  WordEditor(const lessons::TaskView& view, Session& session, double zoom, QWidget* parent)
      : AnswerEditor(parent), bits_(new BitEditor(this)), hex_(new QLineEdit(this)) {
    bits_->set_layout(view.layout, session.theme());
    bits_->set_word(view.word);
    hex_->setFont(mono_font(zoom));
    hex_->setAccessibleName(tr("The word in hex"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(8);
    column->addWidget(bits_);
    column->addWidget(hex_);
    setFocusProxy(bits_);
    show_hex();
    connect(bits_, &BitEditor::word_changed, this, [this] {
      show_hex();
      Q_EMIT changed();
    });
    connect(hex_, &QLineEdit::textEdited, this, [this](const QString& text) {
      if (const auto word = parse_hex(text, true)) bits_->set_word(*word);
      Q_EMIT changed();
    });
    connect(hex_, &QLineEdit::returnPressed, this, &AnswerEditor::submitted);
  }
  std::optional<lessons::Answer> answer() const override {
    lessons::Answer given;
    given.number = bits_->word();
    return given;
  }
  void set(const lessons::Answer& answer) override {
    bits_->set_word(answer.number);
    show_hex();
  }

 private:
  void show_hex() { hex_->setText(hex_word(bits_->word())); }
  BitEditor* bits_;
  QLineEdit* hex_;
};

class LayoutEditor : public AnswerEditor {
 public:
  LayoutEditor(const lessons::TaskView& view, double zoom, QWidget* parent) : AnswerEditor(parent) {
    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setVerticalSpacing(6);
    int row = 0;
    for (const std::string& name : view.task->design.fields) {
      const Field* field = view.layout == nullptr ? nullptr : view.layout->field_named(name);
      if (field == nullptr) continue;
      auto* bit = new QSpinBox(this);
      bit->setRange(0, 64 - field->width);
      bit->setValue(field->shift);
      bit->setFont(mono_font(zoom));
      bit->setAccessibleName(tr("Lowest bit of %1").arg(text_of(name)));
      auto* wide = new QLabel(field->width == 1 ? tr("1 bit") : tr("%1 bits").arg(field->width), this);
      wide->setProperty("tone", "muted");
      auto* label = new QLabel(text_of(name), this);
      label->setFont(mono_font(zoom));
      grid->addWidget(label, row, 0);
      grid->addWidget(bit, row, 1);
      grid->addWidget(wide, row++, 2);
      fields_.emplace_back(name, bit);
      connect(bit, &QSpinBox::valueChanged, this, &AnswerEditor::changed);
    }
  }
  std::optional<lessons::Answer> answer() const override {
    lessons::Answer given;
    for (const auto& [name, bit] : fields_) given.layout[name] = bit->value();
    return given;
  }
  void set(const lessons::Answer& answer) override {
    for (const auto& [name, bit] : fields_) {
      if (const auto it = answer.layout.find(name); it != answer.layout.end()) bit->setValue(it->second);
    }
  }

 private:
  std::vector<std::pair<std::string, QSpinBox*>> fields_;
};

class GoToEditor : public AnswerEditor {
 public:
  GoToEditor(Session& session, DocumentPtr sample, QWidget* parent)
      : AnswerEditor(parent), session_(session), sample_(std::move(sample)), label_(new QLabel(this)) {
    label_->setWordWrap(true);
    auto* row = new QVBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(label_);
    connect(&session_, &Session::position_changed, this, &GoToEditor::show_place);
    connect(&session_, &Session::document_changed, this, &GoToEditor::show_place);
    show_place();
  }
  std::optional<lessons::Answer> answer() const override {
    if (sample_ != nullptr && session_.shared_document() != sample_) return std::nullopt;
    lessons::Answer given;
    given.position = session_.position();
    return given;
  }
  void set(const lessons::Answer&) override {}

 private:
  void show_place() {
    const bool here = sample_ == nullptr || session_.shared_document() == sample_;
    label_->setText(here ? tr("The cursor is at step %1.").arg(grouped(session_.position()))
                         : tr("Another file is open. Go back to this task to see its recording again."));
    Q_EMIT changed();
  }
  Session& session_;
  DocumentPtr sample_;
  QLabel* label_;
};

}  // namespace

AnswerEditor* make_answer_editor(const lessons::TaskView& view, Session& session, DocumentPtr sample,
                                 double zoom, QWidget* parent) {
  switch (view.task->kind) {
    case lessons::TaskKind::choice:
      return new ChoiceEditor(view, parent);
    case lessons::TaskKind::number:
      return new NumberEditor(zoom, parent);
    case lessons::TaskKind::word_bits:
      return new WordEditor(view, session, zoom, parent);
    case lessons::TaskKind::layout:
      return new LayoutEditor(view, zoom, parent);
    case lessons::TaskKind::go_to:
      return new GoToEditor(session, std::move(sample), parent);
  }
  return nullptr;
}

}  // namespace hmmscope::app
