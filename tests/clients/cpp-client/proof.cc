#include "proof.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base64.h"
#include "crypto.h"

namespace eldergate::client
{

namespace
{

using Lines = std::vector<std::string_view>;

Lines split(std::string_view text)
{
	Lines lines;
	for (;;) {
		auto end = text.find('\n');
		lines.push_back(text.substr(0, end));
		if (end == text.npos)
			return lines;
		text.remove_prefix(end + 1);
	}
}

std::string bytes_of(std::string_view text)
{
	auto bytes = decode_base64(text);
	if (!bytes)
		throw NotProven("not base64");
	return *bytes;
}

std::string hash_of(std::string_view line)
{
	std::string hash = bytes_of(line);
	if (hash.size() != HASH_SIZE)
		throw NotProven("not a hash");
	return hash;
}

// Decimal, and the one way to write it.
std::uint64_t number_of(std::string_view text)
{
	std::uint64_t n = 0;
	auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
	if (error != std::errc() || std::to_string(n) != text)
		throw NotProven("not a number");
	return n;
}

// What stands behind the label of a line.
std::string_view after(std::string_view label, std::string_view line)
{
	if (line.substr(0, label.size()) != label)
		throw NotProven("a proof of ours has extra data and an index");
	return line.substr(label.size());
}

// What stands for an entry in the tree, from the extra data of its proof: header length, header, C_claim,
// C_effect.
std::string leaf_data(const std::string &extra)
{
	constexpr std::size_t length_size = 4, frame = length_size + 2 * HASH_SIZE;
	std::size_t length = 0;
	for (std::size_t i = 0; i < length_size && i < extra.size(); i++)
		length = length << 8 | static_cast<unsigned char>(extra[i]);
	if (extra.size() < frame || length != extra.size() - frame)
		throw NotProven("the extra data is not an entry's header with its two commitments");
	return sha256("eldergate/leaf/v1\n" + extra);
}

std::string leaf_hash(const std::string &data)
{
	return sha256(std::string(1, '\0') + data);
}

std::string node_hash(const std::string &left, const std::string &right)
{
	return sha256('\1' + left + right);
}

// The root that a path from a leaf leads to: RFC 9162, 2.1.3.2.
std::string climb(std::uint64_t index, std::uint64_t size, std::string hash,
                  const std::vector<std::string> &path)
{
	std::uint64_t last = size - 1; // the right edge of the same level
	for (const std::string &sibling : path) {
		if (last == 0)
			throw NotProven("the path is too long");
		if (index & 1 || index == last) {
			hash = node_hash(sibling, hash);
			// A right edge without a sibling stands for itself in the levels above.
			for (; !(index & 1) && index != 0; index >>= 1)
				last >>= 1;
		} else {
			hash = node_hash(hash, sibling);
		}
		index >>= 1;
		last >>= 1;
	}
	if (last != 0)
		throw NotProven("the path is too short");
	return hash;
}

} // namespace

Checkpoint open_checkpoint(std::string_view note, const Verifier &verifier)
{
	std::string text = open_note(note, verifier);
	text.pop_back(); // the line end of its last line
	Lines lines = split(text);
	// Lines behind the third are extensions that we don't know.
	if (lines.size() < 3 || std::find(lines.begin(), lines.end(), "") != lines.end())
		throw NotProven("not a checkpoint");
	if (lines[0] != verifier.name)
		throw NotProven("a checkpoint of another log");
	return {number_of(lines[1]), hash_of(lines[2])};
}

Inclusion check_inclusion(std::string_view file, const Verifier &verifier)
{
	auto end = file.find("\n\n");
	Lines lines = split(file.substr(0, end));
	if (end == file.npos || lines[0] != "c2sp.org/tlog-proof@v1" || lines.size() < 3)
		throw NotProven("not a proof file");
	std::string extra = bytes_of(after("extra ", lines[1]));
	std::uint64_t index = number_of(after("index ", lines[2]));
	std::vector<std::string> path;
	for (std::size_t i = 3; i < lines.size(); i++)
		path.push_back(hash_of(lines[i]));
	Inclusion proven{index + 1, open_checkpoint(file.substr(end + 2), verifier)};
	if (index >= proven.checkpoint.size)
		throw NotProven("the log has no such index");
	if (climb(index, proven.checkpoint.size, leaf_hash(leaf_data(extra)), path) != proven.checkpoint.root)
		throw NotProven("the path leads to another root");
	return proven;
}

} // namespace eldergate::client
