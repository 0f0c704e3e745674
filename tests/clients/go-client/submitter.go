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
	"sync"
	"time"

	pb "eldergate.example/client/eldergatev1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Connect makes a channel over a Unix socket ("unix:PATH", tls nil) or with mutual TLS ("HOST:PORT"): tls is what
// credentials.NewTLS makes of the client certificate and the gateway's authority.
func Connect(target string, tls credentials.TransportCredentials) (*grpc.ClientConn, error) {
	if tls == nil {
		tls = insecure.NewCredentials()
	}
	return grpc.Dial(target, grpc.WithTransportCredentials(tls))
}

// Is the same worth trying again? The gateway answers other codes of a call that would fail again.
func retryable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.Internal, codes.Canceled, codes.Unknown:
		return true
	}
	return false
}

// again waits longer after each failure in a row; an error ends the trying.
func again(ctx context.Context, err error, failures, attempts int, wait time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !retryable(err) || failures >= attempts {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait * time.Duration(failures)): // the gateway is away: nothing announces its return
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
	go func() {
		defer close(sent)
		s.send(ctx, call, credit, next)
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
	<-sent
	if len(s.waiting) > 0 {
		return fmt.Errorf("the stream ended without %d receipts", len(s.waiting))
	}
	return nil
}

// send puts what has no receipt yet on the stream, then new batches, as fast as receipts come.
func (s *Submitter) send(ctx context.Context, call grpc.ClientStream, credit chan struct{}, next func() (Batch, bool)) {
	s.lock.Lock()
	again := append([]*pb.SubmitRequest(nil), s.waiting...)
	s.lock.Unlock()
	for {
		select {
		case credit <- struct{}{}:
		case <-ctx.Done():
			return
		}
		var request *pb.SubmitRequest
		if len(again) > 0 {
			request, again = again[0], again[1:]
		} else {
			batch, more := next()
			if !more {
				call.CloseSend()
				return
			}
			request = &pb.SubmitRequest{BatchId: batch.ID, Dataset: s.Dataset, Records: batch.Records}
			s.lock.Lock()
			s.waiting = append(s.waiting, request)
			s.lock.Unlock()
		}
		if call.SendMsg(request) != nil {
			return // RecvMsg tells why
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
