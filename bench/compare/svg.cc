#include "bench/compare/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/compare/text.h"

namespace varve::bench {
namespace {

constexpr double kWidth = 560;
constexpr double kHeight = 300;
constexpr double kLeft = 70;
constexpr double kRight = 15;
constexpr double kTop = 45;
constexpr double kBottom = 45;

// Maps values to places along an axis.
class Scale {
 public:
  Scale(double low, double high, double from, double to, bool logarithmic)
      : logarithmic_(logarithmic), from_(from), to_(to) {
    low_ = Of(low);
    high_ = Of(high);
    if (high_ <= low_) high_ = low_ + 1;
  }
  double operator()(double value) const {
    return from_ + (Of(value) - low_) / (high_ - low_) * (to_ - from_);
  }

 private:
  double Of(double value) const { return logarithmic_ ? std::log10(std::max(value, 1e-9)) : value; }

  bool logarithmic_;
  double from_;
  double to_;
  double low_ = 0;
  double high_ = 1;
};

std::vector<std::pair<double, std::string>> Marks(double low, double high, bool logarithmic) {
  std::vector<std::pair<double, std::string>> marks;
  if (logarithmic) {
    const int first = static_cast<int>(std::floor(std::log10(low)));
    const int last = static_cast<int>(std::ceil(std::log10(high)));
    for (int power = first; power <= last; ++power) {
      const double value = std::pow(10, power);
      marks.emplace_back(value, power < 0 ? fmt::format("{:g}", value) : Figure(value));
    }
    return marks;
  }
  double step = std::pow(10, std::floor(std::log10(std::max(high - low, 1e-9))));
  if ((high - low) / step < 2) step /= 5;
  if ((high - low) / step < 5) step /= 2;
  for (double value = low; value <= high + step / 2; value += step) {
    marks.emplace_back(value, Figure(value));
  }
  return marks;
}

std::string Text(double x, double y, const std::string& anchor, const std::string& text,
                 const std::string& more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", x, y,
                     anchor, more, Escaped(text));
}

std::string Line(double x1, double y1, double x2, double y2, const std::string& color) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2,
      y2, color);
}

std::string Begin(double width, double height, const std::string& title) {
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
             "width=\"{0:.0f}\" height=\"{1:.0f}\" font-family=\"sans-serif\" font-size=\"11\" "
             "fill=\"#333\">\n",
             width, height) +
         Text(10, 16, "start", title, "font-size=\"13\" font-weight=\"bold\"");
}

}  // namespace

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string ColorOf(const std::string& contestant) {
  if (contestant == "varve") return "#0b6e4f";
  if (contestant == "rocksdb") return "#c44536";
  if (contestant == "rocksdb-blobs") return "#e09f3e";
  if (contestant == "binary") return "#0b6e4f";
  if (contestant == "http") return "#3d7ea6";
  if (contestant == "embedded") return "#6a4c93";
  if (contestant == "redis") return "#e4572e";
  return "#5c677d";
}

