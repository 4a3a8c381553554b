// Number: DynamoDB's decimal number, exact, up to 38 significant digits.
//
// A number is zero, or has magnitude 1E-130 to 9.9999999999999999999999999999999999999E+125. It has
// one canonical text (plain notation, no exponent, no superfluous zeros) and one encoding, whose
// bytes compare as the numbers do:
//
//   first byte   0x80 + 65 + E        E = floor(e / 2), where e is the decimal exponent of the
//   first
//                                     significant digit (1 has e = 0): -65 to 62
//   then         2 x pair + 1         for every pair of digits but the last,
//                2 x pair             for the last one; pairs are aligned to even exponents,
//                                     trailing 00 pairs are left out
//   negative     every byte of the magnitude's encoding complemented
//   zero         0x80 0x00
//
// so 1 is C1 02, 12.5 is C1 19 64, -1 is 3E FD. The low bit of a digit byte says whether another
// follows, so the encoding delimits itself, and no encoding is a prefix of another. At most 21
// bytes. (The range and the shape are those of Oracle's NUMBER, whose range DynamoDB's is.)
//
// All functions are thread-safe; numbers are values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace varve::item {

inline constexpr int kNumberDigitsMax = 38;
inline constexpr int kNumberExponentMax = 125;   // of the first significant digit
inline constexpr int kNumberExponentMin = -130;  // of the first significant digit
inline constexpr size_t kNumberBytesMax = 21;

class Number {
 public:
  // Zero.
  constexpr Number() = default;

  static Number FromInt(int64_t value);

  // Parses decimal text: optional sign, digits with an optional point, optional exponent; nothing
  // around it. Errors are ValidationExceptions with the service's words: not a number, more than 38
  // significant digits, overflow, underflow.
  static StatusOr<Number> Parse(std::string_view text);

  // The number whose encoding `encoded` starts with. `encoded` must be well formed.
  static Number Decode(std::string_view encoded);

  // Appends the encoding.
  void AppendTo(std::string& to) const;
  std::string Encode() const;

  // Canonical text, such as "-0.005" or "1200": what the service answers.
  std::string ToString() const;

  // If the number is an integer in the range of T, that.
  bool ToInt64(int64_t* value) const;

  bool is_zero() const { return coefficient_ == 0; }
  bool negative() const { return negative_; }

  // Exact sums. Errors are ValidationExceptions: overflow, also of a sum that would need more than
  // 38 digits (so says the service), or underflow.
  static StatusOr<Number> Add(const Number& a, const Number& b);
  static StatusOr<Number> Subtract(const Number& a, const Number& b);
  Number Negated() const;

  friend bool operator==(const Number& a, const Number& b) = default;
  // Negative, 0 or positive, as a is less than, equal to or greater than b.
  static int Compare(const Number& a, const Number& b);

 private:
  friend struct NumberInternals;
  // The value is ±coefficient × 10^exponent; the coefficient has no trailing zero digit, at most 38
  // digits, and exponent and sign are 0 and false if it is 0.
  bool negative_ = false;
  int16_t exponent_ = 0;
  unsigned __int128 coefficient_ = 0;
};

// How many of `bytes` the encoded number at their start takes; 0 if it is malformed: cut short, not
// canonical, or over 38 digits.
size_t EncodedNumberBytes(std::string_view bytes);

// The size that DynamoDB accounts for an encoded number: 1 for zero, otherwise 1 and 1 for every
// pair of digits, and 1 for a minus, at most 21.
size_t NumberSizeBytes(std::string_view encoded);

}  // namespace varve::item
