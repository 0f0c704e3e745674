#include "crypto.h"

#include <memory>
#include <stdexcept>

#include <openssl/evp.h>

namespace eldergate::client
{

namespace
{

const unsigned char *octets(std::string_view bytes)
{
	return reinterpret_cast<const unsigned char *>(bytes.data());
}

} // namespace

std::string sha256(std::string_view bytes)
{
	std::string hash(HASH_SIZE, '\0');
	if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char *>(hash.data()), nullptr,
	               EVP_sha256(), nullptr) != 1)
		throw std::runtime_error("SHA-256 failed");
	return hash;
}

bool ed25519_holds(std::string_view public_key, std::string_view bytes, std::string_view signature)
{
	std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
	        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(public_key), public_key.size()),
	        EVP_PKEY_free);
	std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
	return key && context &&
	       EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
	       EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(bytes),
	                        bytes.size()) == 1;
}

} // namespace eldergate::client
