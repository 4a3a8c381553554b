#include "item/number.h"

#include <boost/multiprecision/cpp_int.hpp>

#include "item/errors.h"

namespace varve::item {

using Coefficient = unsigned __int128;

struct NumberInternals {
  // `coefficient` has at most 38 digits; `exponent` any range. Strips trailing zeros; false if the
  // magnitude is out of range: *too_large says on which side.
  static bool Normalise(bool negative, Coefficient coefficient, int exponent, Number* number,
                        bool* too_large);
  static int Digits(const Number& n);
  // The decimal exponent of the first significant digit.
  static int FirstExponent(const Number& n) { return n.exponent_ + Digits(n) - 1; }
  static StatusOr<Number> Sum(const Number& a, const Number& b);
};

namespace {

Status Overflow() {
  return ValidationError(
      "Number overflow. Attempting to store a number with magnitude larger than supported range");
}
Status Underflow() {
  return ValidationError(
      "Number underflow. Attempting to store a number with magnitude smaller than supported range");
}
Status TooManyDigits() {
  return ValidationError("Attempting to store more than 38 significant digits in a Number");
}

constexpr uint64_t kTenTo19 = 10'000'000'000'000'000'000u;

int DigitsOf(uint64_t value) {
  int digits = 1;
  while (value >= 10) {
    value /= 10;
    ++digits;
  }
  return digits;
}

int DigitsOf(Coefficient value) {
  if (value < kTenTo19) return DigitsOf(static_cast<uint64_t>(value));
  return 19 + DigitsOf(static_cast<uint64_t>(value / kTenTo19));
}

// Decimal digits of a coefficient under 10^38.
std::string DigitText(Coefficient value) {
  if (value < kTenTo19) return fmt::format("{}", static_cast<uint64_t>(value));
  return fmt::format("{}{:019}", static_cast<uint64_t>(value / kTenTo19),
                     static_cast<uint64_t>(value % kTenTo19));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

Status NotANumber(std::string_view text) {
  return ValidationError("The parameter cannot be converted to a numeric value: {}", text);
}

}  // namespace

bool NumberInternals::Normalise(bool negative, Coefficient coefficient, int exponent,
                                Number* number, bool* too_large) {
  *number = Number();
  if (coefficient == 0) return true;
  while (coefficient % 10 == 0) {
    coefficient /= 10;
    ++exponent;
  }
  const int first = exponent + DigitsOf(coefficient) - 1;
  *too_large = first > kNumberExponentMax;
  if (*too_large || first < kNumberExponentMin) return false;
  number->negative_ = negative;
  number->coefficient_ = coefficient;
  number->exponent_ = static_cast<int16_t>(exponent);
  return true;
}

int NumberInternals::Digits(const Number& n) { return DigitsOf(n.coefficient_); }

Number Number::FromInt(int64_t value) {
  const Coefficient magnitude = value < 0 ? Coefficient{0} - static_cast<Coefficient>(value)
                                          : static_cast<Coefficient>(value);
  Number number;
  bool too_large;
  NumberInternals::Normalise(value < 0, magnitude, 0, &number, &too_large);
  return number;
}

StatusOr<Number> Number::Parse(std::string_view text) {
  size_t i = 0;
  bool negative = false;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative = text[i++] == '-';

  // Significant digits go into the coefficient; zeros are held back until another digit follows, so
  // that trailing ones cost no precision. `point` is where the decimal point stands relative to the
  // digits taken so far, as an exponent of ten.
  Coefficient coefficient = 0;
  int64_t digits = 0, zeros_held = 0, exponent = 0;
  bool seen_point = false, seen_digit = false, too_many = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !seen_point) {
      seen_point = true;
      continue;
    }
    if (!IsDigit(c)) break;
    seen_digit = true;
    if (seen_point) --exponent;
    if (c == '0') {
      if (digits > 0) ++zeros_held;
      continue;
    }
    digits += zeros_held + 1;
    if (digits > kNumberDigitsMax) {
      too_many = true;
      exponent += zeros_held + 1;  // not taken, but the magnitude stays right
      zeros_held = 0;
      continue;
    }
    for (; zeros_held > 0; --zeros_held) coefficient *= 10;
    coefficient = coefficient * 10 + static_cast<unsigned>(c - '0');
  }
  if (!seen_digit) return NotANumber(text);
  exponent += zeros_held;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return NotANumber(text);
    ++i;
    bool negative_exponent = false;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative_exponent = text[i++] == '-';
    if (i == text.size()) return NotANumber(text);
    int64_t written = 0;
    for (; i < text.size(); ++i) {
      if (!IsDigit(text[i])) return NotANumber(text);
      if (__builtin_mul_overflow(written, 10, &written) ||
          __builtin_add_overflow(written, text[i] - '0', &written)) {
        return NotANumber(text);
      }
    }
    written = std::min(written, int64_t{1} << 40) * (negative_exponent ? -1 : 1);
    // Zero is judged by the exponent that it is written with.
    if (digits == 0 && written > kNumberExponentMax) return Overflow();
    if (digits == 0 && written < kNumberExponentMin) return Underflow();
    exponent += written;
  }
  if (coefficient == 0) return Number();
  constexpr int64_t kFarOut = 1'000'000;
  exponent = std::max(-kFarOut, std::min(kFarOut, exponent));
  Number number;
  bool too_large;
  if (!NumberInternals::Normalise(negative, coefficient, static_cast<int>(exponent), &number,
                                  &too_large)) {
    return too_large ? Overflow() : Underflow();
  }
  if (too_many) return TooManyDigits();
  return number;
}

