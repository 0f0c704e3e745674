// auditor: asks the gateway for the proof that an entry is in the log, which the log's key alone is trusted
// for.
#ifndef ELDERGATE_CLIENT_AUDITOR_H
#define ELDERGATE_CLIENT_AUDITOR_H

#include <chrono>
#include <memory>

#include "eldergate/v1/audit.grpc.pb.h"
#include "proof.h"

namespace eldergate::client
{

class Auditor
{
      public:
	// vkey: what `eldergate log key` prints. Throws NotProven if it is not such a key.
	Auditor(const std::shared_ptr<grpc::ChannelInterface> &channel, std::string_view vkey);

	// The C2SP tlog-proof file of an entry, which holds: keep it, it stands by itself.
	// FAILED_PRECONDITION: no checkpoint covers the entry yet, try again; DATA_LOSS: what the gateway
	// showed proves nothing.
	grpc::Status prove(std::uint64_t seq, std::string *file, Inclusion *proven,
	                   std::chrono::milliseconds timeout = std::chrono::seconds(10));

      private:
	const std::unique_ptr<v1::AuditService::Stub> stub_;
	const Verifier verifier_;
};

} // namespace eldergate::client

#endif
