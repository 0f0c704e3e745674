package client

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	pb "eldergate.example/client/eldergatev1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// liar is no gateway, and answers each call of Submit as the next of its turns does.
func liar(t *testing.T, turns ...func(grpc.ServerStream) error) (context.Context, *grpc.ClientConn) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, call grpc.ServerStream) error {
		at++
		return turns[at-1](call)
	}))
	go server.Serve(listener)
	conn, err := Connect("unix:"+socket, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(func() {
		conn.Close()
		cancel()
		server.Stop()
	})
	return ctx, conn
}

// honest gives every batch its receipt.
func honest(call grpc.ServerStream) error {
	for {
		if err := short(call); err != nil {
			return nil
		}
	}
}

// short gives a batch its receipt, and ends well.
func short(call grpc.ServerStream) error {
	var request pb.SubmitRequest
	if err := call.RecvMsg(&request); err != nil {
		return err
	}
	return call.SendMsg(&pb.SubmitResponse{Receipt: &pb.Receipt{BatchId: request.BatchId}})
}

func failing(code codes.Code, details ...proto.Message) func(grpc.ServerStream) error {
	s := &status.Status{Code: int32(code)}
	for _, d := range details {
		packed, _ := anypb.New(d)
		s.Details = append(s.Details, packed)
	}
	return func(grpc.ServerStream) error { return grpcstatus.FromProto(s).Err() }
}
