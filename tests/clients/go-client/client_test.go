package client

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	pb "eldergate.example/client/eldergatev1"
	"eldergate.example/verify/proof"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

func connect(t *testing.T, g *gateway, options ...grpc.DialOption) (context.Context, *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second) // so that a broken run ends
	conn, err := Connect(g.target(), nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
	})
	return ctx, conn
}

// submit sends batches and returns how many records had each outcome.
func submit(t *testing.T, ctx context.Context, s *Submitter, next func() (Batch, bool)) map[pb.Outcome]int {
	t.Helper()
	outcomes := map[pb.Outcome]int{}
	err := s.Run(ctx, next, func(r *pb.Receipt) {
		for _, one := range r.Results {
			outcomes[one.Outcome]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func TestSubmitResumesAfterAKill(t *testing.T) {
	const n, size = 60, 30
	g := start(t)
	ctx, conn := connect(t, g)
	s := &Submitter{Conn: conn, Dataset: "registration", Attempts: 50}
	receipts, records := map[string]int{}, 0
	var restarted chan bool
	err := s.Run(ctx, batches(0, n, size), func(r *pb.Receipt) {
		if r.Status != nil {
			t.Errorf("batch %s was refused: %v", r.BatchId, r.Status)
		}
		receipts[r.BatchId]++
		records += len(r.Results)
		if len(receipts) == 20 {
			g.kill()
			restarted = g.startLater()
		}
	})
	<-restarted
	if err != nil || s.Breaks == 0 {
		t.Fatalf("%v, after %d breaks", err, s.Breaks)
	}
	if len(receipts) != n || records != n*size {
		t.Errorf("%d of %d batches have a receipt, for %d records", len(receipts), n, records)
	}
	for id, times := range receipts {
		if times != 1 {
			t.Errorf("batch %s has %d receipts", id, times)
		}
	}
	again := submit(t, ctx, &Submitter{Conn: conn, Dataset: "registration"}, batches(0, n, size))
	if len(again) != 1 || again[pb.Outcome_OUTCOME_UNCHANGED] != n*size {
		t.Errorf("sent again, every record is unchanged: %v", again)
	}
}

func TestAMistakeIsNotRepeated(t *testing.T) {
	g := start(t)
	ctx, conn := connect(t, g)
	s := &Submitter{Conn: conn, Dataset: "none"}
	var refused *pb.Receipt
	if err := s.Run(ctx, batches(0, 1, 1), func(r *pb.Receipt) { refused = r }); err != nil || refused.GetStatus() == nil {
		t.Errorf("a batch of an unknown dataset is refused by its receipt: %v, %v", err, refused)
	}
	f := &Subscriber{Conn: conn, Purpose: "none", Store: &MemoryStore{}}
	if err := f.Run(ctx, nil); err == nil || f.Breaks != 1 {
		t.Errorf("a purpose that is not granted ends it at once: %v after %d", err, f.Breaks)
	}
}

func TestTheGatewaySaysWhetherToTryAgain(t *testing.T) {
	info, retry := &errdetails.ErrorInfo{Reason: "R"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)}
	for _, c := range []struct {
		turn  func(grpc.ServerStream) error
		helps bool
	}{
		{failing(codes.ResourceExhausted, info, retry), true},
		{failing(codes.DeadlineExceeded, info, retry), true},
		{failing(codes.Internal, info), false},
		{failing(codes.Internal), true},
		{failing(codes.Unavailable), true},
		{failing(codes.PermissionDenied), false},
	} {
		ctx, conn := liar(t, c.turn, honest)
		s, receipts := &Submitter{Conn: conn, Wait: time.Millisecond}, 0
		err := s.Run(ctx, batches(0, 1, 1), func(*pb.Receipt) { receipts++ })
		if (err == nil) != c.helps || (receipts == 1) != c.helps || s.Breaks != 1 {
			t.Errorf("%v: %v, %d receipts, %d breaks", c.turn(nil), err, receipts, s.Breaks)
		}
	}
}

func TestAStreamThatEndsTooEarlyIsABreak(t *testing.T) {
	silent := func(call grpc.ServerStream) error { return call.RecvMsg(&pb.SubmitRequest{}) }
	ctx, conn := liar(t, short, silent, honest)
	s, receipts := &Submitter{Conn: conn, InFlight: 1, Wait: time.Millisecond}, 0
	err := s.Run(ctx, batches(0, 3, 1), func(*pb.Receipt) { receipts++ })
	if err != nil || receipts != 3 || s.Breaks != 2 {
		t.Errorf("%v: %d receipts, %d breaks", err, receipts, s.Breaks)
	}
}

func TestPlaintextStaysOnThisMachine(t *testing.T) {
	if _, err := Connect("gateway.example:7443", nil); err == nil {
		t.Error("a channel without TLS leaves the machine")
	}
}

// watched tells when a stream begins that is not the first.
type watched struct {
	MemoryStore
	begun int
	again chan bool
}

func (w *watched) Cursor() *pb.Cursor {
	if w.begun++; w.begun == 2 {
		close(w.again)
	}
	return w.MemoryStore.Cursor()
}

func TestADeadConnectionIsNoticed(t *testing.T) {
	g := start(t)
	// Go asks no more often than this.
	ctx, conn := connect(t, g, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second}))
	store := &watched{again: make(chan bool)}
	f := &Subscriber{Conn: conn, Purpose: "test", Store: store, Attempts: 50}
	var awake chan bool
	err := f.Run(ctx, func(r *pb.SubscribeResponse) bool {
		if awake == nil {
			g.run.Process.Signal(syscall.SIGSTOP) // the connection stays
			awake = make(chan bool)
			go func() {
				select {
				case <-store.again:
				case <-ctx.Done():
				}
				g.run.Process.Signal(syscall.SIGCONT)
				close(awake)
			}()
		}
		return f.Breaks > 0 && live(r)
	})
	<-awake
	if err != nil || f.Breaks == 0 {
		t.Errorf("%v, after %d breaks", err, f.Breaks)
	}
}

func live(m *pb.SubscribeResponse) bool {
	for _, item := range m.Items {
		if item.GetProgress().GetLive() {
			return true
		}
	}
	return false
}

func follow(t *testing.T, ctx context.Context, conn *grpc.ClientConn, store *MemoryStore) {
	t.Helper()
	if err := (&Subscriber{Conn: conn, Purpose: "test", Store: store}).Run(ctx, live); err != nil {
		t.Fatal(err)
	}
}

func same(a, b *MemoryStore) bool {
	if len(a.People) != len(b.People) {
		return false
	}
	for ref, p := range a.People {
		q := b.People[ref]
		if q == nil || p.Version != q.Version || p.Life != q.Life || p.MergedInto != q.MergedInto || len(p.Fields) != len(q.Fields) {
			return false
		}
		for name, value := range p.Fields {
			if !proto.Equal(value, q.Fields[name]) {
				return false
			}
		}
	}
	return true
}

func TestSubscriberConverges(t *testing.T) {
	const size = 150
	g := start(t)
	ctx, conn := connect(t, g)
	s := &Submitter{Conn: conn, Dataset: "registration"}
	submit(t, ctx, s, batches(0, 10, size))
	store := &MemoryStore{}
	follow(t, ctx, conn, store)
	if store.Cursor() == nil || len(store.People) != 10*size {
		t.Fatalf("%d people after the snapshot", len(store.People))
	}
	submit(t, ctx, s, batches(10*size, 10, size))
	var restarted chan bool
	f := &Subscriber{Conn: conn, Purpose: "test", Store: store, Attempts: 50}
	err := f.Run(ctx, func(r *pb.SubscribeResponse) bool {
		if restarted == nil {
			if live(r) {
				t.Error("the first window held all that there is to tell")
			}
			g.kill()
			restarted = g.startLater()
		}
		return f.Breaks > 0 && live(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	<-restarted
	fresh := &MemoryStore{}
	follow(t, ctx, conn, fresh)
	if len(fresh.People) != 20*size || !same(store, fresh) {
		t.Errorf("%d people by resuming, %d from a snapshot", len(store.People), len(fresh.People))
	}
	if fresh.People[""] != nil || store.Applied != 20*size {
		t.Errorf("%d applied", store.Applied)
	}
}

// A snapshot is all that there is: what was withdrawn before it came does not stay.
func TestASnapshotReplaces(t *testing.T) {
	g := start(t)
	ctx, conn := connect(t, g)
	submit(t, ctx, &Submitter{Conn: conn, Dataset: "registration"}, batches(0, 2, 10))
	fresh, store := &MemoryStore{}, &MemoryStore{}
	follow(t, ctx, conn, fresh)
	follow(t, ctx, conn, store)
	for _, p := range store.People {
		p.Version--
		p.Fields["registration.death_date"] = &pb.FieldValue{}
	}
	store.cursor = nil
	follow(t, ctx, conn, store)
	if len(fresh.People) != 20 || !same(store, fresh) {
		t.Errorf("of %d people the snapshot left something that it does not hold", len(fresh.People))
	}
}

func TestWhoLeavesTheFilterIsForgottenAndComesBackWhole(t *testing.T) {
	g := start(t)
	ctx, conn := connect(t, g)
	s := &Submitter{Conn: conn, Dataset: "registration"}
	submit(t, ctx, s, batches(0, 1, 2))
	store := &MemoryStore{}
	f := &Subscriber{Conn: conn, Purpose: "test", Filter: &pb.FeedFilter{RegionPrefixes: []string{"3303"}}, Store: store}
	if err := f.Run(ctx, live); err != nil || len(store.People) != 2 {
		t.Fatal(err, len(store.People))
	}
	moves := func(version int64, region string, people int) {
		moved := registration(0)
		moved.Version = version
		moved.GetRegistration().AddressRegion = region
		sent := false
		submit(t, ctx, s, func() (Batch, bool) {
			more := !sent
			sent = true
			return Batch{ID: "to " + region, Records: []*pb.Record{moved}}, more
		})
		if err := f.Run(ctx, live); err != nil || len(store.People) != people {
			t.Fatal(err, len(store.People))
		}
	}
	moves(2, "530102", 1)
	for ref, p := range store.People {
		store.Forget(ref, p.Version)
		if store.People[ref] == nil {
			t.Error("old news made somebody be forgotten")
		}
	}
	moves(3, "330304", 2) // and back: of a change of one field everything is known
	fresh := &MemoryStore{}
	again := &Subscriber{Conn: conn, Purpose: "test", Filter: f.Filter, Store: fresh}
	if err := again.Run(ctx, live); err != nil || !same(store, fresh) {
		t.Error("who came back is not as in a snapshot", err)
	}
}

// After a restored backup versions come again, which would not be newer than those of the log that is gone.
func TestAnotherLogStartsOver(t *testing.T) {
	g := start(t)
	ctx, conn := connect(t, g)
	submit(t, ctx, &Submitter{Conn: conn, Dataset: "registration"}, batches(0, 2, 10))
	fresh, store := &MemoryStore{}, &MemoryStore{}
	follow(t, ctx, conn, fresh)
	follow(t, ctx, conn, store)
	for _, p := range store.People {
		p.Version, p.Fields = 1000, nil
	}
	store.People["somebody of the log that is gone"] = &Person{Version: 1}
	store.cursor.LogId = strings.Repeat("0", len(store.cursor.LogId))
	follow(t, ctx, conn, store)
	if !same(store, fresh) || store.cursor.LogId != fresh.cursor.LogId {
		t.Errorf("%d people, not the %d of the log that is there", len(store.People), len(fresh.People))
	}
}

func TestProof(t *testing.T) {
	g := start(t)
	ctx, conn := connect(t, g)
	var seq uint64
	err := (&Submitter{Conn: conn, Dataset: "registration"}).Run(ctx, batches(0, 1, 1), func(r *pb.Receipt) {
		seq = r.Results[0].Seq
	})
	if err != nil || seq == 0 {
		t.Fatal(err, seq)
	}
	vkey := g.vkey()
	var file []byte
	var c proof.Checkpoint
	for { // the entry is in the next checkpoint
		if file, c, err = Proof(ctx, conn, seq, vkey); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "heckpoint") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil || uint64(c.Size) < seq {
		t.Fatalf("%v: a log of %d entries, and entry %d", err, c.Size, seq)
	}
	verifier, _ := note.NewVerifier(vkey)
	for at := range file { // whatever is changed, it is no proof of this entry any more
		forged := append([]byte(nil), file...)
		forged[at] ^= 1
		if at+1 < len(file) && file[at+1] == '=' { // base64's last digit, two bits of which say nothing
			forged[at] = map[bool]byte{true: 'E', false: 'A'}[file[at] == 'A']
		}
		if entry, _, err := proof.Inclusion(forged, verifier); err == nil && uint64(entry) == seq {
			t.Errorf("byte %d of the proof may be another", at)
		}
	}
	other, _ := note.NewVerifier(start(t).vkey())
	if _, _, err := proof.Inclusion(file, other); err == nil {
		t.Error("the proof holds with another log's key")
	}
	if _, _, err := Proof(ctx, conn, 1<<40, vkey); err == nil {
		t.Error("there is a proof of an entry that is not there")
	}
}
