#include "server/http_response.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <iterator>

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
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
  uint64_t bits = 0;
  for (size_t i = 0; i < kRequestIdBytes; ++i) {
    if (i % 12 == 0) bits = random_.Next();
    id[i] = kAlphabet[bits & 31];
    bits >>= 5;
  }
}

void ResponseWriter::Append(const HttpReply& reply, bool close, bool head_only, uint64_t wall_ms,
                            std::string* out) {
  if (const uint64_t now_s = wall_ms / 1000; now_s != date_s_) {
    date_s_ = now_s;
    date_ = HttpDate(now_s);
  }
  std::array<char, kRequestIdBytes> id;
  NewRequestId(id.data());
  out->reserve(out->size() + 320 + reply.headers.size() + reply.body.size());
  fmt::format_to(std::back_inserter(*out),
                 "HTTP/1.1 {} {}\r\n"
                 "Server: Varve\r\n"
                 "Date: {}\r\n"
                 "{}{}{}"
                 "Content-Length: {}\r\n"
                 "Connection: {}\r\n"
                 "x-amzn-RequestId: {}\r\n"
                 "x-amz-crc32: {}\r\n"
                 "{}{}\r\n",
                 reply.status, Reason(reply.status), date_,
                 reply.content_type.empty() ? "" : "Content-Type: ", reply.content_type,
                 reply.content_type.empty() ? "" : "\r\n", reply.body.size(),
                 close ? "close" : "keep-alive", std::string_view(id.data(), id.size()),
                 Crc32(reply.body), reply.is_gzip ? "Content-Encoding: gzip\r\n" : "",
                 reply.headers);
  if (!head_only) out->append(reply.body);
}

}  // namespace varve::server
