// proof: checks that an entry is in a log, by a C2SP tlog-proof file.
//
// It shares no code with the gateway: see gateway/FORMAT.md, C2SP's tlog-checkpoint and tlog-proof, RFC 6962.
#ifndef ELDERGATE_CLIENT_PROOF_H
#define ELDERGATE_CLIENT_PROOF_H

#include <cstdint>
#include <string>
#include <string_view>

#include "note.h"

namespace eldergate::client
{

// A log's statement of how many entries it has, and the root of their tree.
struct Checkpoint {
	std::uint64_t size = 0;
	std::string root; // 32 bytes
};

// What a proof file proves.
struct Inclusion {
	std::uint64_t seq = 0; // of the entry
	Checkpoint checkpoint; // that its path leads to
};

// Throws NotProven.
Checkpoint open_checkpoint(std::string_view note, const Verifier &verifier);

// Throws NotProven.
Inclusion check_inclusion(std::string_view file, const Verifier &verifier);

} // namespace eldergate::client

#endif
