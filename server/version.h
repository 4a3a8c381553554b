#pragma once

#include <string_view>

namespace varve::server {

inline constexpr std::string_view kVersion = VARVE_VERSION;

}  // namespace varve::server
