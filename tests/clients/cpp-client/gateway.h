// gateway: a daemon for a test, in a folder of its own; EG_BIN names the folder of the programs.
#ifndef ELDERGATE_CLIENT_GATEWAY_H
#define ELDERGATE_CLIENT_GATEWAY_H

#include <memory>
#include <string>
#include <thread>

#include "channel.h"
#include "process.h"

namespace eldergate::client
{

// Each call throws std::runtime_error when it fails. Thread: start and kill one after the other, from any.
class Gateway
{
      public:
	Gateway();
	~Gateway();
	Gateway(const Gateway &) = delete;
	Gateway &operator=(const Gateway &) = delete;

	// Returns when the daemon says that it is ready.
	void start();
	// As a power cut would.
	void kill();
	// Its connections stay, and nothing answers on them, until it is killed.
	void halt();
	// For a user of this machine.
	std::string target() const;
	// For others, who show tls(); another one after each start.
	std::string address() const;
	Tls tls() const;
	// The log's verifier key, as an administrator hands it to auditors. It is read while the daemon is
	// not there.
	std::string vkey();

      private:
	std::string data() const;

	std::string place_, port_;
	std::unique_ptr<Process> daemon_;
	std::thread listener_; // so that the daemon's log never stops it
};

} // namespace eldergate::client

#endif
