package client

import (
	"context"
	"fmt"

	pb "eldergate.example/client/eldergatev1"
	"eldergate.example/verify/proof"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
)

// Proof fetches the proof that an entry is in the log, and checks it with the log's verifier key (`eldergate log key`).
// What it returns is a C2SP tlog-proof file: keep it, it stands by itself.
func Proof(ctx context.Context, conn grpc.ClientConnInterface, seq uint64, vkey string) ([]byte, proof.Checkpoint, error) {
	var c proof.Checkpoint
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, c, err
	}
	var answer pb.GetInclusionProofResponse
	if err = conn.Invoke(ctx, "/eldergate.v1.AuditService/GetInclusionProof", &pb.GetInclusionProofRequest{Seq: seq},
		&answer); err != nil {
		return nil, c, err
	}
	entry, c, err := proof.Inclusion([]byte(answer.ProofFile), verifier)
	if err == nil && uint64(entry) != seq {
		err = fmt.Errorf("the proof is about entry %d, not %d", entry, seq)
	}
	return []byte(answer.ProofFile), c, err
}
