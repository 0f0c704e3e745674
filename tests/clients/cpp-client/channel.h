// channel: how a client of Eldergate reaches its gateway.
#ifndef ELDERGATE_CLIENT_CHANNEL_H
#define ELDERGATE_CLIENT_CHANNEL_H

#include <chrono>
#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace eldergate::client
{

// When a connection is dead: a feed is never silent for more than a few seconds.
struct Keepalive {
	std::chrono::milliseconds silence{20000}; // then the gateway is asked if it is there,
	// and has this long to say so. gRPC looks for it every 5 s only while no call is under way.
	std::chrono::milliseconds answer{10000};
};

// Over the gateway's Unix socket, "unix:PATH": who calls is known by the user's number. Throws
// std::invalid_argument for any other target: over the network nothing goes in plain text.
std::shared_ptr<grpc::Channel> connect(const std::string &target, const Keepalive &keepalive = {});

// A client's side of mutual TLS, each PEM.
struct Tls {
	std::string authority;   // who signed the gateway's certificate
	std::string certificate; // the client's own, as `eldergate agency add` hands it out
	std::string key;
};

// Over the network, "HOST:PORT".
std::shared_ptr<grpc::Channel> connect(const std::string &target, const Tls &tls,
                                       const Keepalive &keepalive = {});

} // namespace eldergate::client

#endif
