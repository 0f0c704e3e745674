// channel: how a client of Eldergate reaches its gateway.
#ifndef ELDERGATE_CLIENT_CHANNEL_H
#define ELDERGATE_CLIENT_CHANNEL_H

#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace eldergate::client
{

// Over the gateway's Unix socket, "unix:PATH": who calls is known by the user's number.
std::shared_ptr<grpc::Channel> connect(const std::string &target);

// A client's side of mutual TLS, each PEM.
struct Tls {
	std::string authority;   // who signed the gateway's certificate
	std::string certificate; // the client's own, as `eldergate agency add` hands it out
	std::string key;
};

// Over the network, "HOST:PORT".
std::shared_ptr<grpc::Channel> connect(const std::string &target, const Tls &tls);

} // namespace eldergate::client

#endif
