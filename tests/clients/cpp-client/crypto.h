// crypto: the two primitives of a log's proofs, by OpenSSL.
#ifndef ELDERGATE_CLIENT_CRYPTO_H
#define ELDERGATE_CLIENT_CRYPTO_H

#include <cstddef>
#include <string>
#include <string_view>

namespace eldergate::client
{

constexpr std::size_t HASH_SIZE = 32, PUBLIC_KEY_SIZE = 32;

// Throws std::runtime_error where OpenSSL fails, such as without memory.
std::string sha256(std::string_view bytes);

// Is it this Ed25519 key's signature of these bytes?
bool ed25519_holds(std::string_view public_key, std::string_view bytes, std::string_view signature);

} // namespace eldergate::client

#endif