void Number::AppendTo(std::string& to) const {
  if (coefficient_ == 0) {
    to.append("\x80\0", 2);
    return;
  }
  const uint8_t flip = negative_ ? 0xff : 0x00;
  const int first = NumberInternals::FirstExponent(*this);
  const int pair_exponent = first >= 0 ? first / 2 : -((1 - first) / 2);  // floor(first / 2)

  // Align the coefficient to an even exponent, then take pairs from the low end.
  Coefficient rest = coefficient_;
  uint8_t pairs[20];
  int count = 0;
  if (exponent_ % 2 != 0) {
    pairs[count++] = static_cast<uint8_t>(rest % 10 * 10);
    rest /= 10;
  }
  while (rest != 0) {
    pairs[count++] = static_cast<uint8_t>(rest % 100);
    rest /= 100;
  }
  to.push_back(static_cast<char>((0x80 + 65 + pair_exponent) ^ flip));
  for (int i = count - 1; i >= 0; --i) {
    to.push_back(static_cast<char>((2 * pairs[i] + (i > 0)) ^ flip));
  }
}

std::string Number::Encode() const {
  std::string encoded;
  AppendTo(encoded);
  return encoded;
}

Number Number::Decode(std::string_view encoded) {
  Number number;
  if (encoded.size() < 2) return number;
  const bool negative = (encoded[0] & 0x80) == 0;
  const uint8_t flip = negative ? 0xff : 0x00;
  int exponent = 2 * ((static_cast<uint8_t>(encoded[0]) ^ flip) - 0x80 - 65) + 2;
  Coefficient coefficient = 0;
  for (size_t i = 1; i < encoded.size() && i < kNumberBytesMax; ++i) {
    const unsigned byte = static_cast<uint8_t>(encoded[i]) ^ flip;
    // The last pair may end in a zero that would be a 39th digit.
    const bool last = (byte & 1) == 0;
    const unsigned pair = (byte >> 1) % 100;
    if (last && pair % 10 == 0) {
      coefficient = coefficient * 10 + pair / 10;
      exponent -= 1;
    } else {
      coefficient = coefficient * 100 + pair;
      exponent -= 2;
    }
    if (last) break;
  }
  bool too_large;
  NumberInternals::Normalise(negative, coefficient, exponent, &number, &too_large);
  return number;
}

std::string Number::ToString() const {
  if (coefficient_ == 0) return "0";
  const std::string digits = DigitText(coefficient_);
  const int count = static_cast<int>(digits.size());
  std::string text = negative_ ? "-" : "";
  if (exponent_ >= 0) {
    text.append(digits).append(static_cast<size_t>(exponent_), '0');
  } else if (-exponent_ < count) {
    const size_t whole = static_cast<size_t>(count + exponent_);
    text.append(digits, 0, whole).append(".").append(digits, whole);
  } else {
    text.append("0.").append(static_cast<size_t>(-exponent_ - count), '0').append(digits);
  }
  return text;
}

