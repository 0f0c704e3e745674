#include "base64.h"

namespace eldergate::client
{

std::optional<std::string> decode_base64(std::string_view text)
{
	constexpr std::string_view digits =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (text.size() % 4 != 0)
		return std::nullopt;
	for (int pad = 0; pad < 2 && !text.empty() && text.back() == '='; pad++)
		text.remove_suffix(1);
	std::string bytes;
	unsigned bits = 0, n_bits = 0;
	for (char c : text) {
		auto digit = digits.find(c);
		if (digit == digits.npos)
			return std::nullopt;
		bits = bits << 6 | static_cast<unsigned>(digit);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			bytes.push_back(static_cast<char>(bits >> n_bits & 0xff));
			bits &= (1U << n_bits) - 1;
		}
	}
	if (bits != 0)
		return std::nullopt;
	return bytes;
}

} // namespace eldergate::client
