#include "channel.h"

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
                                    const std::shared_ptr<grpc::ChannelCredentials> &credentials)
{
	grpc::ChannelArguments arguments;
	arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, MAX_RECONNECT_MS);
	return grpc::CreateCustomChannel(target, credentials, arguments);
}

} // namespace

std::shared_ptr<grpc::Channel> connect(const std::string &target)
{
	return make(target, grpc::InsecureChannelCredentials());
}

std::shared_ptr<grpc::Channel> connect(const std::string &target, const Tls &tls)
{
	grpc::SslCredentialsOptions options;
	options.pem_root_certs = tls.authority;
	options.pem_cert_chain = tls.certificate;
	options.pem_private_key = tls.key;
	return make(target, grpc::SslCredentials(options));
}

} // namespace eldergate::client
