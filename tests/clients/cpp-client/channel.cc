#include "channel.h"

#include <stdexcept>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace eldergate::client
{

namespace
{

// gRPC waits up to two minutes between its tries to connect; a gateway that is back should be noticed sooner.
constexpr int MAX_RECONNECT_MS = 5000;

std::shared_ptr<grpc::Channel> make(const std::string &target,
                                    const std::shared_ptr<grpc::ChannelCredentials> &credentials,
                                    const Keepalive &keepalive)
{
	grpc::ChannelArguments arguments;
	arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, MAX_RECONNECT_MS);
	arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(keepalive.silence.count()));
	arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(keepalive.answer.count()));
	arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); // who only listens sends none
	return grpc::CreateCustomChannel(target, credentials, arguments);
}

} // namespace

std::shared_ptr<grpc::Channel> connect(const std::string &target, const Keepalive &keepalive)
{
	if (target.rfind("unix:", 0) != 0)
		throw std::invalid_argument("without TLS only unix:PATH is reached, not " + target);
	return make(target, grpc::InsecureChannelCredentials(), keepalive);
}

std::shared_ptr<grpc::Channel> connect(const std::string &target, const Tls &tls, const Keepalive &keepalive)
{
	grpc::SslCredentialsOptions options;
	options.pem_root_certs = tls.authority;
	options.pem_cert_chain = tls.certificate;
	options.pem_private_key = tls.key;
	return make(target, grpc::SslCredentials(options), keepalive);
}

} // namespace eldergate::client
