#include "auditor.h"

namespace eldergate::client
{

Auditor::Auditor(const std::shared_ptr<grpc::ChannelInterface> &channel, std::string_view vkey)
    : stub_(v1::AuditService::NewStub(channel)), verifier_(parse_verifier(vkey))
{
}

grpc::Status Auditor::prove(std::uint64_t seq, std::string *file, Inclusion *proven,
                            std::chrono::milliseconds timeout)
{
	grpc::ClientContext context;
	context.set_deadline(std::chrono::system_clock::now() + timeout);
	v1::GetInclusionProofRequest request;
	request.set_seq(seq);
	v1::GetInclusionProofResponse answer;
	grpc::Status status = stub_->GetInclusionProof(&context, request, &answer);
	if (!status.ok())
		return status;
	try {
		*proven = check_inclusion(answer.proof_file(), verifier_);
	} catch (const NotProven &why) {
		return {grpc::StatusCode::DATA_LOSS, why.what()};
	}
	if (proven->seq != seq)
		return {grpc::StatusCode::DATA_LOSS, "the proof is about another entry"};
	*file = answer.proof_file();
	return grpc::Status::OK;
}

} // namespace eldergate::client
