// base64: strict base64 as the C2SP formats want it: whole groups, no line ends, no bits that say nothing.
#ifndef ELDERGATE_CLIENT_BASE64_H
#define ELDERGATE_CLIENT_BASE64_H

#include <optional>
#include <string>
#include <string_view>

namespace eldergate::client
{

// The bytes; none if the text is not their one encoding.
std::optional<std::string> decode_base64(std::string_view text);

} // namespace eldergate::client

#endif
