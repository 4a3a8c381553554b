// Encoded items and values from outside, made what they would be if they had been encoded here.
//
// A value has one encoding (docs/item.md); who writes one by hand may get the order of attributes
// or of a set's elements wrong, a wider container than needed, a number with zeros at its end. Such
// bytes mean something, and become the one encoding of it. An attribute that comes twice counts as
// it came last, as in JSON. Bytes that mean nothing are ValidationExceptions.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace varve::item {

inline constexpr size_t kAttributeNameBytesMax = 65535;

// `*encoded` is an item's encoding, or is to become it.
Status MakeItemCanonical(std::string* encoded);
// The same of an attribute's value.
Status MakeValueCanonical(std::string* encoded);

// What is wrong with values, however they are written.
Status NestedTooDeep();
Status AttributeNameTooLarge();

}  // namespace varve::item
