// note: C2SP signed notes (c2sp.org/signed-note), read with one log's verifier key.
#ifndef ELDERGATE_CLIENT_NOTE_H
#define ELDERGATE_CLIENT_NOTE_H

#include <stdexcept>
#include <string>
#include <string_view>

namespace eldergate::client
{

// What was shown proves nothing: it is malformed, forged, or of another log.
class NotProven : public std::runtime_error
{
      public:
	using std::runtime_error::runtime_error;
};

// Whose signature counts.
struct Verifier {
	std::string name; // the log's origin
	std::string id;   // of the key, 4 bytes
	std::string key;  // Ed25519, 32 bytes
};

// From the text that `eldergate log key` prints. Throws NotProven if it is not such a key.
Verifier parse_verifier(std::string_view vkey);

// The signed text, with the line end of its last line. Throws NotProven unless the verifier's own signature
// is there and holds; those of others are left aside.
std::string open_note(std::string_view note, const Verifier &verifier);

} // namespace eldergate::client

#endif
