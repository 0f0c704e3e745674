package client

import (
	"context"
	"time"

	pb "eldergate.example/client/eldergatev1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Store keeps a copy of what a subscriber may see. One transaction for what a window brings and its cursor makes it exact;
// repeating a window does no harm either way. A version that is not greater than the one held is old news.
type Store interface {
	Cursor() *pb.Cursor // nil: begin with a snapshot
	// Replace takes a person's whole state: of what was held nothing stays.
	Replace(person string, version int64, life pb.LifeStatus, fields []*pb.FieldEntry, mergedInto string)
	// Put takes a change: a field without a value goes, one that is not named stays.
	Put(person string, version int64, life pb.LifeStatus, fields []*pb.FieldEntry, mergedInto string)
	Forget(person string, version int64) // left the filter
	ForgetAll()                          // the log is another one (restored from a backup), versions may come again, a snapshot follows
	Save(next *pb.Cursor)
}

// Subscriber upserts on (person, version) into its store, and goes on from the store's cursor after a break.
type Subscriber struct {
	Conn     grpc.ClientConnInterface
	Purpose  string
	Filter   *pb.FeedFilter // nil: everybody
	Store    Store
	Attempts int           // failures in a row before it gives up; 0: 10
	Wait     time.Duration // after the first failure; 0: 200 ms
	Breaks   int           // how often the stream broke
}

// Run follows the feed until the context ends, or until says so of a response; nil: never.
func (s *Subscriber) Run(ctx context.Context, until func(*pb.SubscribeResponse) bool) error {
	attempts, wait := s.Attempts, s.Wait
	if attempts == 0 {
		attempts = 10
	}
	if wait == 0 {
		wait = 200 * time.Millisecond
	}
	for failures := 0; ; {
		err := s.stream(ctx, func(r *pb.SubscribeResponse) bool {
			failures = 0
			return until != nil && until(r)
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

func (s *Subscriber) stream(ctx context.Context, until func(*pb.SubscribeResponse) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := &pb.FeedStart{Position: &pb.FeedStart_Snapshot{Snapshot: &pb.SnapshotStart{}}}
	if cursor := s.Store.Cursor(); cursor != nil {
		start.Position = &pb.FeedStart_Cursor{Cursor: cursor}
	}
	call, err := s.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/eldergate.v1.FeedService/Subscribe")
	if err == nil {
		err = call.SendMsg(&pb.SubscribeRequest{Start: start, Filter: s.Filter, Purpose: s.Purpose})
	}
	if err == nil {
		err = call.CloseSend()
	}
	for err == nil {
		var m pb.SubscribeResponse
		if err = call.RecvMsg(&m); err != nil {
			break
		}
		for _, item := range m.Items {
			s.apply(item)
		}
		if m.Next != nil {
			s.Store.Save(m.Next)
		}
		if until(&m) {
			return nil
		}
	}
	return err
}

func (s *Subscriber) apply(item *pb.FeedItem) {
	whole := item.GetSnapshot()
	if item.Entered != nil { // who came into the filter, in the change's place
		whole = item.Entered
	}
	if p := whole; p != nil {
		s.Store.Replace(p.PersonRef, p.PersonVersion, p.LifeStatus, p.Fields, p.MergedInto)
	} else if c := item.GetChange(); c.GetKind() == pb.ChangeKind_CHANGE_KIND_LEFT_SCOPE {
		s.Store.Forget(c.PersonRef, c.PersonVersion)
	} else if c != nil {
		s.Store.Put(c.PersonRef, c.PersonVersion, c.LifeStatusAfter, c.Fields, c.MergedInto)
	}
	if item.GetLogChanged() != nil {
		s.Store.ForgetAll()
	}
}

// Person is what a MemoryStore knows of one.
type Person struct {
	Version    int64
	Life       pb.LifeStatus
	Fields     map[string]*pb.FieldValue
	MergedInto string
}

// MemoryStore is the simplest store: the newest version of a person wins.
type MemoryStore struct {
	People            map[string]*Person
	Applied, Repeated int
	cursor            *pb.Cursor
}

func (m *MemoryStore) Cursor() *pb.Cursor { return m.cursor }

func (m *MemoryStore) Save(next *pb.Cursor) { m.cursor = proto.Clone(next).(*pb.Cursor) }

func (m *MemoryStore) ForgetAll() { m.People = nil }

func (m *MemoryStore) Forget(ref string, version int64) {
	if m.isNews(ref, version) {
		delete(m.People, ref)
	}
}

func (m *MemoryStore) Replace(ref string, version int64, life pb.LifeStatus, fields []*pb.FieldEntry, mergedInto string) {
	if m.isNews(ref, version) {
		m.set(ref, &Person{Version: version, Life: life, MergedInto: mergedInto}, fields)
	}
}

func (m *MemoryStore) Put(ref string, version int64, life pb.LifeStatus, fields []*pb.FieldEntry, mergedInto string) {
	if m.isNews(ref, version) {
		p := &Person{Version: version, Life: life, MergedInto: mergedInto}
		if known := m.People[ref]; known != nil {
			p.Fields = known.Fields
		}
		m.set(ref, p, fields)
	}
}

func (m *MemoryStore) isNews(ref string, version int64) bool {
	if known := m.People[ref]; known != nil && known.Version >= version {
		m.Repeated++
		return false
	}
	m.Applied++
	return true
}

func (m *MemoryStore) set(ref string, p *Person, fields []*pb.FieldEntry) {
	if p.Fields == nil {
		p.Fields = map[string]*pb.FieldValue{}
	}
	for _, f := range fields {
		if f.Value == nil {
			delete(p.Fields, f.Field)
		} else {
			p.Fields[f.Field] = f.Value
		}
	}
	if m.People == nil {
		m.People = map[string]*Person{}
	}
	m.People[ref] = p
}
