#include "server/http_response.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace varve::server {
namespace {

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Unknown";
  }
}

// Two characters of base32 for every ten bits.
constexpr auto kBase32Pairs = [] {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
  std::array<std::array<char, 2>, 1024> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kAlphabet[i / 32], kAlphabet[i % 32]};
  return pairs;
}();

void AppendNumber(uint64_t number, std::string* out) {
  const fmt::format_int digits(number);
  out->append(digits.data(), digits.size());
}

}  // namespace

uint32_t Crc32(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string HttpDate(uint64_t seconds_since_1970) {
  static constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun",
                                                            "Mon", "Tue", "Wed"};
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // Days to civil date as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms"; years
  // begin in March there.
  const uint64_t days = seconds_since_1970 / 86400;
  const uint64_t z = days + 719468;
  const uint64_t era = z / 146097;
  const uint64_t day_of_era = z % 146097;
  const uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t month_from_march = (5 * day_of_year + 2) / 153;
  const uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const uint64_t month = (month_from_march + 2) % 12;
  const uint64_t year = year_of_era + era * 400 + (month < 2 ? 1 : 0);
  const uint64_t second = seconds_since_1970 % 86400;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[days % 7], day,
                     kMonths[month], year, second / 3600, second / 60 % 60, second % 60);
}

void ResponseWriter::NewRequestId(char* id) {
  constexpr size_t kBitsOfPair = 10;
  constexpr size_t kPairsOfNumber = 64 / kBitsOfPair;
  uint64_t bits = 0;
  for (size_t i = 0; i < kRequestIdBytes / 2; ++i) {
    if (i % kPairsOfNumber == 0) bits = random_.Next();
    std::memcpy(id + 2 * i, kBase32Pairs[bits % kBase32Pairs.size()].data(), 2);
    bits >>= kBitsOfPair;
  }
}

void ResponseWriter::Append(const HttpReply& reply, bool close, bool head_only, uint64_t wall_ms,
                            std::string* out) {
  AppendHead(reply, close, wall_ms, out);
  if (!head_only) out->append(reply.body);
}

void ResponseWriter::AppendHead(const HttpReply& reply, bool close, uint64_t wall_ms,
                                std::string* out) {
  if (const uint64_t now_s = wall_ms / 1000; now_s != date_s_) {
    date_s_ = now_s;
    date_ = HttpDate(now_s);
  }
  // Room for the head and a short body.
  constexpr size_t kHeadBytes = 320;
  constexpr size_t kShortBodyBytes = 4096;
  out->reserve(out->size() + kHeadBytes + reply.headers.size() +
               std::min(reply.body.size(), kShortBodyBytes));
  out->append("HTTP/1.1 ");
  AppendNumber(static_cast<uint64_t>(reply.status), out);
  out->append(" ").append(Reason(reply.status));
  out->append("\r\nServer: Varve\r\nDate: ").append(date_);
  if (!reply.content_type.empty()) out->append("\r\nContent-Type: ").append(reply.content_type);
  out->append("\r\nContent-Length: ");
  AppendNumber(reply.body.size(), out);
  out->append(close ? "\r\nConnection: close" : "\r\nConnection: keep-alive");
  out->append("\r\nx-amzn-RequestId: ");
  std::array<char, kRequestIdBytes> id;
  NewRequestId(id.data());
  out->append(id.data(), id.size());
  out->append("\r\nx-amz-crc32: ");
  AppendNumber(Crc32(reply.body), out);
  out->append(reply.is_gzip ? "\r\nContent-Encoding: gzip\r\n" : "\r\n");
  out->append(reply.headers).append("\r\n");
}

}  // namespace varve::server