bool Number::ToInt64(int64_t* value) const {
  if (coefficient_ == 0) {
    *value = 0;
    return true;
  }
  if (exponent_ < 0 || NumberInternals::FirstExponent(*this) > 18) return false;
  Coefficient magnitude = coefficient_;
  for (int i = 0; i < exponent_; ++i) magnitude *= 10;
  const Coefficient limit = (Coefficient{1} << 63) - (negative_ ? 0 : 1);
  if (magnitude > limit) return false;
  const uint64_t bits = static_cast<uint64_t>(magnitude);
  *value = static_cast<int64_t>(negative_ ? uint64_t{0} - bits : bits);
  return true;
}

Number Number::Negated() const {
  Number number = *this;
  if (coefficient_ != 0) number.negative_ = !negative_;
  return number;
}

int Number::Compare(const Number& a, const Number& b) { return a.Encode().compare(b.Encode()); }

StatusOr<Number> NumberInternals::Sum(const Number& a, const Number& b) {
  if (a.coefficient_ == 0) return b;
  if (b.coefficient_ == 0) return a;
  // Exponents differ by at most 125 + 167, so an exact sum has fewer than 340 digits.
  using Wide = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<
      1280, 1280, boost::multiprecision::signed_magnitude, boost::multiprecision::unchecked>>;
  const int exponent = std::min(a.exponent_, b.exponent_);
  const auto widen = [exponent](const Number& n) {
    Wide wide = n.coefficient_;
    for (int i = n.exponent_; i > exponent; --i) wide *= 10;
    return n.negative_ ? Wide(-wide) : wide;
  };
  Wide sum = widen(a) + widen(b);
  if (sum == 0) return Number();
  const bool negative = sum < 0;
  if (negative) sum = -sum;
  std::string digits = sum.str();
  int digits_exponent = exponent;
  while (digits.back() == '0') {
    digits.pop_back();
    ++digits_exponent;
  }
  if (digits_exponent + static_cast<int>(digits.size()) - 1 > kNumberExponentMax) return Overflow();
  // The service calls a loss of precision an overflow.
  if (digits.size() > kNumberDigitsMax) return Overflow();
  Coefficient coefficient = 0;
  for (const char c : digits) coefficient = coefficient * 10 + static_cast<unsigned>(c - '0');
  Number number;
  bool too_large;
  if (!Normalise(negative, coefficient, digits_exponent, &number, &too_large)) {
    return too_large ? Overflow() : Underflow();
  }
  return number;
}

StatusOr<Number> Number::Add(const Number& a, const Number& b) {
  return NumberInternals::Sum(a, b);
}

StatusOr<Number> Number::Subtract(const Number& a, const Number& b) {
  return NumberInternals::Sum(a, b.Negated());
}

size_t EncodedNumberBytes(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  if (bytes[0] == '\x80' && bytes[1] == '\0') return 2;
  const uint8_t flip = (bytes[0] & 0x80) == 0 ? 0xff : 0x00;
  for (size_t i = 1; i < bytes.size() && i < kNumberBytesMax; ++i) {
    const unsigned byte = static_cast<uint8_t>(bytes[i]) ^ flip;
    if (byte >= 200) return 0;
    if (i == 1 && byte < 2) return 0;
    if ((byte & 1) != 0) continue;
    if (byte == 0) return 0;
    const unsigned first = static_cast<uint8_t>(bytes[1]) ^ flip;
    const int digits = static_cast<int>(2 * i) - (first < 20) - (byte / 2 % 10 == 0);
    return digits <= kNumberDigitsMax ? i + 1 : 0;
  }
  return 0;
}

size_t NumberSizeBytes(std::string_view encoded) {
  if (encoded.size() < 2 || (encoded[0] == '\x80' && encoded[1] == '\0')) return 1;
  const size_t negative = (encoded[0] & 0x80) == 0;
  return std::min<size_t>(kNumberBytesMax, encoded.size() + negative);
}

}  // namespace varve::item
