#include "note.h"

#include <algorithm>
#include <cstdio>

#include "base64.h"
#include "crypto.h"

namespace eldergate::client
{

namespace
{

constexpr std::size_t ID_SIZE = 4;
constexpr char ED25519 = 1;
constexpr std::string_view DASH = "\xe2\x80\x94 "; // "— " begins a signature line

std::string hex(std::string_view bytes)
{
	std::string text;
	for (char byte : bytes) {
		char digits[3];
		std::snprintf(digits, sizeof digits, "%02x",
		              static_cast<unsigned>(static_cast<unsigned char>(byte)));
		text += digits;
	}
	return text;
}

bool is_name(std::string_view name)
{
	return !name.empty() && name.find_first_of(" +\t\r\n") == name.npos;
}

} // namespace

Verifier parse_verifier(std::string_view vkey)
{
	auto first = vkey.find('+'), second = vkey.find('+', first == vkey.npos ? first : first + 1);
	if (second == vkey.npos)
		throw NotProven("a verifier key is a name, an id and a key with + between them");
	Verifier v;
	v.name = vkey.substr(0, first);
	auto typed = decode_base64(vkey.substr(second + 1));
	if (!is_name(v.name) || !typed || typed->size() != 1 + PUBLIC_KEY_SIZE || typed->front() != ED25519)
		throw NotProven("the verifier key is not of Ed25519");
	v.id = sha256(v.name + "\n" + *typed).substr(0, ID_SIZE);
	if (vkey.substr(first + 1, second - first - 1) != hex(v.id))
		throw NotProven("the verifier key has another id than its own");
	v.key = typed->substr(1);
	return v;
}

std::string open_note(std::string_view note, const Verifier &verifier)
{
	auto end = note.rfind("\n\n");
	if (end == note.npos || note.back() != '\n')
		throw NotProven("not a signed note");
	std::string text(note.substr(0, end + 1));
	// Signed is what is shown: no control characters that a terminal or an editor would take otherwise.
	if (std::any_of(text.begin(), text.end(),
	                [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\n'; }))
		throw NotProven("a note has a control character");
	bool held = false;
	for (auto rest = note.substr(end + 2); !rest.empty();) {
		auto line = rest.substr(0, rest.find('\n'));
		rest.remove_prefix(line.size() + 1);
		if (line.substr(0, DASH.size()) != DASH)
			throw NotProven("not a signature line");
		line.remove_prefix(DASH.size());
		auto name = line.substr(0, line.find(' '));
		auto signature = decode_base64(line.substr(std::min(name.size() + 1, line.size())));
		if (!is_name(name) || !signature || signature->size() <= ID_SIZE)
			throw NotProven("a malformed signature line");
		if (name != verifier.name || signature->substr(0, ID_SIZE) != verifier.id)
			continue;
		if (!ed25519_holds(verifier.key, text, signature->substr(ID_SIZE)))
			throw NotProven("the signature does not hold");
		held = true;
	}
	if (!held)
		throw NotProven("there is no signature of " + verifier.name);
	return text;
}

} // namespace eldergate::client
