// Plots as SVG, drawn by hand: no script, no font, nothing from elsewhere.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace varve::bench {

// `text` as XML takes it.
std::string Escaped(const std::string& text);
// The colour of a contestant or the device, as in every plot.
std::string ColorOf(const std::string& contestant);

// The style sheet of pages with such plots, and tables.
inline constexpr char kReportStyle[] = R"(
body { font: 14px/1.45 sans-serif; margin: 2em auto; max-width: 1180px; color: #222; }
table { border-collapse: collapse; margin: 0.5em 0; }
th, td { padding: 2px 10px; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.met { color: #0b6e4f; } .miss { color: #c44536; } .setup { color: #777; }
svg { margin: 6px; } h2 { margin-top: 2em; border-top: 1px solid #bbb; padding-top: 0.6em; }
pre { white-space: pre-wrap; background: #f5f5f5; padding: 0.8em; }
)";

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by rising x
};

struct Axis {
  std::string label;
  bool logarithmic = false;
  // Where marks stand and what they say; empty: chosen by the values.
  std::vector<std::pair<double, std::string>> marks = {};
};

// Lines over common axes. The y axis begins at 0 unless it is logarithmic.
std::string LinePlot(const std::string& title, const Axis& x, const Axis& y,
                     const std::vector<Series>& series);

struct Bar {
  std::string name;
  double value = 0;
  std::string color;
  std::string text;  // at its end
};

// Horizontal bars from a common zero.
std::string BarPlot(const std::string& title, const std::vector<Bar>& bars);

// What a row reached of its target: a dot on a logarithmic axis, and a line where it should be.
struct Reach {
  std::string name;
  double value = 0;  // over the bound, so that 1 is just met
  double low = 0;    // the same of the worst and the best turn
  double high = 0;
  bool met = false;
  std::string text;
};
std::string ReachPlot(const std::string& title, const std::vector<Reach>& reaches);

}  // namespace varve::bench
