// Package client is a small client of Eldergate for agencies and platforms: submit with resume, subscribe with upsert,
// verify a proof. Use it as it is or as a pattern:
//
//	conn, err := client.Connect("unix:/var/lib/eldergate/eldergate.sock", nil)
//	s := client.Submitter{Conn: conn, Dataset: "registration"}
//	err = s.Run(ctx, batches, receipts)
//	f := client.Subscriber{Conn: conn, Purpose: "subsidy-check", Store: store}
//	err = f.Run(ctx, nil)
//
// It needs google.golang.org/grpc and the messages that protoc-gen-go makes of proto/ (see ./run); the methods are called
// by their names, so stubs of the services are not needed.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	pb "eldergate.example/client/eldergatev1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// Connect makes a channel over a Unix socket ("unix:PATH", tls nil) or with mutual TLS ("HOST:PORT"): tls is what
// credentials.NewTLS makes of the client certificate and the gateway's authority. The options go before its own.
func Connect(target string, tls credentials.TransportCredentials, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if tls == nil {
		if !strings.HasPrefix(target, "unix:") {
			return nil, fmt.Errorf("%s is not on this machine: it wants TLS", target)
		}
		tls = insecure.NewCredentials()
	}
	// Without it a connection that died unseen would be waited on for ever.
	asking := keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}
	own := []grpc.DialOption{grpc.WithTransportCredentials(tls), grpc.WithKeepaliveParams(asking)}
	return grpc.Dial(target, append(own, options...)...)
}

// retryAfter says after which time the same may be tried again, at the earliest; false: it would fail again.
//
// Details are the gateway's own word, which has RetryInfo if repeating helps (proto/README.md, "Errors"). Without any it was
// not the gateway that answered, and these are the codes of a connection that broke.
func retryAfter(err error) (time.Duration, bool) {
	s := status.Convert(err)
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.RetryDelay.AsDuration(), true
		}
	}
	switch s.Code() {
	case codes.Unavailable, codes.Internal, codes.Canceled, codes.Unknown:
		return 0, len(s.Details()) == 0
	}
	return 0, false
}

// again waits longer after each failure in a row; an error ends the trying.
func again(ctx context.Context, err error, failures, attempts int, wait time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	least, helps := retryAfter(err)
	if !helps || failures >= attempts {
		return err
	}
	if wait *= time.Duration(failures); wait < least {
		wait = least
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait): // nothing announces the gateway's return
		return nil
	}
}

// Batch is some records under the sender's own name.
type Batch struct {
	ID      string
	Records []*pb.Record
}

// Submitter submits batches of one dataset until each has its receipt, however often the stream breaks.
//
// What was sent without a receipt is sent again: the gateway answers UNCHANGED for what it already has.
type Submitter struct {
	Conn     grpc.ClientConnInterface
	Dataset  string
	InFlight int           // batches without a receipt at once; 0: 8
	Attempts int           // failures in a row before it gives up; 0: 10
	Wait     time.Duration // after the first failure; 0: 200 ms
	Breaks   int           // how often the stream broke

	lock    sync.Mutex
	waiting []*pb.SubmitRequest // sent, or about to be, without a receipt; in the order of their coming
}

// Run takes batches from next until it says that there are no more, and gives each receipt to the caller. A receipt with a
// status is of a batch that was refused as a whole: if its details have RetryInfo, send it again later.
func (s *Submitter) Run(ctx context.Context, next func() (Batch, bool), receipt func(*pb.Receipt)) error {
	attempts, wait := s.Attempts, s.Wait
	if attempts == 0 {
		attempts = 10
	}
	if wait == 0 {
		wait = 200 * time.Millisecond
	}
	for failures := 0; ; {
		err := s.stream(ctx, next, func(r *pb.Receipt) {
			failures = 0
			receipt(r)
		})
		if err == nil {
			return nil
		}
		failures++
		s.Breaks++
		if err := again(ctx, err, failures, attempts, wait); err != nil {
			return err
		}
	}
}

// stream is one call of Submit, to its end or until it breaks.
func (s *Submitter) stream(ctx context.Context, next func() (Batch, bool), receipt func(*pb.Receipt)) error {
	ctx, cancel := context.WithCancel(ctx)
	sent := make(chan struct{})
	call, err := s.Conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/eldergate.v1.ExchangeService/Submit")
	if err != nil {
		cancel()
		return err
	}
	inFlight := s.InFlight
	if inFlight == 0 {
		inFlight = 8
	}
	credit := make(chan struct{}, inFlight)
	all := false
	go func() {
		defer close(sent)
		all = s.send(ctx, call, credit, next)
	}()
	// The sender must be gone before the next stream asks for batches.
	defer func() {
		cancel()
		<-sent
	}()
	for {
		var m pb.SubmitResponse
		err := call.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if s.take(m.Receipt.BatchId) {
			receipt(m.Receipt)
		}
		<-credit
	}
	cancel() // the gateway may end before all is sent
	<-sent
	if !all || len(s.waiting) > 0 {
		return status.Error(codes.Unavailable, "the stream ended before every batch had its receipt")
	}
	return nil
}

// send puts what has no receipt yet on the stream, then new batches, as fast as receipts come; true: that was all.
func (s *Submitter) send(ctx context.Context, call grpc.ClientStream, credit chan struct{}, next func() (Batch, bool)) bool {
	s.lock.Lock()
	again := append([]*pb.SubmitRequest(nil), s.waiting...)
	s.lock.Unlock()
	for {
		select {
		case credit <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		var request *pb.SubmitRequest
		if len(again) > 0 {
			request, again = again[0], again[1:]
		} else {
			batch, more := next()
			if !more {
				call.CloseSend()
				return true
			}
			request = &pb.SubmitRequest{BatchId: batch.ID, Dataset: s.Dataset, Records: batch.Records}
			s.lock.Lock()
			s.waiting = append(s.waiting, request)
			s.lock.Unlock()
		}
		if call.SendMsg(request) != nil {
			return false // RecvMsg tells why
		}
	}
}

// take strikes a batch off; false: it had its receipt already.
func (s *Submitter) take(id string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	for i, request := range s.waiting {
		if request.BatchId == id {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}
