package client

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	pb "eldergate.example/client/eldergatev1"
)

// gateway is a daemon in a folder of its own; EG_BIN names the folder of the programs.
type gateway struct {
	t     *testing.T
	place string
	run   *exec.Cmd
}

const identity = `name: tester
roles: [agency, subscriber, operator, auditor, admin]
uid: %d
submit:
  - {dataset: registration, section: registration, rhythm: 1d}
read:
  - {purpose: test, legal_basis: "generated people only", fields: [registration.name, registration.address_region]}
`

func start(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, place: t.TempDir()}
	folder := filepath.Join(g.place, "identities.d")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(identity, os.Getuid())
	if err := os.WriteFile(filepath.Join(folder, "tester.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.place, "eldergate.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	t.Cleanup(g.kill)
	return g
}

// start returns when the daemon says that it is ready.
func (g *gateway) start() {
	g.run = exec.Command(filepath.Join(os.Getenv("EG_BIN"), "eldergated"), "--config",
		filepath.Join(g.place, "eldergate.yaml"), "--set", "data="+g.data(), "--set", "listen.metrics=", "--set",
		"feed.progress=200ms", "--set", "writer.checkpoint=20ms")
	log, err := g.run.StderrPipe()
	if err == nil {
		err = g.run.Start()
	}
	if err != nil {
		g.t.Error(err)
		return
	}
	lines, ready := bufio.NewScanner(log), make(chan bool, 1)
	go func() {
		for lines.Scan() {
			if strings.Contains(lines.Text(), `"daemon.ready"`) {
				ready <- true
			}
		}
		close(ready)
	}()
	if !<-ready {
		g.t.Error("the daemon ended before it was ready")
	}
}

// startLater starts it beside the test, and closes the channel when it is ready.
func (g *gateway) startLater() chan bool {
	ready := make(chan bool)
	go func() {
		g.start()
		close(ready)
	}()
	return ready
}

func (g *gateway) kill() {
	g.run.Process.Signal(syscall.SIGKILL)
	g.run.Wait()
}

func (g *gateway) data() string   { return filepath.Join(g.place, "data") }
func (g *gateway) target() string { return "unix:" + filepath.Join(g.data(), "eldergate.sock") }

// vkey is the log's verifier key, as an administrator hands it to auditors. It is read while the daemon is not there.
func (g *gateway) vkey() string {
	g.kill()
	defer g.start()
	out, err := exec.Command(filepath.Join(os.Getenv("EG_BIN"), "eldergate"), "log", "key", "--data", g.data()).Output()
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// registration makes up a person: a number that is valid in form, and of nobody.
func registration(n int) *pb.Record {
	names := []rune("安宁康福寿春秋松柏梅兰竹")
	digits := fmt.Sprintf("330302%04d%02d%02d%03d", 1930+n%40, 1+n/40%12, 1+n/480%28, 1+2*(n/13440%400))
	weights, sum := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}, 0
	for i, w := range weights {
		sum += w * int(digits[i]-'0')
	}
	return &pb.Record{
		SourceKey: fmt.Sprintf("K-%d", n),
		Version:   1,
		Operation: pb.Operation_OPERATION_ASSERT,
		Section: &pb.Record_Registration{Registration: &pb.Registration{
			IdNumber:           digits + string("10X98765432"[sum%11]),
			IdType:             pb.IdType_ID_TYPE_RESIDENT,
			Name:               "王" + string(names[n%12]) + string(names[n/12%12]),
			AddressRegion:      "330302",
			RegistrationStatus: pb.RegistrationStatus_REGISTRATION_STATUS_NORMAL,
		}},
	}
}

// batches are n of them, of size records each, from a first person on.
func batches(first, n, size int) func() (Batch, bool) {
	at := 0
	return func() (Batch, bool) {
		if at == n {
			return Batch{}, false
		}
		b := Batch{ID: fmt.Sprintf("b%d", at)}
		for i := 0; i < size; i++ {
			b.Records = append(b.Records, registration(first+at*size+i))
		}
		at++
		return b, true
	}
}