std::string LinePlot(const std::string& title, const Axis& x, const Axis& y,
                     const std::vector<Series>& series) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  double x_low = kInfinite, x_high = -kInfinite, y_low = kInfinite, y_high = -kInfinite;
  for (const Series& one : series) {
    for (const auto& [at, value] : one.points) {
      x_low = std::min(x_low, at);
      x_high = std::max(x_high, at);
      if (value > 0) y_low = std::min(y_low, value);
      y_high = std::max(y_high, value);
    }
  }
  if (x_low > x_high || y_low > y_high) return "";
  if (y.logarithmic) {
    y_low = std::pow(10, std::floor(std::log10(y_low)));
    y_high = std::pow(10, std::ceil(std::log10(y_high)));
  } else {
    y_low = 0;
    y_high *= 1.05;
  }
  const Scale to_x(x_low, x_high, kLeft, kWidth - kRight, x.logarithmic);
  const Scale to_y(y_low, y_high, kHeight - kBottom, kTop, y.logarithmic);

  std::string svg = Begin(kWidth, kHeight, title);
  double legend = kLeft;
  for (const Series& one : series) {
    svg += fmt::format("<rect x=\"{:.0f}\" y=\"25\" width=\"12\" height=\"8\" fill=\"{}\"/>\n",
                       legend, ColorOf(one.name));
    svg += Text(legend + 16, 33, "start", one.name);
    legend += 40 + 7 * static_cast<double>(one.name.size());
  }
  for (const auto& [value, text] :
       y.marks.empty() ? Marks(y_low, y_high, y.logarithmic) : y.marks) {
    if (value < y_low || value > y_high) continue;
    svg += Line(kLeft, to_y(value), kWidth - kRight, to_y(value), "#ddd");
    svg += Text(kLeft - 5, to_y(value) + 4, "end", text);
  }
  for (const auto& [value, text] :
       x.marks.empty() ? Marks(x_low, x_high, x.logarithmic) : x.marks) {
    if (value < x_low || value > x_high) continue;
    svg += Line(to_x(value), kTop, to_x(value), kHeight - kBottom, "#eee");
    svg += Text(to_x(value), kHeight - kBottom + 15, "middle", text);
  }
  svg += Text((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", x.label);
  svg += Text(14, (kTop + kHeight - kBottom) / 2, "middle", y.label,
              fmt::format("transform=\"rotate(-90 14 {:.1f})\"", (kTop + kHeight - kBottom) / 2));
  for (const Series& one : series) {
    svg += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"",
                       ColorOf(one.name));
    for (const auto& [at, value] : one.points) {
      svg += fmt::format("{:.1f},{:.1f} ", to_x(at), to_y(std::max(value, y_low)));
    }
    svg += "\"/>\n";
  }
  return svg + "</svg>\n";
}

std::string BarPlot(const std::string& title, const std::vector<Bar>& bars) {
  constexpr double kNames = 200;
  constexpr double kBarHeight = 20;
  double high = 0;
  for (const Bar& bar : bars) high = std::max(high, bar.value);
  if (high <= 0) return "";
  const Scale to_x(0, high, kNames, kWidth - 80, false);
  std::string svg = Begin(kWidth, 30 + kBarHeight * static_cast<double>(bars.size()), title);
  double y = 26;
  for (const Bar& bar : bars) {
    svg += Text(kNames - 6, y + 12, "end", bar.name);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"15\" fill=\"{}\"/>\n", kNames, y,
        to_x(bar.value) - kNames, bar.color);
    svg += Text(to_x(bar.value) + 5, y + 12, "start", bar.text);
    y += kBarHeight;
  }
  return svg + "</svg>\n";
}

std::string ReachPlot(const std::string& title, const std::vector<Reach>& reaches) {
  if (reaches.empty()) return "";
  constexpr double kNames = 330;
  constexpr double kFigures = 110;
  constexpr double kWide = 900;
  constexpr double kLineHeight = 18;
  double low = 0.5;
  double high = 2;
  for (const Reach& reach : reaches) {
    if (reach.value > 0) low = std::min(low, std::min(reach.low, reach.value));
    high = std::max(high, std::max(reach.high, reach.value));
  }
  low = std::max(low, 0.01);
  high = std::min(high, 100.0);
  const Scale to_x(low, high, kNames, kWide - kFigures, true);
  const double bottom = 44 + kLineHeight * static_cast<double>(reaches.size());
  std::string svg = Begin(kWide, bottom + 6, title);
  for (const double mark : {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0}) {
    if (mark < low || mark > high) continue;
    svg += Line(to_x(mark), 38, to_x(mark), bottom, mark == 1 ? "#333" : "#ddd");
    svg += Text(to_x(mark), 34, "middle", mark == 1 ? "target" : fmt::format("{:g} x", mark));
  }
  double y = 52;
  for (const Reach& reach : reaches) {
    const std::string color = reach.met ? ColorOf("varve") : ColorOf("rocksdb");
    const auto within = [&](double value) { return to_x(std::clamp(value, low, high)); };
    svg += Text(kNames - 8, y + 4, "end", reach.name);
    svg += Line(within(reach.low), y, within(reach.high), y, color);
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"/>\n",
                       within(reach.value), y, color);
    svg += Text(kWide - kFigures + 10, y + 4, "start", reach.text);
    y += kLineHeight;
  }
  return svg + "</svg>\n";
}

}  // namespace varve::bench
