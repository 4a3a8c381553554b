#include "tools/shell/line_reader.h"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <utility>

namespace varve::tools {
namespace {

constexpr int kHistoryLinesMax = 1000;

}  // namespace

std::string CommonPrefix(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  std::string prefix = words[0];
  for (const std::string& word : words) {
    const auto differ = std::mismatch(prefix.begin(), prefix.end(), word.begin(), word.end());
    prefix.erase(differ.first, prefix.end());
  }
  return prefix;
}

struct LineReader::Editor {
  Editor(std::string path, Completer complete)
      : history_path(std::move(path)), completer(std::move(complete)) {
    lines = history_init();
    HistEvent event;
    history(lines, &event, H_SETSIZE, kHistoryLinesMax);
    history(lines, &event, H_SETUNIQUE, 1);
    if (!history_path.empty()) history(lines, &event, H_LOAD, history_path.c_str());

    edit = el_init("varve", stdin, stdout, stderr);
    el_set(edit, EL_CLIENTDATA, this);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_SIGNAL, 1);
    el_set(edit, EL_PROMPT, &Editor::Prompt);
    el_set(edit, EL_HIST, history, lines);
    el_set(edit, EL_ADDFN, "varve-complete", "Complete the word", &Editor::Complete);
    el_set(edit, EL_BIND, "^I", "varve-complete", nullptr);
    el_set(edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(edit, nullptr);
  }
  ~Editor() {
    if (!history_path.empty()) {
      HistEvent event;
      // Items are nobody else's business.
      const mode_t mask = umask(S_IRWXG | S_IRWXO);
      history(lines, &event, H_SAVE, history_path.c_str());
      umask(mask);
    }
    el_end(edit);
    history_end(lines);
  }

  static char* Prompt(EditLine* edit) {
    Editor* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }

  static unsigned char Complete(EditLine* edit, int) {
    Editor* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    const LineInfo* const line = el_line(edit);
    const std::string_view before(line->buffer, static_cast<size_t>(line->cursor - line->buffer));
    const std::vector<std::string> words = self->completer(before);
    if (words.empty()) return CC_ERROR;
    const size_t blank = before.find_last_of(" \t\"'");
    const size_t typed = before.size() - (blank == std::string_view::npos ? 0 : blank + 1);
    std::string text = CommonPrefix(words).substr(typed);
    if (words.size() == 1) text += ' ';
    if (!text.empty()) {
      el_insertstr(edit, text.c_str());
      return CC_REFRESH;
    }
    std::cout << '\n';
    for (const std::string& word : words) std::cout << word << "  ";
    std::cout << '\n' << std::flush;
    return CC_REDISPLAY;
  }

  const std::string history_path;
  const Completer completer;
  std::string prompt;
  EditLine* edit = nullptr;
  History* lines = nullptr;
};

LineReader::LineReader(std::string history_path, Completer completer) {
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    editor_ = std::make_unique<Editor>(std::move(history_path), std::move(completer));
  }
}

LineReader::~LineReader() = default;

std::optional<std::string> LineReader::Next(std::string_view prompt) {
  std::string line;
  if (editor_ == nullptr) {
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  editor_->prompt = prompt;
  int length = 0;
  const char* const text = el_gets(editor_->edit, &length);
  if (text == nullptr || length <= 0) return std::nullopt;
  line.assign(text, static_cast<size_t>(length));
  if (line.ends_with('\n')) line.pop_back();
  if (line.find_first_not_of(" \t") != std::string::npos && line[0] != ' ') {
    HistEvent event;
    history(editor_->lines, &event, H_ENTER, line.c_str());
  }
  return line;
}

}  // namespace varve::tools
